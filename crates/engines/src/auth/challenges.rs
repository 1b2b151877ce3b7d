//! Second factors: asking for a code, and judging it.

use std::time::Duration;

use serde_json::json;
use truststream_kernel::{Context, Result};
use truststream_services::auth::{Challenge, ChallengeFactor, Client, Session, VerifyFactor};
use truststream_services::database::{Filter, Step};
use uuid::Uuid;

use super::access::Asking;
use super::engine::AuthEngine;
use super::error::{
    challenge_elsewhere, challenge_expired, challenge_not_found, factor_needs_session, spent_code,
    validation_failed, wrong_code,
};
use super::factors::{disabled, method};
use super::moment::Moment;
use super::rows::{ChallengeRow, FactorRow, SessionRow};
use super::sessions::{insert_token, new_token};
use super::store::{Table, before, both, delete, insert, is_false, is_null, one, racing, together, update};
use super::totp;

/// How long a challenge can be answered, as in Supabase Auth. Longer than any code is right, so that those
/// that were used are known as long as they matter.
const LASTS: Duration = Duration::from_secs(300);
/// Whoever calls without an address, as programs do that have the library inside.
const NO_ADDRESS: &str = "0.0.0.0";

impl AuthEngine {
    pub(super) async fn ask(&self, cx: &Context, op: &ChallengeFactor) -> Result<Challenge> {
        racing(|| self.try_ask(cx, op)).await
    }

    async fn try_ask(&self, cx: &Context, op: &ChallengeFactor) -> Result<Challenge> {
        let Asking { user, session } = self.asking(cx).await?;
        session.ok_or_else(factor_needs_session)?;
        let factor = self.factor(&user.id, &op.factor).await?;
        self.may_verify(&factor)?;
        let now = Moment::now();
        let id = Uuid::new_v4().to_string();
        let row = json!({
            "id": id,
            "factor_id": factor.id,
            "created_at": now.text(),
            "ip_address": address(&op.client),
        });
        let expired = both(Filter::eq("factor_id", &factor.id), before("created_at", now.minus(LASTS)));
        // The factor goes first: Supabase's table has a unique time, whose change wants the row alone, while
        // each new challenge shares it. The other way round, two at once would wait for one another.
        let asked = json!({ "last_challenged_at": now.text() });
        let steps = vec![
            update(Table::Factors, &asked, Filter::eq("id", &factor.id)),
            Step::Expect(1),
            delete(Table::Challenges, expired),
            insert(Table::Challenges, &row),
        ];
        together(&self.database, steps).await?;
        Ok(Challenge { id, factor_type: factor.factor_type, expires_at: now.plus(LASTS).seconds() })
    }

    pub(super) async fn answer(&self, cx: &Context, op: &VerifyFactor) -> Result<Session> {
        racing(|| self.try_answer(cx, op)).await
    }

    async fn try_answer(&self, cx: &Context, op: &VerifyFactor) -> Result<Session> {
        let Asking { user, session } = self.asking(cx).await?;
        let session = session.ok_or_else(factor_needs_session)?;
        let factor = self.factor(&user.id, &op.factor).await?;
        self.may_verify(&factor)?;
        let code = op.code.expose();
        if code.is_empty() {
            return Err(validation_failed("Code needs to be non-empty"));
        }
        let now = Moment::now();
        let challenge = self.challenge(&factor, op, now).await?;
        let secret = factor.secret.as_ref().ok_or_else(wrong_code)?;
        if !totp::is_right(secret, code, now)? {
            return Err(wrong_code());
        }
        let same_code = both(Filter::eq("factor_id", &factor.id), Filter::eq("otp_code", code));
        if one::<ChallengeRow>(&self.database, same_code).await?.is_some() {
            return Err(spent_code());
        }
        let token = new_token();
        let mut steps = raise(&factor, &challenge, &session, code, now);
        steps.extend(self.replaced(&session, &token, now).await?);
        together(&self.database, steps).await?;
        self.renewed(&user, &session, &token, now).await
    }

    fn may_verify(&self, factor: &FactorRow) -> Result<()> {
        match &*factor.factor_type {
            "totp" if self.settings.mfa.totp.verify_enabled => Ok(()),
            kind => Err(disabled(kind, "verify", "MFA verification")),
        }
    }

    /// The challenge that is answered, if it still can be.
    async fn challenge(&self, factor: &FactorRow, op: &VerifyFactor, now: Moment) -> Result<ChallengeRow> {
        let id = Uuid::try_parse(&op.challenge).map_err(|_| challenge_not_found())?.to_string();
        let asked = both(Filter::eq("id", &id), Filter::eq("factor_id", &factor.id));
        let challenge: ChallengeRow = one(&self.database, asked).await?.ok_or_else(challenge_not_found)?;
        if challenge.verified_at.is_some() || challenge.address() != address(&op.client) {
            return Err(challenge_elsewhere());
        }
        if challenge.made().is_none_or(|made| made.plus(LASTS) < now) {
            together(&self.database, vec![delete(Table::Challenges, Filter::eq("id", &id))]).await?;
            return Err(challenge_expired(&id));
        }
        Ok(challenge)
    }

    /// The steps that put a new refresh token in the place of a session's present one.
    async fn replaced(&self, session: &SessionRow, token: &str, now: Moment) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        let present = self.present(&session.id).await?;
        if let Some(present) = &present {
            let revoked = json!({ "revoked": true, "updated_at": now.text() });
            let unused = both(Filter::eq("token", &present.token), is_false("revoked"));
            steps.extend([update(Table::RefreshTokens, &revoked, unused), Step::Expect(1)]);
        }
        let parent = present.map(|present| present.token).unwrap_or_default();
        steps.push(insert_token(token, &session.user_id, &session.id, &parent, now));
        Ok(steps)
    }
}

/// The steps that a right answer leads to. Of several with one code, or to one challenge, one is done: each
/// changes the factor as it was read.
fn raise(
    factor: &FactorRow,
    challenge: &ChallengeRow,
    session: &SessionRow,
    code: &str,
    now: Moment,
) -> Vec<Step> {
    let time = now.text();
    let method = method(&factor.factor_type);
    let proof = json!({
        "id": Uuid::new_v4(),
        "session_id": session.id,
        "created_at": time,
        "updated_at": time,
        "authentication_method": method,
    });
    let earlier = both(Filter::eq("session_id", &session.id), Filter::eq("authentication_method", method));
    let unanswered = both(Filter::eq("id", &challenge.id), is_null("verified_at"));
    let same = both(Filter::eq("id", &factor.id), Filter::eq("updated_at", &factor.updated_at));
    let low = Filter::And(vec![
        Filter::eq("user_id", &factor.user_id),
        Filter::eq("id", &session.id).negated(),
        Filter::Or(vec![Filter::eq("aal", "aal1"), is_null("aal")]),
    ]);
    let unverified = Filter::And(vec![
        Filter::eq("user_id", &factor.user_id),
        Filter::eq("factor_type", &factor.factor_type),
        Filter::eq("status", "unverified"),
    ]);
    vec![
        update(Table::Challenges, &json!({ "verified_at": time, "otp_code": code }), unanswered),
        Step::Expect(1),
        update(Table::Factors, &json!({ "status": "verified", "updated_at": time }), same),
        Step::Expect(1),
        delete(Table::AmrClaims, earlier),
        insert(Table::AmrClaims, &proof),
        update(
            Table::Sessions,
            &json!({ "aal": "aal2", "factor_id": factor.id, "updated_at": time }),
            Filter::eq("id", &session.id),
        ),
        Step::Expect(1),
        delete(Table::Sessions, low),
        delete(Table::Factors, unverified),
    ]
}

fn address(client: &Client) -> &str {
    client.address.as_deref().unwrap_or(NO_ADDRESS)
}
