//! Rows of the auth tables, and what users and identities look like in them.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use truststream_kernel::Secret;
use truststream_services::auth::{Factor, Object, User, UserIdentity};
use uuid::Uuid;

use super::moment::{Moment, zulu};
use super::store::{Stored, Table};

/// A row of `auth.users`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct UserRow {
    pub(super) id: String,
    aud: Option<String>,
    role: Option<String>,
    pub(super) email: Option<String>,
    pub(super) encrypted_password: Option<String>,
    pub(super) email_confirmed_at: Option<String>,
    invited_at: Option<String>,
    confirmation_sent_at: Option<String>,
    email_change: Option<String>,
    email_change_sent_at: Option<String>,
    last_sign_in_at: Option<String>,
    raw_app_meta_data: Option<Object>,
    raw_user_meta_data: Option<Object>,
    created_at: Option<String>,
    pub(super) updated_at: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) phone_confirmed_at: Option<String>,
    banned_until: Option<String>,
    pub(super) deleted_at: Option<String>,
    pub(super) is_anonymous: bool,
}

impl Stored for UserRow {
    const TABLE: Table = Table::Users;
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "aud",
        "role",
        "email",
        "encrypted_password",
        "email_confirmed_at",
        "invited_at",
        "confirmation_sent_at",
        "email_change",
        "email_change_sent_at",
        "last_sign_in_at",
        "raw_app_meta_data",
        "raw_user_meta_data",
        "created_at",
        "updated_at",
        "phone",
        "phone_confirmed_at",
        "banned_until",
        "deleted_at",
        "is_anonymous",
    ];
}

impl UserRow {
    /// The hash of its password, if it has one.
    pub(super) fn password(&self) -> Option<&str> {
        self.encrypted_password.as_deref().filter(|hash| !hash.is_empty())
    }

    pub(super) fn is_banned(&self, now: Moment) -> bool {
        self.banned_until.as_deref().and_then(Moment::parse).is_some_and(|until| now < until)
    }

    /// The user as callers see it.
    pub(super) fn user(&self, identities: Vec<UserIdentity>, factors: Vec<Factor>) -> User {
        let time = |text: &Option<String>| text.as_deref().map(zulu);
        let confirmed = [&self.email_confirmed_at, &self.phone_confirmed_at];
        let confirmed_at = confirmed
            .into_iter()
            .filter_map(|text| Some((Moment::parse(text.as_deref()?)?, text)))
            .min_by_key(|(moment, _)| *moment)
            .and_then(|(_, text)| time(text));
        User {
            id: self.id.clone(),
            aud: self.aud.clone().unwrap_or_default(),
            role: self.role.clone().unwrap_or_default(),
            email: self.email.clone().unwrap_or_default(),
            email_confirmed_at: time(&self.email_confirmed_at),
            invited_at: time(&self.invited_at),
            phone: self.phone.clone().unwrap_or_default(),
            phone_confirmed_at: time(&self.phone_confirmed_at),
            confirmation_sent_at: time(&self.confirmation_sent_at),
            confirmed_at,
            new_email: self.email_change.clone().filter(|email| !email.is_empty()),
            email_change_sent_at: time(&self.email_change_sent_at),
            last_sign_in_at: time(&self.last_sign_in_at),
            app_metadata: self.raw_app_meta_data.clone().unwrap_or_default(),
            user_metadata: self.raw_user_meta_data.clone().unwrap_or_default(),
            identities,
            factors,
            created_at: time(&self.created_at).unwrap_or_default(),
            updated_at: time(&self.updated_at).unwrap_or_default(),
            banned_until: time(&self.banned_until),
            deleted_at: time(&self.deleted_at),
            is_anonymous: self.is_anonymous,
        }
    }
}

/// The row of a new user. Tokens are empty rather than null, as Supabase Auth reads them.
pub(super) fn user_row(user: &User, password: Option<&str>) -> Json {
    json!({
        "instance_id": Uuid::nil(),
        "id": user.id,
        "aud": user.aud,
        "role": user.role,
        "email": filled(&user.email),
        "encrypted_password": password.unwrap_or_default(),
        "email_confirmed_at": user.email_confirmed_at,
        "confirmation_token": "",
        "confirmation_sent_at": user.confirmation_sent_at,
        "recovery_token": "",
        "email_change_token_new": "",
        "email_change": "",
        "last_sign_in_at": user.last_sign_in_at,
        "raw_app_meta_data": user.app_metadata,
        "raw_user_meta_data": user.user_metadata,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "phone": filled(&user.phone),
        "phone_confirmed_at": user.phone_confirmed_at,
        "banned_until": user.banned_until,
        "is_sso_user": false,
        "is_anonymous": user.is_anonymous,
    })
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// A row of `auth.identities`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct IdentityRow {
    id: String,
    provider_id: String,
    user_id: String,
    identity_data: Object,
    provider: String,
    last_sign_in_at: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl Stored for IdentityRow {
    const TABLE: Table = Table::Identities;
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "provider_id",
        "user_id",
        "identity_data",
        "provider",
        "last_sign_in_at",
        "created_at",
        "updated_at",
    ];
}

impl From<IdentityRow> for UserIdentity {
    fn from(row: IdentityRow) -> Self {
        let email = row.identity_data.get("email").and_then(Json::as_str).map(str::to_lowercase);
        UserIdentity {
            identity_id: row.id,
            id: row.provider_id,
            user_id: row.user_id,
            identity_data: row.identity_data,
            provider: row.provider,
            last_sign_in_at: row.last_sign_in_at.as_deref().map(zulu),
            created_at: row.created_at.as_deref().map(zulu).unwrap_or_default(),
            updated_at: row.updated_at.as_deref().map(zulu).unwrap_or_default(),
            email,
        }
    }
}

/// The row of a new identity.
pub(super) fn identity_row(identity: &UserIdentity) -> Json {
    json!({
        "id": identity.identity_id,
        "provider_id": identity.id,
        "user_id": identity.user_id,
        "identity_data": identity.identity_data,
        "provider": identity.provider,
        "last_sign_in_at": identity.last_sign_in_at,
        "created_at": identity.created_at,
        "updated_at": identity.updated_at,
    })
}

/// A row of `auth.sessions`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct SessionRow {
    pub(super) id: String,
    pub(super) user_id: String,
    aal: Option<String>,
    not_after: Option<String>,
}

impl Stored for SessionRow {
    const TABLE: Table = Table::Sessions;
    const COLUMNS: &'static [&'static str] = &["id", "user_id", "aal", "not_after"];
}

impl SessionRow {
    /// Whether a second factor was shown in it.
    pub(super) fn is_raised(&self) -> bool {
        self.aal.as_deref() == Some("aal2")
    }

    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.not_after.as_deref().and_then(Moment::parse).is_some_and(|end| end <= now)
    }
}

/// A row of `auth.refresh_tokens`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RefreshRow {
    pub(super) token: String,
    pub(super) user_id: Option<String>,
    pub(super) revoked: Option<bool>,
    pub(super) updated_at: Option<String>,
    pub(super) parent: Option<String>,
    pub(super) session_id: Option<String>,
}

impl Stored for RefreshRow {
    const TABLE: Table = Table::RefreshTokens;
    const COLUMNS: &'static [&'static str] =
        &["token", "user_id", "revoked", "updated_at", "parent", "session_id"];
}

/// A row of `auth.mfa_amr_claims`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AmrRow {
    pub(super) authentication_method: String,
    pub(super) created_at: String,
}

impl Stored for AmrRow {
    const TABLE: Table = Table::AmrClaims;
    const COLUMNS: &'static [&'static str] = &["authentication_method", "created_at"];
}

/// A row of `auth.mfa_factors`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct FactorRow {
    pub(super) id: String,
    pub(super) user_id: String,
    pub(super) friendly_name: Option<String>,
    pub(super) factor_type: String,
    pub(super) status: String,
    pub(super) secret: Option<Secret>,
    phone: Option<String>,
    pub(super) last_challenged_at: Option<String>,
    pub(super) created_at: String,
    pub(super) updated_at: String,
}

impl Stored for FactorRow {
    const TABLE: Table = Table::Factors;
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "user_id",
        "friendly_name",
        "factor_type",
        "status",
        "secret",
        "phone",
        "last_challenged_at",
        "created_at",
        "updated_at",
    ];
}

impl FactorRow {
    pub(super) fn is_verified(&self) -> bool {
        self.status == "verified"
    }
}

impl From<FactorRow> for Factor {
    fn from(row: FactorRow) -> Self {
        Factor {
            id: row.id,
            friendly_name: row.friendly_name.unwrap_or_default(),
            factor_type: row.factor_type,
            status: row.status,
            phone: row.phone.filter(|phone| !phone.is_empty()),
            last_challenged_at: row.last_challenged_at.as_deref().map(zulu),
            created_at: zulu(&row.created_at),
            updated_at: zulu(&row.updated_at),
        }
    }
}

/// A row of `auth.mfa_challenges`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ChallengeRow {
    pub(super) id: String,
    created_at: String,
    pub(super) verified_at: Option<String>,
    ip_address: String,
}

impl Stored for ChallengeRow {
    const TABLE: Table = Table::Challenges;
    const COLUMNS: &'static [&'static str] = &["id", "created_at", "verified_at", "ip_address"];
}

impl ChallengeRow {
    /// When it was made.
    pub(super) fn made(&self) -> Option<Moment> {
        Moment::parse(&self.created_at)
    }

    /// The address that it was asked for from; a hosted project's database has it with the width of a network.
    pub(super) fn address(&self) -> &str {
        self.ip_address.split('/').next().unwrap_or_default()
    }
}
