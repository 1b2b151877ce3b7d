//! The operations of the Auth service.
//!
//! Who asks is in the context: what concerns "the user" means the subject of the caller's claims,
//! and the operations named `Admin…` are refused unless the caller is the service role or
//! TrustStream itself.

use std::fmt;

use truststream_kernel::{FeatureSet, Identity, Requires, Secret, operations};

use super::{
    AdminDeleteFactor, AdminListFactors, AuthDriver, AuthFeature, Challenge, ChallengeFactor, EnrollFactor,
    EnrolledFactor, Factor, Object, PublicSettings, Session, SignedUp, UnenrollFactor, User, UserPage,
    VerifyFactor,
};

operations! {
    /// The Auth service.
    AuthService("auth", AuthFeature), driver AuthDriver, op AuthOp, reply AuthReply {
        Authenticate => authenticate -> Identity, Read, true;
        SignUp => sign_up -> SignedUp, Write, false;
        SignInWithPassword => sign_in_with_password -> Session, Write, false;
        Refresh => refresh -> Session, Write, false;
        GetUser => get_user -> User, Read, true;
        UpdateUser => update_user -> User, Write, false;
        SignOut => sign_out -> (), Write, true;
        EnrollFactor => enroll_factor -> EnrolledFactor, Write, false;
        ChallengeFactor => challenge_factor -> Challenge, Write, false;
        VerifyFactor => verify_factor -> Session, Write, false;
        UnenrollFactor => unenroll_factor -> (), Write, false;
        AdminCreateUser => admin_create_user -> User, Write, false;
        AdminListUsers => admin_list_users -> UserPage, Read, true;
        AdminGetUser => admin_get_user -> User, Read, true;
        AdminUpdateUser => admin_update_user -> User, Write, false;
        AdminDeleteUser => admin_delete_user -> (), Write, false;
        AdminListFactors => admin_list_factors -> Vec<Factor>, Read, true;
        AdminDeleteFactor => admin_delete_factor -> Factor, Write, false;
        Settings => settings -> PublicSettings, Read, true;
        PublicKeys => public_keys -> serde_json::Value, Read, true;
    }
}

/// Asks who the bearer of an access token is. Signature and claims decide; no session is looked up.
#[derive(Clone)]
pub struct Authenticate {
    /// The token, without `Bearer`.
    pub token: String,
}

impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticate(…)")
    }
}

/// Makes a user and, where its address needs no confirmation, signs it in. Without an address the
/// user is anonymous.
#[derive(Clone, Debug, Default)]
pub struct SignUp {
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// What the user says of itself.
    pub data: Object,
    /// Where the request comes from.
    pub client: Client,
}

/// Signs in with address or number, and password.
#[derive(Clone, Debug, Default)]
pub struct SignInWithPassword {
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Password.
    pub password: Secret,
    /// Where the request comes from.
    pub client: Client,
}

/// Exchanges a refresh token for a new session's worth of tokens.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// The token.
    pub refresh_token: Secret,
    /// Where the request comes from.
    pub client: Client,
}

/// What is kept of whoever opened a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// IP address.
    pub address: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
}

/// Asks for the calling user, as long as its session lasts.
#[derive(Clone, Debug, Default)]
pub struct GetUser;

/// Changes the calling user; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct UpdateUser {
    /// New e-mail address.
    pub email: Option<String>,
    /// New telephone number.
    pub phone: Option<String>,
    /// New password; ends all other sessions.
    pub password: Option<Secret>,
    /// Merged into what the user says of itself; nulls remove.
    pub data: Option<Object>,
    /// Refused: users can't change what the application knows of them.
    pub app_metadata: Option<Object>,
}

/// Ends sessions of the calling user.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignOut {
    /// Which of them.
    pub scope: SignOutScope,
}

/// Which sessions a sign-out ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignOutScope {
    /// All of the user's.
    #[default]
    Global,
    /// The one whose token is used.
    Local,
    /// All but that one.
    Others,
}

/// What an operator can set of a user.
#[derive(Clone, Debug, Default)]
pub struct UserAttributes {
    /// Database role.
    pub role: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Password as a hash: bcrypt, argon2i or argon2id.
    pub password_hash: Option<Secret>,
    /// The address counts as confirmed.
    pub email_confirm: bool,
    /// The number counts as confirmed.
    pub phone_confirm: bool,
    /// Merged into what the user says of itself.
    pub user_metadata: Option<Object>,
    /// Merged into what the application knows of the user.
    pub app_metadata: Option<Object>,
    /// How long to keep the user out, such as `24h`; `none` lets it in again.
    pub ban_duration: Option<String>,
}

/// Makes a user.
#[derive(Clone, Debug, Default)]
pub struct AdminCreateUser {
    /// Its id; a random one if absent.
    pub id: Option<String>,
    /// All the rest.
    pub attributes: UserAttributes,
}

/// Lists users, newest first.
#[derive(Clone, Debug)]
pub struct AdminListUsers {
    /// Which page, from 1.
    pub page: u64,
    /// Users on a page.
    pub per_page: u64,
    /// Only users whose address or full name contains this.
    pub filter: Option<String>,
}

/// Asks for a user.
#[derive(Clone, Debug)]
pub struct AdminGetUser {
    /// Its id.
    pub id: String,
}

/// Changes a user; what is absent stays. A new password ends all its sessions.
#[derive(Clone, Debug)]
pub struct AdminUpdateUser {
    /// Its id.
    pub id: String,
    /// What to change.
    pub attributes: UserAttributes,
}

/// Deletes a user with its sessions.
#[derive(Clone, Debug)]
pub struct AdminDeleteUser {
    /// Its id.
    pub id: String,
    /// Keep the row, without anything that tells who it was.
    pub soft: bool,
}

/// Asks what can be done here without signing in.
#[derive(Clone, Debug, Default)]
pub struct Settings;

/// Asks for the public keys that tokens can be verified with, as a JWK set.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys;

impl Requires for SignUp {
    fn needs(&self) -> FeatureSet {
        let anonymous = self.email.is_none() && self.phone.is_none();
        FeatureSet::of(&[if anonymous { AuthFeature::Anonymous } else { AuthFeature::Passwords }])
    }
}

impl Requires for AdminCreateUser {
    fn needs(&self) -> FeatureSet {
        match self.attributes.password_hash {
            Some(_) => FeatureSet::of(&[AuthFeature::PasswordHashes]),
            None => FeatureSet::EMPTY,
        }
    }
}

impl Requires for AdminDeleteUser {
    fn needs(&self) -> FeatureSet {
        if self.soft { FeatureSet::of(&[AuthFeature::SoftDelete]) } else { FeatureSet::EMPTY }
    }
}

impl Requires for SignInWithPassword {
    fn needs(&self) -> FeatureSet {
        FeatureSet::of(&[AuthFeature::Passwords])
    }
}

impl Requires for Authenticate {}
impl Requires for Refresh {}
impl Requires for GetUser {}
impl Requires for UpdateUser {}
impl Requires for SignOut {}
impl Requires for AdminListUsers {}
impl Requires for AdminGetUser {}
impl Requires for AdminUpdateUser {}
impl Requires for Settings {}
impl Requires for PublicKeys {}
