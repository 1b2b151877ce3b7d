//! Signing up.

use serde_json::{Value as Json, json};
use truststream_kernel::{Result, Secret};
use truststream_services::auth::{Object, SignUp, SignedUp, User};
use uuid::Uuid;

use super::engine::AuthEngine;
use super::error::{
    anonymous_disabled, duplicate, email_disabled, phone_disabled, signup_disabled, user_already_exists,
    validation_failed,
};
use super::moment::Moment;
use super::rows::{identity_row, user_row};
use super::sessions::Opening;
use super::store::{Table, insert, together};
use super::users::{address, new_identity, providers};

impl AuthEngine {
    pub(super) async fn register(&self, op: &SignUp) -> Result<SignedUp> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (email, phone) = (given(&op.email), given(&op.phone));
        if email.is_none() && phone.is_none() {
            return self.register_anonymous(op).await;
        }
        if !self.settings.enable_signup {
            return Err(signup_disabled());
        }
        let password = op.password.as_ref().filter(|password| !password.expose().is_empty());
        let password = password.ok_or_else(|| validation_failed("Signup requires a valid password"))?;
        self.passwords.check(password.expose())?;
        match (email, phone) {
            (Some(email), None) => self.register_email(op, &email, password).await,
            (None, _) => Err(phone_disabled("Phone signups are disabled")),
            (Some(_), Some(_)) => {
                let message = "Only an email address or phone number should be provided on signup.";
                Err(validation_failed(message))
            }
        }
    }

    async fn register_email(&self, op: &SignUp, email: &str, password: &Secret) -> Result<SignedUp> {
        if !self.settings.email.enable_signup {
            return Err(email_disabled("Email signups are disabled"));
        }
        let email = address(email)?;
        // Known addresses and new ones cost the same time.
        let hash = self.passwords.hash(password).await?;
        let now = Moment::now();
        let confirmed = !self.settings.email.enable_confirmations;
        let mut user = self.new_user(Uuid::new_v4(), now);
        user.email = email;
        user.app_metadata = providers(&["email"]);
        let identity = new_identity(&user, "email", op.data.clone(), now);
        user.user_metadata = identity.identity_data.clone();
        if confirmed {
            user.email_confirmed_at = Some(now.text());
            user.confirmed_at = Some(now.text());
            user.last_sign_in_at = Some(now.text());
            user.user_metadata.insert("email_verified".to_owned(), Json::Bool(true));
        } else {
            user.confirmation_sent_at = Some(now.text());
        }
        let mut steps = vec![
            insert(Table::Users, &user_row(&user, Some(&hash))),
            insert(Table::Identities, &identity_row(&identity)),
        ];
        user.identities.push(identity);
        let mut opening = confirmed.then(|| Opening::new(&user.id, "password", &op.client, now));
        if let Some(opening) = &mut opening {
            steps.append(&mut opening.steps);
        }
        let written = together(&self.database, steps).await;
        match written {
            Ok(()) => match opening {
                Some(opening) => Ok(SignedUp::Session(self.opened(user, &opening, None)?)),
                None => Ok(SignedUp::Unconfirmed(user)),
            },
            Err(error) if error.code() == "23505" && !confirmed => {
                Ok(SignedUp::Unconfirmed(stranger(user, &op.data)))
            }
            Err(error) if error.code() == "23505" => Err(user_already_exists().with_source(error)),
            Err(error) => Err(error),
        }
    }

    async fn register_anonymous(&self, op: &SignUp) -> Result<SignedUp> {
        if !self.settings.enable_anonymous_sign_ins {
            return Err(anonymous_disabled());
        }
        if !self.settings.enable_signup {
            return Err(signup_disabled());
        }
        let now = Moment::now();
        let mut user = self.new_user(Uuid::new_v4(), now);
        user.is_anonymous = true;
        user.last_sign_in_at = Some(now.text());
        user.user_metadata = op.data.clone();
        let mut opening = Opening::new(&user.id, "anonymous", &op.client, now);
        let mut steps = vec![insert(Table::Users, &user_row(&user, None))];
        steps.append(&mut opening.steps);
        together(&self.database, steps).await.map_err(|error| duplicate(error, user_already_exists))?;
        Ok(SignedUp::Session(self.opened(user, &opening, None)?))
    }
}

/// What is answered for an address that is known already: nobody's user.
fn stranger(user: User, data: &Object) -> User {
    let mut metadata = data.clone();
    metadata.extend([
        ("email".to_owned(), json!(user.email)),
        ("email_verified".to_owned(), json!(false)),
        ("phone_verified".to_owned(), json!(false)),
        ("sub".to_owned(), json!(user.id)),
    ]);
    User { user_metadata: metadata, identities: Vec::new(), ..user }
}
