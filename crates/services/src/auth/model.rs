//! Users and sessions as callers see them, in the JSON shape of Supabase Auth.
//!
//! Times are RFC 3339 texts. Nothing secret is part of a user: no hash, no pending token.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::Factor;

/// A JSON object.
pub type Object = Map<String, Json>;

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Id.
    pub id: String,
    /// Whom tokens of this user are for, usually `authenticated`.
    pub aud: String,
    /// Database role of its tokens, usually `authenticated`.
    pub role: String,
    /// E-mail address, lower case; empty if there is none.
    pub email: String,
    /// When the address was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_confirmed_at: Option<String>,
    /// When the user was invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_at: Option<String>,
    /// Telephone number, digits only; empty if there is none.
    pub phone: String,
    /// When the number was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_confirmed_at: Option<String>,
    /// When a confirmation was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation_sent_at: Option<String>,
    /// When address or number was first confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<String>,
    /// The address that waits for its confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_email: Option<String>,
    /// When that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_change_sent_at: Option<String>,
    /// When it signed in last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in_at: Option<String>,
    /// What the application knows of the user; users can't change it.
    pub app_metadata: Object,
    /// What the user says of itself.
    pub user_metadata: Object,
    /// The ways in which it can sign in.
    #[serde(default)]
    pub identities: Vec<UserIdentity>,
    /// What it proves itself with besides its password.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// When it was made.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
    /// Until when it is kept out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banned_until: Option<String>,
    /// When it was deleted, if its shell was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
    /// Whether it has no address.
    #[serde(default)]
    pub is_anonymous: bool,
}

/// One way in which a user can sign in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserIdentity {
    /// Id of this record.
    pub identity_id: String,
    /// Id of the user at the provider.
    pub id: String,
    /// The user.
    pub user_id: String,
    /// What the provider said of it.
    pub identity_data: Object,
    /// `email`, `phone`, `google` …
    pub provider: String,
    /// When it was used last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in_at: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
    /// The address the provider gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A session: an access token and what renews it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The token that requests carry.
    pub access_token: String,
    /// `bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// When it does, in seconds since 1970.
    pub expires_at: u64,
    /// Good for one new access token.
    pub refresh_token: String,
    /// Whose session it is.
    pub user: User,
    /// Why the password is weak, if it is.
    #[serde(default)]
    pub weak_password: Option<WeakPassword>,
}

/// Why a password is weak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeakPassword {
    /// In words.
    pub message: String,
    /// `length`, `characters`, `pwned`.
    pub reasons: Vec<String>,
}

/// What a sign-up leads to.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum SignedUp {
    /// The user is signed in.
    Session(Session),
    /// The address has to be confirmed first.
    Unconfirmed(User),
}

/// Users, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserPage {
    /// The users of the page.
    pub users: Vec<User>,
    /// How many there are on all pages.
    pub total: u64,
    /// Whom their tokens are for.
    pub aud: String,
}

/// What the service says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicSettings {
    /// Ways to sign in, each on or off.
    pub external: std::collections::BTreeMap<String, bool>,
    /// Nobody can sign up by itself.
    pub disable_signup: bool,
    /// Addresses need no confirmation.
    pub mailer_autoconfirm: bool,
    /// Numbers need no confirmation.
    pub phone_autoconfirm: bool,
    /// Who sends text messages.
    pub sms_provider: String,
    /// Single sign-on by SAML.
    pub saml_enabled: bool,
}
