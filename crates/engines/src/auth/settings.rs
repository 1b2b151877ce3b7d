//! `[auth]` of the configuration. Names are those of `supabase/config.toml` where it has the same.

use serde::Deserialize;
use truststream_kernel::Secret;

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// Where users come back to.
    pub site_url: String,
    /// Secret of HS256 tokens. Development has a well-known one; anywhere else it must be set,
    /// unless `keys` has one that signs.
    pub jwt_secret: Secret,
    /// `iss` of new tokens.
    pub jwt_issuer: String,
    /// Issuers whose tokens are believed; all that hold a key if empty.
    pub trusted_issuers: Vec<String>,
    /// `aud` of new tokens. A token for somebody else is not believed, unless this is empty.
    pub jwt_audience: String,
    /// Role of tokens that name none.
    pub default_role: String,
    /// Seconds that an access token lasts.
    pub jwt_expiry: u64,
    /// Further keys. The first that can sign, signs; all are believed: that is how keys are rotated.
    pub keys: Vec<KeySettings>,
    /// Roles that tokens may name besides `anon`, `authenticated` and `service_role`.
    pub roles: Vec<String>,
    /// Whether users can sign up by themselves.
    pub enable_signup: bool,
    /// Whether users without an address can.
    pub enable_anonymous_sign_ins: bool,
    /// Shortest password.
    pub minimum_password_length: usize,
    /// Whether reuse of a refresh token ends its session.
    pub enable_refresh_token_rotation: bool,
    /// Seconds within which a refresh token may be used again.
    pub refresh_token_reuse_interval: u64,
    /// `[auth.email]`
    pub email: EmailSettings,
    /// `[auth.password]`
    pub password: PasswordSettings,
    /// `[auth.mfa]`
    pub mfa: MfaSettings,
    /// `[auth.rate_limit]`
    pub rate_limit: RateLimits,
}

impl Default for AuthSettings {
    fn default() -> Self {
        AuthSettings {
            site_url: "http://127.0.0.1:3000".to_owned(),
            jwt_secret: Secret::default(),
            jwt_issuer: "http://127.0.0.1:54321/auth/v1".to_owned(),
            trusted_issuers: Vec::new(),
            jwt_audience: "authenticated".to_owned(),
            default_role: "anon".to_owned(),
            jwt_expiry: 3600,
            keys: Vec::new(),
            roles: Vec::new(),
            enable_signup: true,
            enable_anonymous_sign_ins: false,
            minimum_password_length: 6,
            enable_refresh_token_rotation: true,
            refresh_token_reuse_interval: 10,
            email: EmailSettings::default(),
            password: PasswordSettings::default(),
            mfa: MfaSettings::default(),
            rate_limit: RateLimits::default(),
        }
    }
}

/// One of `[[auth.keys]]`: a key that signs, or one that is only believed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// Name that tokens call it by.
    pub kid: String,
    /// `HS256`, `RS256` or `ES256`.
    pub algorithm: String,
    /// Secret of an `HS256` key.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// Private key as PEM (PKCS #8); it signs.
    #[serde(default)]
    pub private_key: Option<Secret>,
    /// Public key as PEM, for a key that only verifies.
    #[serde(default)]
    pub public_key: Option<String>,
}

/// `[auth.email]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmailSettings {
    /// Whether users can sign up and in by address.
    pub enable_signup: bool,
    /// Whether an address has to be confirmed before its user can sign in.
    pub enable_confirmations: bool,
}

impl Default for EmailSettings {
    fn default() -> Self {
        EmailSettings { enable_signup: true, enable_confirmations: false }
    }
}

/// `[auth.password]`: the cost of argon2id.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordSettings {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub iterations: u32,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        PasswordSettings { memory: 19 * 1024, iterations: 2 }
    }
}

/// `[auth.mfa]`: second factors.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MfaSettings {
    /// Most factors of one user.
    pub max_enrolled_factors: usize,
    /// `[auth.mfa.totp]`
    pub totp: TotpSettings,
}

impl Default for MfaSettings {
    fn default() -> Self {
        MfaSettings { max_enrolled_factors: 10, totp: TotpSettings::default() }
    }
}

/// `[auth.mfa.totp]`: codes of an authenticator app.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TotpSettings {
    /// Whether users can set one up.
    pub enroll_enabled: bool,
    /// Whether those that have one can use it.
    pub verify_enabled: bool,
}

impl Default for TotpSettings {
    fn default() -> Self {
        TotpSettings { enroll_enabled: true, verify_enabled: true }
    }
}

/// `[auth.rate_limit]`: requests of one client address; also how many it can make at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Sign-ups, and likewise sign-ins, in 5 minutes.
    pub sign_in_sign_ups: u32,
    /// Refreshes in 5 minutes.
    pub token_refresh: u32,
    /// Anonymous users in an hour.
    pub anonymous_users: u32,
    /// Codes of second factors that are tried in 5 minutes; also of one user.
    pub token_verifications: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        RateLimits { sign_in_sign_ups: 30, token_refresh: 150, anonymous_users: 30, token_verifications: 30 }
    }
}
