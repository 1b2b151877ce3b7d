//! Users: finding them, and making new ones.

use serde_json::{Value as Json, json};
use truststream_kernel::{Error, Result};
use truststream_services::auth::{Factor, Object, User, UserIdentity};
use truststream_services::database::{Filter, Operand, Operator};
use uuid::Uuid;

use super::engine::AuthEngine;
use super::error::validation_failed;
use super::moment::Moment;
use super::rows::{FactorRow, IdentityRow, UserRow};
use super::store::{Stored, all, both, compare, is_false, one};

const LONGEST_ADDRESS: usize = 255;

impl AuthEngine {
    pub(super) async fn user_by_id(&self, id: &str) -> Result<Option<UserRow>> {
        one(&self.database, Filter::eq("id", id)).await
    }

    /// The user of an address; users of single sign-on have none of their own.
    pub(super) async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>> {
        one(&self.database, both(Filter::eq("email", email.to_lowercase()), is_false("is_sso_user"))).await
    }

    pub(super) async fn user_by_phone(&self, phone: &str) -> Result<Option<UserRow>> {
        one(&self.database, Filter::eq("phone", digits(phone))).await
    }

    /// Users as callers see them, with the ways in which they sign in.
    pub(super) async fn complete_all(&self, rows: &[UserRow]) -> Result<Vec<User>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let users = rows.iter().map(|row| row.id.clone()).collect();
        let of_users = compare("user_id", Operator::In, Operand::List(users));
        let (identities, factors) = tokio::try_join!(
            all::<IdentityRow>(&self.database, IdentityRow::query(of_users.clone())),
            all::<FactorRow>(&self.database, FactorRow::query(of_users))
        )?;
        let mut identities: Vec<UserIdentity> = identities.into_iter().map(UserIdentity::from).collect();
        identities.sort_by(|one, other| one.created_at.cmp(&other.created_at));
        let mut factors = factors;
        factors.sort_by(|one, other| one.created_at.cmp(&other.created_at));
        let complete = |row: &UserRow| {
            let ways = identities.extract_if(.., |identity| identity.user_id == row.id).collect();
            let factors = factors.extract_if(.., |factor| factor.user_id == row.id);
            row.user(ways, factors.map(Factor::from).collect())
        };
        Ok(rows.iter().map(complete).collect())
    }

    /// The user as callers see it.
    pub(super) async fn complete(&self, row: &UserRow) -> Result<User> {
        let found = self.complete_all(std::slice::from_ref(row)).await?.pop();
        found.ok_or_else(|| Error::internal("a user was lost among its identities"))
    }

    /// A user that is made now.
    pub(super) fn new_user(&self, id: Uuid, now: Moment) -> User {
        User {
            id: id.to_string(),
            aud: self.settings.jwt_audience.clone(),
            role: "authenticated".to_owned(),
            created_at: now.text(),
            updated_at: now.text(),
            ..User::default()
        }
    }
}

/// A way to sign in, with what the provider says of the user.
pub(super) fn new_identity(user: &User, provider: &str, mut data: Object, now: Moment) -> UserIdentity {
    data.insert("sub".to_owned(), json!(user.id));
    let email = (provider == "email").then(|| user.email.clone());
    match provider {
        "phone" => data.insert("phone".to_owned(), json!(user.phone)),
        _ => data.insert("email".to_owned(), json!(user.email)),
    };
    for verified in ["email_verified", "phone_verified"] {
        data.insert(verified.to_owned(), Json::Bool(false));
    }
    UserIdentity {
        identity_id: Uuid::new_v4().to_string(),
        id: user.id.clone(),
        user_id: user.id.clone(),
        identity_data: data,
        provider: provider.to_owned(),
        last_sign_in_at: Some(now.text()),
        created_at: now.text(),
        updated_at: now.text(),
        email,
    }
}

/// `app_metadata` of a user that signs in like this.
pub(super) fn providers(names: &[&str]) -> Object {
    let mut metadata = Object::new();
    if let Some(first) = names.first() {
        metadata.insert("provider".to_owned(), json!(first));
        metadata.insert("providers".to_owned(), json!(names));
    }
    metadata
}

/// Takes over what changed; nulls remove.
pub(super) fn merge(into: &mut Object, changes: &Object) {
    for (key, value) in changes {
        if value.is_null() {
            into.remove(key);
        } else {
            into.insert(key.clone(), value.clone());
        }
    }
}

/// An e-mail address as it is kept, if it is one (as browsers judge it).
pub(super) fn address(text: &str) -> Result<String> {
    if text.is_empty() {
        return Err(validation_failed("An email address is required"));
    }
    if text.len() > LONGEST_ADDRESS {
        return Err(validation_failed("An email address is too long"));
    }
    let well_formed = text.rsplit_once('@').is_some_and(|(local, domain)| {
        let atom = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
        !local.is_empty() && local.bytes().all(atom) && domain.split('.').all(is_label)
    });
    if well_formed {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(validation_failed("Unable to validate email address: invalid format"))
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// A telephone number as it is kept, if it is one (E.164).
pub(super) fn number(text: &str) -> Result<String> {
    let number = digits(text);
    let well_formed = (2..=15).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with('0');
    if well_formed {
        Ok(number)
    } else {
        Err(validation_failed("Invalid phone number format (E.164 required)"))
    }
}

fn digits(text: &str) -> String {
    text.replace([' ', '+'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(address("New.Person+x@Example.COM").unwrap(), "new.person+x@example.com");
        for wrong in
            ["not an address", "@b.c", "a@", "a@b..c", "a@-b.c", "a b@c.d", "a@b@c.d", "é@b.c", "a\0@b.c"]
        {
            assert_eq!(address(wrong).unwrap_err().code(), "validation_failed", "{wrong:?}");
        }
        address(&format!("{}@b.c", "a".repeat(300))).unwrap_err();
    }

    #[test]
    fn numbers() {
        assert_eq!(number("+49 30 123456").unwrap(), "4930123456");
        for wrong in ["", "0301234", "12345678901234567", "+49-30", "abc"] {
            number(wrong).unwrap_err();
        }
    }
}
