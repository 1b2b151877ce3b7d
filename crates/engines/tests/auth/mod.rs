//! The auth engine.

mod admin;
mod factors;
mod races;
mod sessions;
mod sign_up;
mod users;

use std::sync::Arc;

use truststream_engines::auth::{AuthEngine, AuthSettings, Keys, MIGRATIONS};
use truststream_kernel::{Context, Driven, Error, Secret};
use truststream_services::auth::{
    Auth, Authenticate, Client, Refresh, Session, SignInWithPassword, SignUp, SignedUp,
};

use crate::support::{Backend, TestDatabase};

const PASSWORD: &str = "long enough";

/// An auth engine on a database of its own.
struct Bench {
    auth: Auth,
    database: TestDatabase,
}

impl Bench {
    async fn new(backend: Backend) -> Self {
        Bench::with(backend, |_| {}).await
    }

    async fn with(backend: Backend, change: impl FnOnce(&mut AuthSettings)) -> Self {
        let mut settings = AuthSettings::default();
        settings.password.memory = 64;
        settings.password.iterations = 1;
        change(&mut settings);
        let keys = Arc::new(Keys::load(&settings, true).unwrap());
        let database = TestDatabase::new(backend, MIGRATIONS).await;
        let engine = AuthEngine::new(&database.database, keys, settings).unwrap();
        Bench { auth: Auth::new(Arc::new(Driven(engine)), Context::system()), database }
    }

    /// Signs a new user up.
    async fn session(&self, email: &str) -> Session {
        match self.auth.send(sign_up(email)).await.unwrap() {
            SignedUp::Session(session) => session,
            SignedUp::Unconfirmed(user) => panic!("{user:?} is not signed in"),
        }
    }

    async fn sign_in(&self, email: &str, password: &str) -> Result<Session, Error> {
        self.auth.send(sign_in(email, password)).await
    }

    async fn refresh(&self, token: &str) -> Result<Session, Error> {
        self.auth.send(Refresh { refresh_token: Secret::new(token), client: Client::default() }).await
    }

    /// The service as the bearer of a session's token sees it.
    async fn of(&self, session: &Session) -> Auth {
        let token = session.access_token.clone();
        let identity = self.auth.send(Authenticate { token }).await.unwrap();
        self.auth.with(Context::of(identity))
    }
}

fn sign_up(email: &str) -> SignUp {
    SignUp { email: Some(email.to_owned()), password: Some(PASSWORD.into()), ..SignUp::default() }
}

fn sign_in(email: &str, password: &str) -> SignInWithPassword {
    SignInWithPassword {
        email: Some(email.to_owned()),
        password: Secret::new(password),
        ..SignInWithPassword::default()
    }
}

/// The code an operation was refused with.
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().code().to_owned()
}
