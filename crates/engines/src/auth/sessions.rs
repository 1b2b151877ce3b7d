//! Sessions: opening and ending them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use truststream_kernel::{Context, Result};
use truststream_services::auth::{Client, Session, SignOut, SignOutScope, User, WeakPassword};
use truststream_services::database::{Filter, Step};
use uuid::Uuid;

use super::access::Asking;
use super::claims::{Claims, Method};
use super::engine::AuthEngine;
use super::moment::Moment;
use super::store::{Table, both, delete, insert, together};

/// A session that is about to be opened.
pub(super) struct Opening {
    id: String,
    token: String,
    method: Method,
    now: Moment,
    /// What has to be written for it.
    pub(super) steps: Vec<Step>,
}

impl Opening {
    pub(super) fn new(user: &str, method: &str, client: &Client, now: Moment) -> Self {
        let (id, token) = (Uuid::new_v4().to_string(), new_token());
        let time = now.text();
        let session = json!({
            "id": id,
            "user_id": user,
            "created_at": time,
            "updated_at": time,
            "aal": "aal1",
            "ip": client.address,
            "user_agent": client.user_agent,
        });
        let amr = json!({
            "id": Uuid::new_v4(),
            "session_id": id,
            "created_at": time,
            "updated_at": time,
            "authentication_method": method,
        });
        let steps = vec![
            insert(Table::Sessions, &session),
            insert(Table::AmrClaims, &amr),
            insert_token(&token, user, &id, "", now),
        ];
        let method = Method { method: method.to_owned(), timestamp: now.seconds() };
        Opening { id, token, method, now, steps }
    }
}

/// The step that writes a refresh token.
pub(super) fn insert_token(token: &str, user: &str, session: &str, parent: &str, now: Moment) -> Step {
    let row = json!({
        "instance_id": Uuid::nil(),
        "token": token,
        "user_id": user,
        "revoked": false,
        "created_at": now.text(),
        "updated_at": now.text(),
        "parent": parent,
        "session_id": session,
    });
    insert(Table::RefreshTokens, &row)
}

/// A token that nobody guesses: 128 random bits.
pub(super) fn new_token() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

/// The steps that end all sessions of a user but one.
pub(super) fn end_sessions(user: &str, but: Option<&str>) -> Vec<Step> {
    let of = |table, column: &str| {
        let mine = Filter::eq("user_id", user);
        let filter = match but {
            Some(kept) => both(mine, Filter::eq(column, kept).negated()),
            None => mine,
        };
        delete(table, filter)
    };
    vec![of(Table::RefreshTokens, "session_id"), of(Table::Sessions, "id")]
}

/// The steps that end one session.
pub(super) fn end_session(id: &str) -> Vec<Step> {
    vec![
        delete(Table::RefreshTokens, Filter::eq("session_id", id)),
        delete(Table::Sessions, Filter::eq("id", id)),
    ]
}

impl AuthEngine {
    /// The reply for a session that was just opened.
    pub(super) fn opened(
        &self,
        user: User,
        opening: &Opening,
        weak: Option<WeakPassword>,
    ) -> Result<Session> {
        let amr = std::slice::from_ref(&opening.method);
        let session = self.session(user, &opening.id, amr, &opening.token, opening.now)?;
        Ok(Session { weak_password: weak, ..session })
    }

    /// A session's tokens.
    pub(super) fn session(
        &self,
        user: User,
        id: &str,
        amr: &[Method],
        refresh_token: &str,
        now: Moment,
    ) -> Result<Session> {
        let claims = Claims::of(&user, id, amr, &self.settings, now.seconds());
        Ok(Session {
            access_token: self.keys.sign(&claims)?,
            token_type: "bearer".to_owned(),
            expires_in: self.settings.jwt_expiry,
            expires_at: claims.exp,
            refresh_token: refresh_token.to_owned(),
            user,
            weak_password: None,
        })
    }

    pub(super) async fn end(&self, cx: &Context, op: SignOut) -> Result<()> {
        let Asking { user, session } = self.asking(cx).await?;
        let steps = match (op.scope, session) {
            (SignOutScope::Local, Some(session)) => end_session(&session.id),
            (SignOutScope::Others, Some(session)) => end_sessions(&user.id, Some(&session.id)),
            (SignOutScope::Global, _) | (_, None) => end_sessions(&user.id, None),
        };
        together(&self.database, steps).await
    }
}
