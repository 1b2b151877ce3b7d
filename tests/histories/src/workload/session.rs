//! A signed-in user who refreshes the session again and again.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value as Json, json};

use super::Log;
use super::client::failed;
use crate::api::{Answer, Api};
use crate::history::{Action, Outcome, Seen};

pub(super) struct Session {
    api: Api,
    number: i64,
    token: String,
}

impl Session {
    /// A new user with a session.
    pub(super) async fn sign_up(api: Api, number: i64) -> Result<Self> {
        let body =
            json!({ "email": format!("user{number}@example.com"), "password": "correct horse battery" });
        let session = api.must(Method::POST, "/auth/v1/signup", Some(&body)).await?;
        let token = session["refresh_token"].as_str().context("no refresh token")?.to_owned();
        Ok(Session { api, number, token })
    }

    /// Takes the next refresh token. If nobody knows whether that happened, the same token is sent the
    /// next time: within the reuse interval it is taken once more.
    pub(super) async fn rotate(&mut self, log: &Log, client: i64) {
        let body = json!({ "refresh_token": self.token });
        let mut next = None;
        let work = async {
            let path = "/auth/v1/token?grant_type=refresh_token";
            match self.api.send(Method::POST, path, Some(&body)).await {
                Answer::Done(body) => match refresh_token(&body) {
                    Some(token) => {
                        next = Some(token);
                        Outcome::Done(Seen::Nothing)
                    }
                    None => Outcome::Refused("400 no refresh token in the answer".to_owned()),
                },
                other => failed(other),
            }
        };
        log.note(client, Action::Rotate { session: self.number }, work).await;
        if let Some(token) = next {
            self.token = token;
        }
    }
}

fn refresh_token(body: &[u8]) -> Option<String> {
    let session: Json = serde_json::from_slice(body).ok()?;
    Some(session["refresh_token"].as_str()?.to_owned())
}
