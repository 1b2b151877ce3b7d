//! Tokens that let their bearer read or write one object.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use truststream_kernel::{Error, Result};

use super::error::invalid_token;

/// What a token is for; one made for a download is worth nothing for an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    Download,
    Upload,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    url: String,
    purpose: Purpose,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default)]
    upsert: bool,
    iat: u64,
    exp: u64,
}

/// What an upload token allows besides the object itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) owner: Option<String>,
    pub(super) upsert: bool,
}

/// Signs and checks tokens with the project's secret.
pub(super) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Tokens {
    pub(super) fn new(secret: &str) -> Self {
        let secret = secret.as_bytes();
        Tokens { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret) }
    }

    pub(super) fn sign(
        &self,
        purpose: Purpose,
        object: &str,
        grant: Grant,
        now: u64,
        seconds: u64,
    ) -> Result<String> {
        let claims = Claims {
            url: object.to_owned(),
            purpose,
            owner: grant.owner,
            upsert: grant.upsert,
            iat: now,
            exp: now.saturating_add(seconds),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| Error::internal("the token could not be signed").with_source(error))
    }

    /// Checks signature, expiry, purpose and object.
    pub(super) fn check(&self, token: &str, purpose: Purpose, object: &str) -> Result<Grant> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.set_required_spec_claims(&["exp"]);
        validation.validate_aud = false;
        let claims = decode::<Claims>(token, &self.decoding, &validation)
            .map_err(|error| {
                let expired = matches!(error.kind(), jsonwebtoken::errors::ErrorKind::ExpiredSignature);
                let message = if expired { "\"exp\" claim timestamp check failed" } else { "Invalid JWT" };
                invalid_token(message).with_source(error)
            })?
            .claims;
        if claims.purpose != purpose || claims.url != object {
            return Err(invalid_token("The url do not match the signature"));
        }
        Ok(Grant { owner: claims.owner, upsert: claims.upsert })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 4_000_000_000;

    fn grant() -> Grant {
        Grant { owner: Some("me".to_owned()), upsert: false }
    }

    #[test]
    fn a_token_is_good_for_one_object_and_purpose_until_it_expires() {
        let tokens = Tokens::new("secret");
        let token = tokens.sign(Purpose::Upload, "b/a.txt", grant(), NOW, 60).unwrap();
        assert_eq!(tokens.check(&token, Purpose::Upload, "b/a.txt").unwrap(), grant());
        tokens.check(&token, Purpose::Download, "b/a.txt").unwrap_err();
        tokens.check(&token, Purpose::Upload, "b/b.txt").unwrap_err();
        Tokens::new("other").check(&token, Purpose::Upload, "b/a.txt").unwrap_err();
        let expired = tokens.sign(Purpose::Download, "b/a.txt", grant(), 1000, 60).unwrap();
        assert_eq!(tokens.check(&expired, Purpose::Download, "b/a.txt").unwrap_err().code(), "InvalidJWT");
    }
}
