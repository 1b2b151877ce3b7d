//! The engine as a driver of the Auth service.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use truststream_kernel::{Context, FeatureSet, Features, Identity, Result};
use truststream_services::auth::{
    AdminCreateUser, AdminDeleteFactor, AdminDeleteUser, AdminGetUser, AdminListFactors, AdminListUsers,
    AdminUpdateUser, AuthDriver, AuthFeature, Authenticate, Challenge, ChallengeFactor, EnrollFactor,
    EnrolledFactor, Factor, GetUser, PublicKeys, PublicSettings, Refresh, Session, Settings,
    SignInWithPassword, SignOut, SignUp, SignedUp, UnenrollFactor, UpdateUser, User, UserPage, VerifyFactor,
};
use truststream_services::database::Database;

use super::access::require_admin;
use super::claims::identity;
use super::keys::Keys;
use super::moment::Moment;
use super::passwords::Passwords;
use super::settings::AuthSettings;

/// Ways to sign in that clients ask after; all but the first three come later.
const EXTERNAL: &[&str] = &[
    "anonymous_users",
    "email",
    "phone",
    "apple",
    "azure",
    "bitbucket",
    "discord",
    "facebook",
    "figma",
    "fly",
    "github",
    "gitlab",
    "google",
    "kakao",
    "keycloak",
    "linkedin",
    "linkedin_oidc",
    "notion",
    "slack",
    "slack_oidc",
    "snapchat",
    "spotify",
    "twitch",
    "twitter",
    "workos",
    "x",
    "zoom",
];

/// Native auth on a database.
pub struct AuthEngine {
    pub(super) database: Database,
    pub(super) keys: Arc<Keys>,
    pub(super) settings: AuthSettings,
    pub(super) passwords: Passwords,
}

impl AuthEngine {
    /// What the engine can do on any database.
    pub fn declares() -> Features {
        Features { native: FeatureSet::all::<AuthFeature>(), emulated: FeatureSet::EMPTY }
    }

    /// Auth on `database`, whose schema must hold [`super::MIGRATIONS`].
    ///
    /// # Errors
    /// `BACKEND_002` when passwords can't be hashed as the settings say.
    pub fn new(database: &Database, keys: Arc<Keys>, settings: AuthSettings) -> Result<Self> {
        let passwords = Passwords::new(&settings)?;
        Ok(AuthEngine { database: database.with(Context::system()), keys, settings, passwords })
    }
}

impl AuthDriver for AuthEngine {
    fn features(&self) -> Features {
        AuthEngine::declares()
    }

    async fn authenticate(&self, _cx: &Context, op: &Authenticate) -> Result<Identity> {
        identity(self.keys.verify(&op.token)?, &self.settings, Moment::now().seconds())
    }

    async fn sign_up(&self, _cx: &Context, op: &SignUp) -> Result<SignedUp> {
        self.register(op).await
    }

    async fn sign_in_with_password(&self, _cx: &Context, op: &SignInWithPassword) -> Result<Session> {
        self.let_in(op).await
    }

    async fn refresh(&self, _cx: &Context, op: &Refresh) -> Result<Session> {
        self.renew(op).await
    }

    async fn get_user(&self, cx: &Context, _op: &GetUser) -> Result<User> {
        let asking = self.asking(cx).await?;
        self.complete(&asking.user).await
    }

    async fn update_user(&self, cx: &Context, op: &UpdateUser) -> Result<User> {
        self.change(cx, op).await
    }

    async fn sign_out(&self, cx: &Context, op: &SignOut) -> Result<()> {
        self.end(cx, *op).await
    }

    async fn enroll_factor(&self, cx: &Context, op: &EnrollFactor) -> Result<EnrolledFactor> {
        self.enroll(cx, op).await
    }

    async fn challenge_factor(&self, cx: &Context, op: &ChallengeFactor) -> Result<Challenge> {
        self.ask(cx, op).await
    }

    async fn verify_factor(&self, cx: &Context, op: &VerifyFactor) -> Result<Session> {
        self.answer(cx, op).await
    }

    async fn unenroll_factor(&self, cx: &Context, op: &UnenrollFactor) -> Result<()> {
        self.unenroll(cx, op).await
    }

    async fn admin_create_user(&self, cx: &Context, op: &AdminCreateUser) -> Result<User> {
        require_admin(cx)?;
        self.create(op).await
    }

    async fn admin_list_users(&self, cx: &Context, op: &AdminListUsers) -> Result<UserPage> {
        require_admin(cx)?;
        self.list(op).await
    }

    async fn admin_get_user(&self, cx: &Context, op: &AdminGetUser) -> Result<User> {
        require_admin(cx)?;
        let row = self.find(&op.id).await?;
        self.complete(&row).await
    }

    async fn admin_update_user(&self, cx: &Context, op: &AdminUpdateUser) -> Result<User> {
        require_admin(cx)?;
        self.amend(op).await
    }

    async fn admin_delete_user(&self, cx: &Context, op: &AdminDeleteUser) -> Result<()> {
        require_admin(cx)?;
        self.remove(op).await
    }

    async fn admin_list_factors(&self, cx: &Context, op: &AdminListFactors) -> Result<Vec<Factor>> {
        require_admin(cx)?;
        self.list_factors(&op.user).await
    }

    async fn admin_delete_factor(&self, cx: &Context, op: &AdminDeleteFactor) -> Result<Factor> {
        require_admin(cx)?;
        self.delete_factor(&op.user, &op.factor).await
    }

    async fn settings(&self, _cx: &Context, _op: &Settings) -> Result<PublicSettings> {
        let mut external: BTreeMap<String, bool> =
            EXTERNAL.iter().map(|name| ((*name).to_owned(), false)).collect();
        external.insert("anonymous_users".to_owned(), self.settings.enable_anonymous_sign_ins);
        external.insert("email".to_owned(), self.settings.email.enable_signup);
        Ok(PublicSettings {
            external,
            disable_signup: !self.settings.enable_signup,
            mailer_autoconfirm: !self.settings.email.enable_confirmations,
            phone_autoconfirm: false,
            sms_provider: String::new(),
            saml_enabled: false,
        })
    }

    async fn public_keys(&self, _cx: &Context, _op: &PublicKeys) -> Result<Json> {
        Ok(self.keys.public())
    }
}
