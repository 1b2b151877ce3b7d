//! What Supabase Auth has and is not switched on here, refused in its own words.

use truststream_kernel::{Error, ErrorKind};

use super::reply::Refusal;

type Refuse = fn() -> Refusal;

/// Paths, and what they answer.
pub(super) const ROUTES: &[(&str, Refuse)] = &[
    ("/authorize", provider),
    ("/callback", provider),
    ("/recover", email),
    ("/magiclink", email),
    ("/resend", email),
    ("/invite", email),
    ("/admin/generate_link", email),
    ("/otp", otp),
    ("/verify", verify),
    ("/reauthenticate", email),
    ("/user/identities/authorize", linking),
    ("/user/identities/{id}", linking),
    ("/sso", saml),
    ("/sso/saml/metadata", saml),
    ("/sso/saml/acs", saml),
];

fn refuse(kind: ErrorKind, code: &'static str, message: &'static str) -> Refusal {
    Refusal::from(Error::new(kind, code, message))
}

fn provider() -> Refusal {
    refuse(ErrorKind::InvalidInput, "validation_failed", "Unsupported provider: provider is not enabled")
}

fn email() -> Refusal {
    refuse(ErrorKind::InvalidInput, "email_provider_disabled", "Email logins are disabled")
}

fn otp() -> Refusal {
    refuse(ErrorKind::Unsupported, "otp_disabled", "Signups not allowed for otp")
}

fn verify() -> Refusal {
    refuse(ErrorKind::PermissionDenied, "otp_expired", "Token has expired or is invalid")
}

fn linking() -> Refusal {
    refuse(ErrorKind::NotFound, "manual_linking_disabled", "Manual linking is disabled")
}

fn saml() -> Refusal {
    refuse(ErrorKind::NotFound, "saml_provider_disabled", "SAML 2.0 is disabled")
}
