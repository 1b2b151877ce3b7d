//! Changing users.

use serde_json::{Map, Value as Json, json};
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::auth::{Object, UpdateUser, User};
use truststream_services::database::{Filter, Step};

use super::access::Asking;
use super::engine::AuthEngine;
use super::error::{
    duplicate, email_exists, needs_aal2_to_change, not_admin, phone_disabled, same_password,
    user_already_exists,
};
use super::moment::Moment;
use super::rows::{FactorRow, UserRow, identity_row};
use super::sessions::end_sessions;
use super::store::{Table, both, insert, racing, together, unchanged, update};
use super::users::{address, merge, new_identity, providers};

/// Changes of one user that are written together.
pub(super) struct Draft {
    pub(super) user: User,
    version: Option<String>,
    values: Object,
    steps: Vec<Step>,
    now: Moment,
}

impl Draft {
    pub(super) fn new(row: &UserRow, user: User) -> Self {
        Draft {
            user,
            version: row.updated_at.clone(),
            values: Map::new(),
            steps: Vec::new(),
            now: Moment::now(),
        }
    }

    fn set(&mut self, column: &str, value: Json) {
        self.values.insert(column.to_owned(), value);
    }

    /// A new address, for the user and for its identity of that kind.
    pub(super) fn email(&mut self, email: &str, verified: bool) {
        self.user.email = email.to_owned();
        self.set("email", json!(email));
        self.set("email_change", json!(""));
        self.identity("email", &[("email", json!(email)), ("email_verified", json!(verified))]);
    }

    /// A new number, for the user and for its identity of that kind.
    pub(super) fn phone(&mut self, phone: &str, verified: bool) {
        self.user.phone = phone.to_owned();
        self.set("phone", json!(phone));
        self.identity("phone", &[("phone", json!(phone)), ("phone_verified", json!(verified))]);
    }

    fn identity(&mut self, provider: &str, data: &[(&str, Json)]) {
        let data: Object = data.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let time = self.now.text();
        if let Some(identity) = self.user.identities.iter_mut().find(|one| one.provider == provider) {
            merge(&mut identity.identity_data, &data);
            identity.updated_at.clone_from(&time);
            let values = json!({ "identity_data": identity.identity_data, "updated_at": time });
            self.steps.push(update(Table::Identities, &values, Filter::eq("id", &identity.identity_id)));
            return;
        }
        let mut identity = new_identity(&self.user, provider, Object::new(), self.now);
        merge(&mut identity.identity_data, &data);
        self.steps.push(insert(Table::Identities, &identity_row(&identity)));
        self.user.identities.push(identity);
        let names: Vec<_> = self.user.identities.iter().map(|one| one.provider.clone()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        self.app_metadata(&providers(&names));
    }

    pub(super) fn confirm_email(&mut self) {
        let time = self.now.text();
        self.set("email_confirmed_at", json!(time));
        self.set("confirmation_token", json!(""));
        self.user.confirmed_at.get_or_insert_with(|| time.clone());
        self.user.email_confirmed_at = Some(time);
        self.user_metadata(&Object::from_iter([("email_verified".to_owned(), Json::Bool(true))]));
        self.known();
    }

    pub(super) fn confirm_phone(&mut self) {
        let time = self.now.text();
        self.set("phone_confirmed_at", json!(time));
        self.user.confirmed_at.get_or_insert_with(|| time.clone());
        self.user.phone_confirmed_at = Some(time);
        self.known();
    }

    /// Who has a confirmed address or number is no longer anonymous.
    fn known(&mut self) {
        let named = !self.user.email.is_empty() || !self.user.phone.is_empty();
        if self.user.is_anonymous && named {
            self.user.is_anonymous = false;
            self.set("is_anonymous", Json::Bool(false));
        }
    }

    /// Puts a new password in place; whatever was pending by the old one's authority ends.
    pub(super) fn password(&mut self, hash: &str, kept_session: Option<&str>) {
        self.set("encrypted_password", json!(hash));
        for token in [
            "confirmation_token",
            "recovery_token",
            "email_change_token_new",
            "email_change_token_current",
            "phone_change_token",
            "reauthentication_token",
        ] {
            self.set(token, json!(""));
        }
        self.steps.extend(end_sessions(&self.user.id, kept_session));
    }

    pub(super) fn user_metadata(&mut self, changes: &Object) {
        merge(&mut self.user.user_metadata, changes);
        self.set("raw_user_meta_data", Json::Object(self.user.user_metadata.clone()));
    }

    pub(super) fn app_metadata(&mut self, changes: &Object) {
        merge(&mut self.user.app_metadata, changes);
        self.set("raw_app_meta_data", Json::Object(self.user.app_metadata.clone()));
    }

    pub(super) fn role(&mut self, role: &str) {
        role.clone_into(&mut self.user.role);
        self.set("role", json!(role));
    }

    pub(super) fn banned_until(&mut self, until: Option<Moment>) {
        self.user.banned_until = until.map(Moment::text);
        self.set("banned_until", json!(self.user.banned_until));
    }

    fn awaits_email(&mut self, email: &str) {
        let time = self.now.text();
        self.set("email_change", json!(email));
        self.set("email_change_sent_at", json!(time));
        self.user.new_email = Some(email.to_owned());
        self.user.email_change_sent_at = Some(time);
    }

    /// Writes all of it, unless somebody else changed the user meanwhile (`Conflict`).
    pub(super) async fn write(mut self, engine: &AuthEngine) -> Result<User> {
        let time = self.now.text();
        self.set("updated_at", json!(time));
        self.user.updated_at = time;
        let same = both(Filter::eq("id", &self.user.id), unchanged("updated_at", self.version.as_deref()));
        let mut steps = vec![update(Table::Users, &Json::Object(self.values), same), Step::Expect(1)];
        steps.append(&mut self.steps);
        together(&engine.database, steps).await.map_err(|error| duplicate(error, user_already_exists))?;
        Ok(self.user)
    }
}

impl AuthEngine {
    pub(super) async fn change(&self, cx: &Context, op: &UpdateUser) -> Result<User> {
        let asking = self.asking(cx).await?;
        self.may_change(&asking, op).await?;
        let hash = match &op.password {
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        racing(|| self.try_change(cx, op, hash.as_deref())).await
    }

    /// Refuses what a user can't change, or not to this.
    async fn may_change(&self, asking: &Asking, op: &UpdateUser) -> Result<()> {
        let user = &asking.user;
        if op.app_metadata.is_some() {
            return Err(not_admin("Updating app_metadata requires admin privileges"));
        }
        if given(&op.phone).is_some_and(|phone| user.phone.as_deref() != Some(phone)) {
            return Err(phone_disabled("Phone signups are disabled"));
        }
        let email = given(&op.email).map(address).transpose()?;
        let new_email = email.as_deref().filter(|email| user.email.as_deref() != Some(email));
        if (op.password.is_some() || new_email.is_some()) && !asking.is_raised() {
            let factors = self.factors(&user.id).await?;
            if factors.iter().any(FactorRow::is_verified) {
                return Err(needs_aal2_to_change());
            }
        }
        if let Some(password) = &op.password {
            self.passwords.check(password.expose())?;
            if user.is_anonymous && email.is_none() {
                let message =
                    "Updating password of an anonymous user without an email or phone is not allowed";
                return Err(Error::new(ErrorKind::Constraint, "validation_failed", message));
            }
            if user.password().is_some() && self.passwords.verify(password, user.password()).await? {
                return Err(same_password());
            }
        }
        let Some(email) = new_email else { return Ok(()) };
        match self.user_by_email(email).await? {
            Some(_) => Err(email_exists()),
            None => Ok(()),
        }
    }

    async fn try_change(&self, cx: &Context, op: &UpdateUser, hash: Option<&str>) -> Result<User> {
        let Asking { user: row, session } = self.asking(cx).await?;
        let mut draft = Draft::new(&row, self.complete(&row).await?);
        if let Some(data) = &op.data {
            draft.user_metadata(data);
        }
        let email = given(&op.email).map(address).transpose()?;
        if let Some(email) = email.filter(|email| row.email.as_deref() != Some(email)) {
            if self.settings.email.enable_confirmations {
                draft.awaits_email(&email);
            } else {
                draft.email(&email, true);
                draft.user_metadata(&Object::from_iter([("email".to_owned(), json!(email))]));
                draft.confirm_email();
            }
        }
        if let Some(hash) = hash {
            draft.password(hash, session.as_ref().map(|session| &*session.id));
        }
        draft.write(self).await
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
