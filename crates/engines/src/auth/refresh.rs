//! Renewing sessions: every refresh token is good once.

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::json;
use truststream_kernel::Result;
use truststream_services::auth::{Client, Refresh, Session};
use truststream_services::database::{Filter, Query, Step};

use super::claims::Method;
use super::engine::AuthEngine;
use super::error::{
    refresh_by_banned, refresh_of_expired_session, refresh_token_already_used, refresh_token_not_found,
    refresh_without_session,
};
use super::moment::Moment;
use super::rows::{AmrRow, RefreshRow, SessionRow, UserRow};
use super::sessions::{end_session, insert_token, new_token};
use super::store::{Stored, Table, all, both, delete, descending, is_false, one, racing, together, update};

impl AuthEngine {
    pub(super) async fn renew(&self, op: &Refresh) -> Result<Session> {
        // Whoever loses finds the winner's token.
        racing(|| self.try_renew(op)).await
    }

    async fn try_renew(&self, op: &Refresh) -> Result<Session> {
        let text = op.refresh_token.expose();
        let token: Option<RefreshRow> = one(&self.database, Filter::eq("token", text)).await?;
        let token = token.ok_or_else(refresh_token_not_found)?;
        let (session_id, user_id) = (token.session_id.as_deref(), token.user_id.as_deref());
        let (Some(session_id), Some(user_id)) = (session_id, user_id) else {
            together(&self.database, vec![delete(Table::RefreshTokens, Filter::eq("token", text))]).await?;
            return Err(refresh_without_session());
        };
        let (user, session) = tokio::try_join!(
            self.user_by_id(user_id),
            one::<SessionRow>(&self.database, Filter::eq("id", session_id))
        )?;
        let user = user.filter(|user| user.deleted_at.is_none()).ok_or_else(refresh_token_not_found)?;
        let session =
            session.filter(|session| session.user_id == user.id).ok_or_else(refresh_without_session)?;
        let now = Moment::now();
        if user.is_banned(now) {
            return Err(refresh_by_banned());
        }
        if session.is_over(now) {
            return Err(refresh_of_expired_session());
        }
        let fresh = if token.revoked == Some(true) {
            self.present_instead_of(&token, &session.id, now).await?
        } else {
            self.exchange(&token, &session, &op.client, now).await?
        };
        self.renewed(&user, &session, &fresh, now).await
    }

    /// Revokes a token and puts a child in its place.
    async fn exchange(
        &self,
        token: &RefreshRow,
        session: &SessionRow,
        client: &Client,
        now: Moment,
    ) -> Result<String> {
        let child = new_token();
        let unused = both(Filter::eq("token", &token.token), is_false("revoked"));
        let time = now.text();
        let seen = json!({
            "refreshed_at": time,
            "updated_at": time,
            "ip": client.address,
            "user_agent": client.user_agent,
        });
        let steps = vec![
            update(Table::RefreshTokens, &json!({ "revoked": true, "updated_at": time }), unused),
            Step::Expect(1),
            insert_token(&child, &session.user_id, &session.id, &token.token, now),
            update(Table::Sessions, &seen, Filter::eq("id", &session.id)),
            Step::Expect(1),
        ];
        together(&self.database, steps).await?;
        Ok(child)
    }

    /// The session's present token, for a client that shows an old one and may be excused: the
    /// answer with the new one was lost, or several of its tabs asked at once. Otherwise somebody
    /// copied the token, and the session ends.
    async fn present_instead_of(&self, token: &RefreshRow, session: &str, now: Moment) -> Result<String> {
        if let Some(present) = self.present(session).await? {
            let interval = Duration::from_secs(self.settings.refresh_token_reuse_interval);
            let revoked_at = token.updated_at.as_deref().and_then(Moment::parse);
            let recently = revoked_at.is_some_and(|time| now < time.plus(interval));
            if recently || present.parent.as_deref() == Some(&token.token) {
                return Ok(present.token);
            }
        }
        if self.settings.enable_refresh_token_rotation {
            tracing::warn!(session, "a refresh token was used again; its session ends");
            together(&self.database, end_session(session)).await?;
        }
        Err(refresh_token_already_used())
    }

    /// The token of a session that is good now.
    pub(super) async fn present(&self, session: &str) -> Result<Option<RefreshRow>> {
        let unused = both(Filter::eq("session_id", session), is_false("revoked"));
        let query = Query { order: vec![descending("id")], limit: Some(1), ..RefreshRow::query(unused) };
        Ok(all::<RefreshRow>(&self.database, query).await?.pop())
    }

    /// The reply for a session that has a new refresh token.
    pub(super) async fn renewed(
        &self,
        user: &UserRow,
        session: &SessionRow,
        token: &str,
        now: Moment,
    ) -> Result<Session> {
        let methods = AmrRow::query(Filter::eq("session_id", &session.id));
        let (user, methods) = tokio::try_join!(self.complete(user), all::<AmrRow>(&self.database, methods))?;
        let mut shown: Vec<_> = methods
            .into_iter()
            .map(|row| (Moment::parse(&row.created_at), row.authentication_method))
            .collect();
        shown.sort_by_key(|(moment, _)| Reverse(*moment));
        let amr: Vec<_> = shown
            .into_iter()
            .map(|(moment, method)| Method { method, timestamp: moment.map_or(0, Moment::seconds) })
            .collect();
        self.session(user, &session.id, &amr, token, now)
    }
}
