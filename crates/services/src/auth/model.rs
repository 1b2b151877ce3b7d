//! Users and sessions, in the JSON shape of Supabase Auth.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// A user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Id, a UUID.
    pub id: String,
    /// Audience of the user's tokens, `authenticated`.
    pub aud: String,
    /// Database role of the user's tokens, `authenticated`.
    pub role: String,
    /// E-mail address, lower case; empty if there is none.
    pub email: String,
    /// When the address was confirmed, as timestamp text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_confirmed_at: Option<String>,
    /// Phone number; empty if there is none.
    pub phone: String,
    /// When the number was confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_confirmed_at: Option<String>,
    /// When the first of them was confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<String>,
    /// When the user signed in last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sign_in_at: Option<String>,
    /// Until when the user is banned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub banned_until: Option<String>,
    /// When the user was deleted (softly).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
    /// What the application says of the user; only administrators change it.
    pub app_metadata: Map<String, Json>,
    /// What users say of themselves.
    pub user_metadata: Map<String, Json>,
    /// How the user can sign in.
    pub identities: Vec<UserIdentity>,
    /// When the user was made.
    pub created_at: String,
    /// When the user was changed last.
    pub updated_at: String,
    /// Whether the user has no credentials.
    pub is_anonymous: bool,
}

/// One way in which a user can sign in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserIdentity {
    /// Id of the identity.
    pub identity_id: String,
    /// Id of the user at the provider.
    pub id: String,
    /// Id of the user here.
    pub user_id: String,
    /// What the provider says.
    pub identity_data: Map<String, Json>,
    /// `email`, `phone`, `google`, …
    pub provider: String,
    /// When it was used last.
    pub last_sign_in_at: Option<String>,
    /// When it was made.
    pub created_at: Option<String>,
    /// When it was changed last.
    pub updated_at: Option<String>,
    /// Address that the provider vouches for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A session with its tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The JWT that requests carry.
    pub access_token: String,
    /// `bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// When it expires, in seconds since 1970.
    pub expires_at: u64,
    /// Gets the next access token; good once.
    pub refresh_token: String,
    /// Whose session it is.
    pub user: User,
    /// Why the password, accepted for its age, would not be accepted today.
    pub weak_password: Option<Json>,
}

/// What a sign-up gives: a session, or a user who has to confirm an address first.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum SignedUp {
    /// Signed in at once.
    Session(Session),
    /// To be confirmed.
    User(User),
}

/// A page of users.
#[derive(Clone, Debug, PartialEq)]
pub struct Users {
    /// The users of the page.
    pub users: Vec<User>,
    /// Users in all.
    pub total: u64,
}

/// Which sessions end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignOutScope {
    /// All of the user's.
    #[default]
    Global,
    /// This one.
    Local,
    /// All but this one.
    Others,
}

/// What clients may know of the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthSettings {
    /// Whether nobody can sign up.
    pub disable_signup: bool,
    /// Whether sign-up by e-mail needs no confirmation.
    pub mailer_autoconfirm: bool,
    /// Whether e-mail and password can be used.
    pub email: bool,
    /// Whether users without credentials can be made.
    pub anonymous_users: bool,
}

/// What an administrator sets of a user; what is absent stays or gets its default.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct UserAttributes {
    /// Id of a new user.
    pub id: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Password, to be hashed.
    pub password: Option<String>,
    /// Hash of the password made elsewhere: argon2, bcrypt or Firebase scrypt.
    pub password_hash: Option<String>,
    /// Confirm the address without asking.
    pub email_confirm: Option<bool>,
    /// Confirm the number without asking.
    pub phone_confirm: Option<bool>,
    /// What users say of themselves.
    pub user_metadata: Option<Map<String, Json>>,
    /// What the application says of the user.
    pub app_metadata: Option<Map<String, Json>>,
    /// Database role of the user's tokens.
    pub role: Option<String>,
    /// How long to ban, such as `24h`; `none` lifts a ban.
    pub ban_duration: Option<String>,
}

impl std::fmt::Debug for UserAttributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserAttributes")
            .field("id", &self.id)
            .field("email", &self.email)
            .field("phone", &self.phone)
            .field("has_password", &(self.password.is_some() || self.password_hash.is_some()))
            .finish_non_exhaustive()
    }
}
