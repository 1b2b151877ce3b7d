//! Second factors: what a user proves itself with besides its password.
//!
//! Shapes are those of Supabase Auth's `/factors`.

use std::fmt;

use serde::{Deserialize, Serialize};
use truststream_kernel::{FeatureSet, Requires, Secret};

use super::{AuthFeature, Client};

/// A second factor of a user, without its secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// Id.
    pub id: String,
    /// What the user calls it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub friendly_name: String,
    /// `totp`, `phone` or `webauthn`.
    pub factor_type: String,
    /// `verified` once a code of it was right, `unverified` before.
    pub status: String,
    /// Telephone number of a `phone` factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// When a code was asked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_challenged_at: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
}

impl Factor {
    /// Whether a session can be raised by it.
    pub fn is_verified(&self) -> bool {
        self.status == "verified"
    }
}

/// A factor that was just made, with what an authenticator app has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolledFactor {
    /// Id.
    pub id: String,
    /// `totp` or `phone`.
    #[serde(rename = "type")]
    pub factor_type: String,
    /// What the user calls it.
    #[serde(default)]
    pub friendly_name: String,
    /// For an authenticator app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<Totp>,
    /// Telephone number of a `phone` factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// What an authenticator app has to know; whoever knows it makes the same codes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// The URI as a QR code, in SVG.
    pub qr_code: String,
    /// The secret, in base 32.
    pub secret: String,
    /// All of it, as an `otpauth:` URI.
    pub uri: String,
}

impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Totp(…)")
    }
}

/// A question for a code of a factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Id.
    pub id: String,
    /// `totp` or `phone`.
    #[serde(rename = "type")]
    pub factor_type: String,
    /// Until when it can be answered, in seconds since 1970.
    pub expires_at: u64,
}

/// Makes a second factor of the calling user; it counts once a code of it was right.
#[derive(Clone, Debug, Default)]
pub struct EnrollFactor {
    /// `totp`; remote projects also have `phone`.
    pub factor_type: String,
    /// What the user calls it.
    pub friendly_name: String,
    /// Who the authenticator app says it is for; by default the site.
    pub issuer: Option<String>,
    /// Telephone number of a `phone` factor.
    pub phone: Option<String>,
}

/// Asks for a code of a factor of the calling user.
#[derive(Clone, Debug, Default)]
pub struct ChallengeFactor {
    /// The factor's id.
    pub factor: String,
    /// Where the request comes from; only there it can be answered.
    pub client: Client,
}

/// Answers a challenge. The session is then of level `aal2`, and the user's sessions below that end.
#[derive(Clone, Debug, Default)]
pub struct VerifyFactor {
    /// The factor's id.
    pub factor: String,
    /// The challenge's id.
    pub challenge: String,
    /// The code. Each is good once.
    pub code: Secret,
    /// Where the request comes from.
    pub client: Client,
}

/// Ends a factor of the calling user; sessions that it raised are `aal1` again.
#[derive(Clone, Debug, Default)]
pub struct UnenrollFactor {
    /// The factor's id.
    pub factor: String,
}

/// Lists the factors of a user.
#[derive(Clone, Debug, Default)]
pub struct AdminListFactors {
    /// The user's id.
    pub user: String,
}

/// Ends a factor of a user, as for one that lost its telephone.
#[derive(Clone, Debug, Default)]
pub struct AdminDeleteFactor {
    /// The user's id.
    pub user: String,
    /// The factor's id.
    pub factor: String,
}

macro_rules! needs_second_factors {
    ($($op:ty),*) => {$(
        impl Requires for $op {
            fn needs(&self) -> FeatureSet {
                FeatureSet::of(&[AuthFeature::SecondFactors])
            }
        }
    )*};
}

needs_second_factors!(
    EnrollFactor,
    ChallengeFactor,
    VerifyFactor,
    UnenrollFactor,
    AdminListFactors,
    AdminDeleteFactor
);
