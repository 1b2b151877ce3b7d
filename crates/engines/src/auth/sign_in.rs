//! Signing in with a password.

use serde_json::{Map, Value as Json, json};
use truststream_kernel::{Result, Secret};
use truststream_services::auth::{Session, SignInWithPassword};
use truststream_services::database::{Filter, Step};

use super::engine::AuthEngine;
use super::error::{
    email_disabled, email_not_confirmed, invalid_credentials, phone_disabled, phone_not_confirmed,
    user_banned, validation_failed,
};
use super::moment::Moment;
use super::rows::UserRow;
use super::sessions::Opening;
use super::store::{Table, both, racing, together, unchanged, update};

impl AuthEngine {
    pub(super) async fn let_in(&self, op: &SignInWithPassword) -> Result<Session> {
        racing(|| self.try_let_in(op)).await
    }

    async fn try_let_in(&self, op: &SignInWithPassword) -> Result<Session> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let row = match (given(&op.email), given(&op.phone)) {
            (Some(email), None) => {
                if !self.settings.email.enable_signup {
                    return Err(email_disabled("Email logins are disabled"));
                }
                self.user_by_email(&email).await?
            }
            (None, Some(_)) => return Err(phone_disabled("Phone logins are disabled")),
            (None, None) => return Err(validation_failed("missing email or phone")),
            (Some(_), Some(_)) => {
                let message = "Only an email address or phone number should be provided on login.";
                return Err(validation_failed(message));
            }
        };
        let row = row.filter(|row| row.deleted_at.is_none());
        let hash = row.as_ref().and_then(UserRow::password);
        let matches = self.passwords.verify(&op.password, hash).await?;
        let Some(row) = row.filter(|_| matches) else { return Err(invalid_credentials()) };
        // Only who knows the password learns what else is the matter.
        let now = Moment::now();
        if row.is_banned(now) {
            return Err(user_banned());
        }
        if row.email_confirmed_at.is_none() && row.phone_confirmed_at.is_none() {
            return Err(if row.email.is_some() { email_not_confirmed() } else { phone_not_confirmed() });
        }
        self.open(&row, op, now).await
    }

    async fn open(&self, row: &UserRow, op: &SignInWithPassword, now: Moment) -> Result<Session> {
        let renewed = self.renewed_hash(row, &op.password).await?;
        let mut opening = Opening::new(&row.id, "password", &op.client, now);
        let mut values = Map::new();
        values.insert("last_sign_in_at".to_owned(), json!(now.text()));
        values.insert("updated_at".to_owned(), json!(now.text()));
        if let Some(hash) = renewed {
            values.insert("encrypted_password".to_owned(), json!(hash));
        }
        // A password that was changed meanwhile opens nothing.
        let same = both(Filter::eq("id", &row.id), unchanged("encrypted_password", row.password()));
        let mut steps = vec![update(Table::Users, &Json::Object(values), same), Step::Expect(1)];
        steps.append(&mut opening.steps);
        together(&self.database, steps).await?;
        let mut user = self.complete(row).await?;
        user.last_sign_in_at = Some(now.text());
        user.updated_at = now.text();
        self.opened(user, &opening, self.passwords.weakness(op.password.expose()))
    }

    /// A hash made here for a password that came with a weaker one from elsewhere.
    async fn renewed_hash(&self, row: &UserRow, password: &Secret) -> Result<Option<String>> {
        match row.password() {
            Some(hash) if self.passwords.is_outdated(hash) => self.passwords.hash(password).await.map(Some),
            _ => Ok(None),
        }
    }
}
