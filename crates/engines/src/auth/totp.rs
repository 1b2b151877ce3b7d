//! Codes of an authenticator app (RFC 6238), with the parameters of Supabase Auth: SHA-1, six digits, a new
//! code every 30 seconds, of which the one before and the one after are right too.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use qrcode::QrCode;
use qrcode::render::svg;
use truststream_kernel::{Error, ErrorKind, Result, Secret};
use truststream_services::auth::Totp;

use super::moment::Moment;

/// All but what RFC 3986 leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Bytes of a new secret, as RFC 4226 recommends.
const SECRET: usize = 20;
/// Width of a QR code in pixels.
const WIDTH: u32 = 200;

/// A new secret for an app, and how the app learns it.
///
/// # Errors
/// `validation_failed` when the names are too long for a QR code.
pub(super) fn new(issuer: &str, account: &str) -> Result<Totp> {
    let secret = totp_rs::Secret::from(rand::random::<[u8; SECRET]>().to_vec()).to_base32();
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let (issuer, account) = (encoded(issuer), encoded(account));
    let uri = format!(
        "otpauth://totp/{issuer}:{account}?algorithm=SHA1&digits=6&issuer={issuer}&period=30&secret={secret}"
    );
    let code = QrCode::new(uri.as_bytes()).map_err(|error| {
        let message = "the issuer's and the user's names are too long for a QR code";
        Error::new(ErrorKind::InvalidInput, "validation_failed", message).with_source(error)
    })?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(WIDTH, WIDTH).build();
    Ok(Totp { qr_code: picture, secret, uri })
}

/// Whether a code is right at a time.
///
/// # Errors
/// `mfa_secret_unreadable` for a secret that came encrypted from elsewhere.
pub(super) fn is_right(secret: &Secret, code: &str, now: Moment) -> Result<bool> {
    let secret =
        totp_rs::Secret::try_from_base32(secret.expose().trim_end_matches('=')).map_err(|error| {
            Error::new(
                ErrorKind::Unsupported,
                "mfa_secret_unreadable",
                "the factor's secret can't be read here",
            )
            .with_hint("its project encrypts secrets: let the user set up another factor")
            .with_source(error)
        })?;
    // Secrets that others made may be shorter than is recommended; six digits and 30 seconds are the default.
    let totp = totp_rs::Builder::new().with_secret(secret).build_noncompliant();
    Ok(totp.check(code, now.seconds()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `12345678901234567890`, the secret of RFC 6238's appendix B.
    const RFC: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn is_right_at(code: &str, seconds: u64) -> bool {
        let now =
            Moment::parse("1970-01-01T00:00:00Z").unwrap().plus(std::time::Duration::from_secs(seconds));
        is_right(&Secret::new(RFC), code, now).unwrap()
    }

    /// The last six digits of the RFC's eight.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert!(is_right_at(code, seconds), "{code}");
            assert!(is_right_at(code, seconds + 30) && is_right_at(code, seconds - 30), "{code}");
            assert!(!is_right_at(code, seconds + 90), "{code}");
        }
        for wrong in ["", "28708", "2870820", "-87082", "28 082", "２87082", "287083"] {
            assert!(!is_right_at(wrong, 59), "{wrong}");
        }
    }

    #[test]
    fn an_app_is_told_all_of_it() {
        let totp = new("localhost:3000", "ada+x@example.com").unwrap();
        assert!(
            totp.uri.starts_with("otpauth://totp/localhost%3A3000:ada%2Bx%40example.com?algorithm=SHA1&")
        );
        assert!(totp.uri.ends_with(&format!("&secret={}", totp.secret)) && totp.secret.len() == 32);
        assert!(totp.qr_code.contains("<svg"));
        assert_ne!(new("a", "b").unwrap().secret, totp.secret);
        assert!(!format!("{totp:?}").contains(&totp.secret));
        assert_eq!(new(&"x".repeat(5000), "b").unwrap_err().code(), "validation_failed");
    }

    #[test]
    fn a_secret_that_is_encrypted_is_not_read() {
        let now = Moment::now();
        let error = is_right(&Secret::new("{\"key_id\":\"1\"}"), "123456", now).unwrap_err();
        assert_eq!(error.code(), "mfa_secret_unreadable");
    }
}
