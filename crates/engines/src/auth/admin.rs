//! What operators do with users.

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::auth::{
    AdminCreateUser, AdminDeleteUser, AdminListUsers, AdminUpdateUser, Object, User, UserAttributes, UserPage,
};
use truststream_services::database::Comparison;
use truststream_services::database::{Field, Filter, JsonKey, JsonStep, Operand, Operator, Query, Step};
use uuid::Uuid;

use super::engine::AuthEngine;
use super::error::{
    duplicate, email_exists, phone_exists, user_already_exists, user_not_found, validation_failed,
};
use super::moment::{Moment, duration};
use super::passwords::check_hash;
use super::rows::{UserRow, identity_row, user_row};
use super::sessions::end_sessions;
use super::store::{Stored, Table, compare, counted, delete, descending, insert, racing, together, update};
use super::update::Draft;
use super::users::{address, merge, new_identity, number, providers};

impl AuthEngine {
    pub(super) async fn create(&self, op: &AdminCreateUser) -> Result<User> {
        let attributes = &op.attributes;
        let (email, phone) = contact(attributes)?;
        if email.is_none() && phone.is_none() {
            return Err(validation_failed("Cannot create a user without either an email or phone"));
        }
        let id = new_id(op.id.as_deref())?;
        let hash = self.new_hash(attributes).await?;
        let now = Moment::now();
        let mut user = self.new_user(id, now);
        let kinds = [("email", &email), ("phone", &phone)];
        let kinds: Vec<_> =
            kinds.iter().filter(|(_, given)| given.is_some()).map(|(kind, _)| *kind).collect();
        user.app_metadata = providers(&kinds);
        merge(&mut user.app_metadata, attributes.app_metadata.as_ref().unwrap_or(&Object::new()));
        merge(&mut user.user_metadata, attributes.user_metadata.as_ref().unwrap_or(&Object::new()));
        user.email_confirmed_at = (attributes.email_confirm && email.is_some()).then(|| now.text());
        user.phone_confirmed_at = (attributes.phone_confirm && phone.is_some()).then(|| now.text());
        user.confirmed_at = user.email_confirmed_at.clone().or_else(|| user.phone_confirmed_at.clone());
        if user.email_confirmed_at.is_some() {
            user.user_metadata.insert("email_verified".to_owned(), Json::Bool(true));
        }
        user.email = email.unwrap_or_default();
        user.phone = phone.unwrap_or_default();
        if let Some(role) = filled(&attributes.role) {
            role.clone_into(&mut user.role);
        }
        user.banned_until = ban(attributes, now)?.flatten().map(Moment::text);
        let mut steps = vec![insert(Table::Users, &user_row(&user, hash.as_deref()))];
        for kind in kinds {
            let identity = new_identity(&user, kind, Object::new(), now);
            steps.push(insert(Table::Identities, &identity_row(&identity)));
            user.identities.push(identity);
        }
        together(&self.database, steps).await.map_err(|error| duplicate(error, user_already_exists))?;
        Ok(user)
    }

    /// The hash of a new user's password; none means that nobody gets in by password.
    async fn new_hash(&self, attributes: &UserAttributes) -> Result<Option<String>> {
        let password = attributes.password.as_ref().filter(|password| !password.expose().is_empty());
        match (password, &attributes.password_hash) {
            (Some(_), Some(_)) => {
                Err(validation_failed("Only a password or a password hash should be provided"))
            }
            (None, Some(hash)) => {
                check_hash(hash.expose())?;
                Ok(Some(hash.expose().to_owned()))
            }
            (Some(password), None) => {
                self.passwords.check_length(password.expose())?;
                self.passwords.hash(password).await.map(Some)
            }
            (None, None) => Ok(None),
        }
    }

    pub(super) async fn find(&self, id: &str) -> Result<UserRow> {
        let id = Uuid::try_parse(id)
            .map_err(|_| Error::new(ErrorKind::NotFound, "validation_failed", "user_id must be an UUID"))?;
        self.user_by_id(&id.to_string()).await?.ok_or_else(user_not_found)
    }

    pub(super) async fn list(&self, op: &AdminListUsers) -> Result<UserPage> {
        let mut filters = vec![Filter::eq("aud", &self.settings.jwt_audience)];
        filters.extend(op.filter.as_deref().filter(|text| !text.is_empty()).map(mentions));
        let query = Query {
            order: vec![descending("created_at"), descending("id")],
            limit: Some(op.per_page),
            offset: op.page.saturating_sub(1).saturating_mul(op.per_page),
            ..UserRow::query(Filter::And(filters))
        };
        let (rows, total) = match counted::<UserRow>(&self.database, query).await {
            // A page past the last is empty, but not wrong.
            Err(error) if error.code() == "PGRST103" => (Vec::new(), past_end(&error)),
            done => done?,
        };
        let users = self.complete_all(&rows).await?;
        Ok(UserPage { users, total, aud: self.settings.jwt_audience.clone() })
    }

    pub(super) async fn amend(&self, op: &AdminUpdateUser) -> Result<User> {
        let attributes = &op.attributes;
        let (email, phone) = contact(attributes)?;
        let row = self.find(&op.id).await?;
        if let Some(email) = &email
            && self.user_by_email(email).await?.is_some_and(|other| other.id != row.id)
        {
            return Err(email_exists());
        }
        if let Some(phone) = &phone
            && self.user_by_phone(phone).await?.is_some_and(|other| other.id != row.id)
        {
            return Err(phone_exists());
        }
        let hash = match &attributes.password {
            Some(password) => {
                self.passwords.check(password.expose())?;
                Some(self.passwords.hash(password).await?)
            }
            None => None,
        };
        racing(|| async {
            let row = self.find(&op.id).await?;
            let draft = Draft::new(&row, self.complete(&row).await?);
            amended(draft, attributes, [&email, &phone], hash.as_deref())?.write(self).await
        })
        .await
    }

    pub(super) async fn remove(&self, op: &AdminDeleteUser) -> Result<()> {
        let row = self.find(&op.id).await?;
        let mut steps = end_sessions(&row.id, None);
        if op.soft {
            if row.deleted_at.is_some() {
                return Ok(());
            }
            steps.push(delete(Table::Factors, Filter::eq("user_id", &row.id)));
            steps.push(delete(Table::Identities, Filter::eq("user_id", &row.id)));
            steps.push(update(Table::Users, &shell(&row), Filter::eq("id", &row.id)));
        } else {
            steps.push(delete(Table::Identities, Filter::eq("user_id", &row.id)));
            steps.push(delete(Table::Users, Filter::eq("id", &row.id)));
        }
        steps.push(Step::Expect(1));
        together(&self.database, steps).await.map_err(|error| match error.kind() {
            ErrorKind::Conflict if error.code() == "40001" => user_not_found().with_source(error),
            _ => error,
        })
    }
}

fn amended(
    mut draft: Draft,
    attributes: &UserAttributes,
    [email, phone]: [&Option<String>; 2],
    hash: Option<&str>,
) -> Result<Draft> {
    let now = Moment::now();
    if let Some(role) = filled(&attributes.role) {
        draft.role(role);
    }
    if let Some(email) = email {
        draft.email(email, attributes.email_confirm);
    }
    if let Some(phone) = phone {
        draft.phone(phone, attributes.phone_confirm);
    }
    if attributes.email_confirm {
        draft.confirm_email();
    }
    if attributes.phone_confirm {
        draft.confirm_phone();
    }
    if let Some(changes) = &attributes.app_metadata {
        draft.app_metadata(changes);
    }
    if let Some(changes) = &attributes.user_metadata {
        draft.user_metadata(changes);
    }
    if let Some(until) = ban(attributes, now)? {
        draft.banned_until(until);
    }
    if let Some(hash) = hash {
        draft.password(hash, None);
    }
    Ok(draft)
}

/// Address and number as they are kept.
fn contact(attributes: &UserAttributes) -> Result<(Option<String>, Option<String>)> {
    let email = filled(&attributes.email).map(address).transpose()?;
    let phone = filled(&attributes.phone).map(number).transpose()?;
    Ok((email, phone))
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn new_id(wanted: Option<&str>) -> Result<Uuid> {
    let Some(text) = wanted.filter(|text| !text.is_empty()) else { return Ok(Uuid::new_v4()) };
    let id = Uuid::try_parse(text).map_err(|_| validation_failed("ID must conform to the uuid v4 format"))?;
    if id.is_nil() { Err(validation_failed("ID cannot be a nil uuid")) } else { Ok(id) }
}

/// Until when a user is kept out: absent if nothing is said, `Some(None)` if it is let in again.
fn ban(attributes: &UserAttributes, now: Moment) -> Result<Option<Option<Moment>>> {
    match attributes.ban_duration.as_deref() {
        None | Some("") => Ok(None),
        Some("none") => Ok(Some(None)),
        Some(text) => match duration(text) {
            Some(time) => Ok(Some(Some(now.plus(time)))),
            None => Err(Error::new(
                ErrorKind::InvalidInput,
                "validation_failed",
                format!("invalid format for ban duration: time: invalid duration {text:?}"),
            )),
        },
    }
}

/// Address or full name contains the text.
fn mentions(text: &str) -> Filter {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    let name = Field {
        name: "raw_user_meta_data".to_owned(),
        path: vec![JsonStep { key: JsonKey::Key("full_name".to_owned()), as_text: true }],
    };
    Filter::Or(vec![
        compare("email", Operator::Ilike, Operand::Text(pattern.clone())),
        Filter::Compare(Comparison {
            field: name,
            operator: Operator::Ilike,
            quantifier: None,
            operand: Operand::Text(pattern),
        }),
    ])
}

/// The total that a refused page was counted against.
fn past_end(error: &Error) -> u64 {
    let details = error.details().and_then(Json::as_str).unwrap_or_default();
    details
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .next_back()
        .unwrap_or(0)
}

/// What is left of a user that was deleted softly: the address can be recognised, not read.
fn shell(row: &UserRow) -> Json {
    let veiled = |text: &Option<String>| {
        filled(text).map(|text| {
            let hash = Sha256::digest(format!("{}{text}", row.id));
            hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        })
    };
    let now = Moment::now().text();
    json!({
        "email": veiled(&row.email),
        "phone": veiled(&row.phone).map(|hash| hash[..15].to_owned()),
        "encrypted_password": "",
        "email_change": "",
        "phone_change": "",
        "confirmation_token": "",
        "recovery_token": "",
        "email_change_token_new": "",
        "email_change_token_current": "",
        "phone_change_token": "",
        "reauthentication_token": "",
        "raw_app_meta_data": {},
        "raw_user_meta_data": {},
        "updated_at": now,
        "deleted_at": now,
    })
}
