//! Second factors: setting one up, and ending it.

use std::time::Duration;

use serde_json::json;
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::auth::{EnrollFactor, EnrolledFactor, Factor, UnenrollFactor};
use truststream_services::database::{Filter, Operand, Operator, Step};
use url::Url;
use uuid::Uuid;

use super::access::Asking;
use super::engine::AuthEngine;
use super::error::{
    factor_name_conflict, factor_needs_session, factor_not_found, factor_type_unknown, needs_aal2_to_enroll,
    needs_aal2_to_unenroll, too_many_factors,
};
use super::moment::Moment;
use super::rows::{FactorRow, SessionRow, UserRow};
use super::store::{
    Stored, Table, all, before, both, compare, delete, insert, is_null, one, racing, together, update,
};
use super::totp;

/// A factor that nobody asked a code of for so long was not meant.
const FORGOTTEN: Duration = Duration::from_secs(300);

impl AuthEngine {
    /// The factors of a user.
    pub(super) async fn factors(&self, user: &str) -> Result<Vec<FactorRow>> {
        all(&self.database, FactorRow::query(Filter::eq("user_id", user))).await
    }

    /// A factor of this user.
    pub(super) async fn factor(&self, user: &str, id: &str) -> Result<FactorRow> {
        let id = Uuid::try_parse(id).map_err(|_| factor_not_found())?.to_string();
        let own = both(Filter::eq("id", id), Filter::eq("user_id", user));
        one(&self.database, own).await?.ok_or_else(factor_not_found)
    }

    pub(super) async fn enroll(&self, cx: &Context, op: &EnrollFactor) -> Result<EnrolledFactor> {
        let asking = self.asking(cx).await?;
        let session = asking.session.as_ref().ok_or_else(factor_needs_session)?;
        match &*op.factor_type {
            "totp" if self.settings.mfa.totp.enroll_enabled => {}
            kind => return Err(disabled(kind, "enroll", "MFA enroll")),
        }
        let now = Moment::now();
        let user = &asking.user;
        self.may_enroll(user, session, &op.friendly_name, now).await?;
        let issuer = op.issuer.clone().filter(|issuer| !issuer.is_empty());
        let totp = totp::new(&issuer.unwrap_or_else(|| self.site()), account(user))?;
        let id = Uuid::new_v4().to_string();
        let row = json!({
            "id": id,
            "user_id": user.id,
            "friendly_name": op.friendly_name,
            "factor_type": "totp",
            "status": "unverified",
            "created_at": now.text(),
            "updated_at": now.text(),
            "secret": totp.secret,
        });
        let forgotten = Filter::And(vec![
            Filter::eq("user_id", &user.id),
            Filter::eq("status", "unverified"),
            is_null("last_challenged_at"),
            before("created_at", now.minus(FORGOTTEN)),
        ]);
        together(&self.database, vec![delete(Table::Factors, forgotten), insert(Table::Factors, &row)])
            .await?;
        Ok(EnrolledFactor {
            id,
            factor_type: "totp".to_owned(),
            friendly_name: op.friendly_name.clone(),
            totp: Some(totp),
            phone: None,
        })
    }

    async fn may_enroll(&self, user: &UserRow, session: &SessionRow, name: &str, now: Moment) -> Result<()> {
        let mut factors = self.factors(&user.id).await?;
        let oldest = now.minus(FORGOTTEN);
        factors.retain(|factor| {
            let is_recent = Moment::parse(&factor.created_at).is_some_and(|made| made >= oldest);
            factor.is_verified() || factor.last_challenged_at.is_some() || is_recent
        });
        if factors.iter().any(|factor| factor.friendly_name.as_deref().unwrap_or_default() == name) {
            return Err(factor_name_conflict(name));
        }
        if factors.len() >= self.settings.mfa.max_enrolled_factors {
            return Err(too_many_factors());
        }
        if factors.iter().any(FactorRow::is_verified) && !session.is_raised() {
            return Err(needs_aal2_to_enroll());
        }
        Ok(())
    }

    pub(super) async fn unenroll(&self, cx: &Context, op: &UnenrollFactor) -> Result<()> {
        racing(|| async {
            let Asking { user, session } = self.asking(cx).await?;
            let session = session.ok_or_else(factor_needs_session)?;
            let factor = self.factor(&user.id, &op.factor).await?;
            if factor.is_verified() && !session.is_raised() {
                return Err(needs_aal2_to_unenroll());
            }
            self.end_factor(&factor).await
        })
        .await
    }

    pub(super) async fn list_factors(&self, user: &str) -> Result<Vec<Factor>> {
        let user = self.find(user).await?;
        Ok(self.complete(&user).await?.factors)
    }

    pub(super) async fn delete_factor(&self, user: &str, factor: &str) -> Result<Factor> {
        let user = self.find(user).await?;
        racing(|| async {
            let row = self.factor(&user.id, factor).await?;
            self.end_factor(&row).await?;
            Ok(Factor::from(row))
        })
        .await
    }

    /// Ends a factor as it was read, and what sessions have by it.
    async fn end_factor(&self, factor: &FactorRow) -> Result<()> {
        let raised = both(Filter::eq("user_id", &factor.user_id), Filter::eq("factor_id", &factor.id));
        let sessions: Vec<SessionRow> = all(&self.database, SessionRow::query(raised.clone())).await?;
        let same = both(Filter::eq("id", &factor.id), Filter::eq("updated_at", &factor.updated_at));
        let mut steps = vec![delete(Table::Factors, same), Step::Expect(1)];
        if !sessions.is_empty() {
            let ids = sessions.into_iter().map(|session| session.id).collect();
            let proofs = both(
                compare("session_id", Operator::In, Operand::List(ids)),
                Filter::eq("authentication_method", method(&factor.factor_type)),
            );
            steps.push(delete(Table::AmrClaims, proofs));
            steps.push(update(Table::Sessions, &json!({ "aal": "aal1", "factor_id": null }), raised));
        }
        together(&self.database, steps).await
    }

    /// Host and port of the site: whom an app says its codes are for.
    fn site(&self) -> String {
        let site = Url::parse(&self.settings.site_url).ok();
        let authority = site.as_ref().map(Url::authority).filter(|authority| !authority.is_empty());
        authority.unwrap_or(&self.settings.site_url).to_owned()
    }
}

/// What an app shows an account by.
fn account(user: &UserRow) -> &str {
    let known =
        [&user.email, &user.phone].into_iter().find_map(|text| text.as_deref().filter(|it| !it.is_empty()));
    known.unwrap_or(&user.id)
}

/// What sessions call a factor that was shown in them.
pub(super) fn method(factor_type: &str) -> &'static str {
    match factor_type {
        "phone" => "mfa/phone",
        "webauthn" => "mfa/webauthn",
        _ => "totp",
    }
}

/// Refuses what can't be done with factors of a kind.
pub(super) fn disabled(kind: &str, action: &str, words: &str) -> Error {
    let (code, name) = match (kind, action) {
        ("totp", "enroll") => ("mfa_totp_enroll_not_enabled", "TOTP"),
        ("totp", _) => ("mfa_totp_verify_not_enabled", "TOTP"),
        ("phone", "enroll") => ("mfa_phone_enroll_not_enabled", "Phone"),
        ("phone", _) => ("mfa_phone_verify_not_enabled", "Phone"),
        ("webauthn", "enroll") => ("mfa_webauthn_enroll_not_enabled", "WebAuthn"),
        ("webauthn", _) => ("mfa_webauthn_verify_not_enabled", "WebAuthn"),
        _ => return factor_type_unknown(),
    };
    Error::new(ErrorKind::Unsupported, code, format!("{words} is disabled for {name}"))
}
