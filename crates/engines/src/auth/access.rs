//! Who may ask what.

use truststream_kernel::{Caller, Context, Error, ErrorKind, Result};
use truststream_services::database::Filter;
use uuid::Uuid;

use super::engine::AuthEngine;
use super::error::{bad_jwt, ended_session, not_admin, unknown_subject, user_banned};
use super::moment::Moment;
use super::rows::{SessionRow, UserRow};
use super::store::{both, one};

/// The user that asks, and the session it asks in, if its token names one.
pub(super) struct Asking {
    pub(super) user: UserRow,
    pub(super) session: Option<SessionRow>,
}

impl Asking {
    /// Whether it showed a second factor in this session.
    pub(super) fn is_raised(&self) -> bool {
        self.session.as_ref().is_some_and(SessionRow::is_raised)
    }
}

impl AuthEngine {
    /// The calling user, as long as it exists, is not kept out, and its session lasts.
    pub(super) async fn asking(&self, cx: &Context) -> Result<Asking> {
        let identity = cx.identity().ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "no_authorization",
                "This endpoint requires a Bearer token",
            )
        })?;
        let subject = identity.subject().filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| bad_jwt("invalid claim: missing sub claim"))?;
        let id = Uuid::try_parse(subject).map_err(|_| bad_jwt("invalid claim: sub claim must be a UUID"))?;
        let now = Moment::now();
        let user = self.user_by_id(&id.to_string()).await?;
        let user = user.filter(|user| user.deleted_at.is_none()).ok_or_else(unknown_subject)?;
        if user.is_banned(now) {
            return Err(Error::new(
                ErrorKind::PermissionDenied,
                "user_banned",
                user_banned().message().to_owned(),
            ));
        }
        let claim = identity.claims.get("session_id").and_then(|claim| claim.as_str()).unwrap_or_default();
        if claim.is_empty() {
            return Ok(Asking { user, session: None });
        }
        let wrong = |_| bad_jwt("invalid claim: session_id claim must be a UUID");
        let id = Uuid::try_parse(claim).map_err(wrong)?.to_string();
        let session: Option<SessionRow> =
            one(&self.database, both(Filter::eq("id", id), Filter::eq("user_id", &user.id))).await?;
        let session = session.filter(|session| !session.is_over(now)).ok_or_else(ended_session)?;
        Ok(Asking { user, session: Some(session) })
    }
}

/// Refuses everybody but the service role and TrustStream itself.
pub(super) fn require_admin(cx: &Context) -> Result<()> {
    match &cx.caller {
        Caller::System => Ok(()),
        Caller::Role(identity) if identity.role == "service_role" => Ok(()),
        Caller::Role(_) => Err(not_admin("User not allowed")),
    }
}
