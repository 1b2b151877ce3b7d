//! Supabase Auth's errors: codes and texts that clients know.

use serde_json::json;
use truststream_kernel::{Error, ErrorKind};
use truststream_services::auth::WeakPassword;

fn invalid(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, code, message)
}

fn forbidden(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::PermissionDenied, code, message)
}

fn refused(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Constraint, code, message)
}

pub(super) fn validation_failed(message: &'static str) -> Error {
    invalid("validation_failed", message)
}

pub(super) fn invalid_credentials() -> Error {
    invalid("invalid_credentials", "Invalid login credentials")
}

pub(super) fn email_not_confirmed() -> Error {
    invalid("email_not_confirmed", "Email not confirmed")
}

pub(super) fn phone_not_confirmed() -> Error {
    invalid("phone_not_confirmed", "Phone not confirmed")
}

pub(super) fn user_banned() -> Error {
    invalid("user_banned", "User is banned")
}

pub(super) fn email_disabled(message: &'static str) -> Error {
    invalid("email_provider_disabled", message)
}

pub(super) fn phone_disabled(message: &'static str) -> Error {
    invalid("phone_provider_disabled", message)
}

pub(super) fn signup_disabled() -> Error {
    refused("signup_disabled", "Signups not allowed for this instance")
}

pub(super) fn anonymous_disabled() -> Error {
    refused("anonymous_provider_disabled", "Anonymous sign-ins are disabled")
}

pub(super) fn user_already_exists() -> Error {
    Error::new(ErrorKind::AlreadyExists, "user_already_exists", "User already registered")
}

pub(super) fn email_exists() -> Error {
    let message = "A user with this email address has already been registered";
    Error::new(ErrorKind::AlreadyExists, "email_exists", message)
}

pub(super) fn phone_exists() -> Error {
    let message = "A user with this phone number has already been registered";
    Error::new(ErrorKind::AlreadyExists, "phone_exists", message)
}

pub(super) fn same_password() -> Error {
    refused("same_password", "New password should be different from the old password.")
}

pub(super) fn weak_password(weak: WeakPassword) -> Error {
    Error::new(ErrorKind::Constraint, "weak_password", weak.message)
        .with_details(json!({ "reasons": weak.reasons }))
}

pub(super) fn not_admin(message: &'static str) -> Error {
    forbidden("not_admin", message)
}

pub(super) fn bad_jwt(message: &'static str) -> Error {
    forbidden("bad_jwt", message)
}

pub(super) fn unknown_subject() -> Error {
    forbidden("user_not_found", "User from sub claim in JWT does not exist")
}

pub(super) fn ended_session() -> Error {
    forbidden("session_not_found", "Session from session_id claim in JWT does not exist")
}

pub(super) fn user_not_found() -> Error {
    Error::new(ErrorKind::NotFound, "user_not_found", "User not found")
}

pub(super) fn refresh_token_not_found() -> Error {
    invalid("refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
}

pub(super) fn refresh_token_already_used() -> Error {
    invalid("refresh_token_already_used", "Invalid Refresh Token: Already Used")
}

pub(super) fn refresh_by_banned() -> Error {
    invalid("user_banned", "Invalid Refresh Token: User Banned")
}

pub(super) fn refresh_without_session() -> Error {
    invalid("session_not_found", "Invalid Refresh Token: Session Not Found")
}

pub(super) fn refresh_of_expired_session() -> Error {
    invalid("session_expired", "Invalid Refresh Token: Session Expired")
}

pub(super) fn factor_needs_session() -> Error {
    forbidden("session_not_found", "A valid session and a registered user are required to use second factors")
}

pub(super) fn factor_not_found() -> Error {
    Error::new(ErrorKind::NotFound, "mfa_factor_not_found", "Factor not found")
}

pub(super) fn factor_type_unknown() -> Error {
    validation_failed("factor_type needs to be totp, phone, or webauthn")
}

pub(super) fn factor_name_conflict(name: &str) -> Error {
    let message = format!("A factor with the friendly name {name:?} for this user already exists");
    Error::new(ErrorKind::AlreadyExists, "mfa_factor_name_conflict", message)
}

pub(super) fn too_many_factors() -> Error {
    let message = "Maximum number of verified factors reached, unenroll to continue";
    refused("too_many_enrolled_mfa_factors", message)
}

pub(super) fn needs_aal2_to_enroll() -> Error {
    forbidden("insufficient_aal", "AAL2 required to enroll a new factor")
}

pub(super) fn needs_aal2_to_unenroll() -> Error {
    refused("insufficient_aal", "AAL2 required to unenroll verified factor")
}

pub(super) fn needs_aal2_to_change() -> Error {
    let message = "AAL2 session is required to update email or password when MFA is enabled.";
    Error::new(ErrorKind::Unauthenticated, "insufficient_aal", message)
}

pub(super) fn challenge_not_found() -> Error {
    refused("mfa_factor_not_found", "MFA factor with the provided challenge ID not found")
}

pub(super) fn challenge_elsewhere() -> Error {
    refused("mfa_ip_address_mismatch", "Challenge and verify IP addresses mismatch")
}

pub(super) fn challenge_expired(id: &str) -> Error {
    let message = format!(
        "MFA challenge {id} has expired, verify against another challenge or create a new challenge."
    );
    Error::new(ErrorKind::Constraint, "mfa_challenge_expired", message)
}

pub(super) fn wrong_code() -> Error {
    refused("mfa_verification_failed", "Invalid TOTP code entered")
}

pub(super) fn spent_code() -> Error {
    refused("mfa_verification_failed", "This code was used already, wait for the next one")
}

pub(super) fn busy() -> Error {
    Error::new(ErrorKind::RateLimited, "over_request_rate_limit", "Request rate limit reached")
}

/// A violated unique key of `auth.users`, in auth's words.
pub(super) fn duplicate(error: Error, otherwise: fn() -> Error) -> Error {
    if error.code() != "23505" {
        return error;
    }
    let details = error.details().and_then(|details| details.as_str()).unwrap_or_default();
    let found = if details.contains("(email)") {
        email_exists()
    } else if details.contains("(phone)") {
        phone_exists()
    } else {
        otherwise()
    };
    found.with_source(error)
}
