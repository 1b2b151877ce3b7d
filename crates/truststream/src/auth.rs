//! Users and sessions.

use truststream_kernel::{Result, Secret};
use truststream_services::auth as ops;

pub use truststream_services::auth::{
    AdminCreateUser, AdminListUsers, Challenge, Client, EnrolledFactor, Factor, Object, Session,
    SignInWithPassword, SignOutScope, SignUp, SignedUp, Totp, UpdateUser, User, UserAttributes, UserPage,
};

/// Users and sessions, for one caller.
///
/// ```no_run
/// # async fn example(db: truststream::TrustStream) -> truststream::Result<()> {
/// db.auth().sign_up("ada@example.com", "correct horse battery").await?;
/// let session = db.auth().sign_in_with_password("ada@example.com", "correct horse battery").await?;
/// let user = db.as_user(&session).await?.auth().get_user().await?;
/// assert_eq!(user.email, "ada@example.com");
/// # Ok(())
/// # }
/// ```
pub struct Auth {
    auth: ops::Auth,
}

impl Auth {
    pub(crate) fn new(auth: ops::Auth) -> Self {
        Auth { auth }
    }

    /// Makes a user with an e-mail address and a password.
    ///
    /// # Errors
    /// `user_already_exists`, `weak_password`, `signup_disabled`.
    pub async fn sign_up(&self, email: &str, password: &str) -> Result<SignedUp> {
        let (email, password) = (Some(email.to_owned()), Some(Secret::new(password)));
        self.sign_up_with(SignUp { email, password, ..SignUp::default() }).await
    }

    /// Makes a user by number, with data of its own, or an anonymous one.
    ///
    /// # Errors
    /// As [`Auth::sign_up`].
    pub async fn sign_up_with(&self, request: SignUp) -> Result<SignedUp> {
        self.auth.send(request).await
    }

    /// Signs in with an e-mail address and a password.
    ///
    /// # Errors
    /// `invalid_credentials`, `email_not_confirmed`, `user_banned`.
    pub async fn sign_in_with_password(&self, email: &str, password: &str) -> Result<Session> {
        let (email, password) = (Some(email.to_owned()), Secret::new(password));
        self.auth.send(SignInWithPassword { email, password, ..SignInWithPassword::default() }).await
    }

    /// A new session for a refresh token, which is good once.
    ///
    /// # Errors
    /// `refresh_token_not_found`, `refresh_token_already_used`.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Session> {
        let refresh_token = Secret::new(refresh_token);
        self.auth.send(ops::Refresh { refresh_token, client: Client::default() }).await
    }

    /// The calling user.
    ///
    /// # Errors
    /// `session_not_found` when it has signed out; `Unauthenticated` when the caller is no user.
    pub async fn get_user(&self) -> Result<User> {
        self.auth.send(ops::GetUser).await
    }

    /// Changes the calling user; what is absent stays.
    ///
    /// # Errors
    /// As [`Auth::get_user`], and `weak_password`, `same_password`, `email_exists`.
    pub async fn update_user(&self, changes: UpdateUser) -> Result<User> {
        self.auth.send(changes).await
    }

    /// Ends sessions of the calling user.
    ///
    /// # Errors
    /// As [`Auth::get_user`].
    pub async fn sign_out(&self, scope: SignOutScope) -> Result<()> {
        self.auth.send(ops::SignOut { scope }).await
    }

    /// The second factors of the calling user.
    pub fn mfa(&self) -> Mfa<'_> {
        Mfa { auth: &self.auth }
    }

    /// What only an operator may do: the caller has to be `service_role`, or TrustStream itself.
    pub fn admin(&self) -> Admin<'_> {
        Admin { auth: &self.auth }
    }
}

/// The second factors of a user: codes of an authenticator app.
///
/// ```no_run
/// # async fn example(db: truststream::TrustStream, code: &str) -> truststream::Result<()> {
/// let auth = db.auth();
/// let factor = auth.mfa().enroll("my telephone").await?;
/// // Show `factor.totp` to the user, and ask for the code that its app shows.
/// let challenge = auth.mfa().challenge(&factor.id).await?;
/// let session = auth.mfa().verify(&factor.id, &challenge.id, code).await?;
/// # Ok(())
/// # }
/// ```
pub struct Mfa<'a> {
    auth: &'a ops::Auth,
}

impl Mfa<'_> {
    /// Makes a factor; it counts once a code of it was right.
    ///
    /// # Errors
    /// `mfa_factor_name_conflict`, `too_many_enrolled_mfa_factors`, `insufficient_aal` when the user has
    /// another one and the session did not show it.
    pub async fn enroll(&self, name: &str) -> Result<EnrolledFactor> {
        let (factor_type, friendly_name) = ("totp".to_owned(), name.to_owned());
        self.auth.send(ops::EnrollFactor { factor_type, friendly_name, ..ops::EnrollFactor::default() }).await
    }

    /// Asks for a code.
    ///
    /// # Errors
    /// `mfa_factor_not_found`.
    pub async fn challenge(&self, factor: &str) -> Result<Challenge> {
        self.auth.send(ops::ChallengeFactor { factor: factor.to_owned(), client: Client::default() }).await
    }

    /// Answers a challenge. The session is then of level `aal2`, and the user's sessions below that end.
    ///
    /// # Errors
    /// `mfa_verification_failed` for a wrong code or one that was used already, `mfa_challenge_expired`.
    pub async fn verify(&self, factor: &str, challenge: &str, code: &str) -> Result<Session> {
        let (factor, challenge) = (factor.to_owned(), challenge.to_owned());
        let (code, client) = (Secret::new(code), Client::default());
        self.auth.send(ops::VerifyFactor { factor, challenge, code, client }).await
    }

    /// Ends a factor; sessions that it raised are `aal1` again.
    ///
    /// # Errors
    /// `mfa_factor_not_found`, `insufficient_aal` when the session did not show it.
    pub async fn unenroll(&self, factor: &str) -> Result<()> {
        self.auth.send(ops::UnenrollFactor { factor: factor.to_owned() }).await
    }
}

/// All users, for operators.
pub struct Admin<'a> {
    auth: &'a ops::Auth,
}

impl Admin<'_> {
    /// Makes a user.
    ///
    /// # Errors
    /// `email_exists`, `phone_exists`, `not_admin`.
    pub async fn create_user(&self, attributes: UserAttributes) -> Result<User> {
        self.auth.send(AdminCreateUser { id: None, attributes }).await
    }

    /// A page of users, newest first; pages count from 1.
    ///
    /// # Errors
    /// `not_admin`.
    pub async fn list_users(&self, page: u64, per_page: u64) -> Result<UserPage> {
        self.auth.send(AdminListUsers { page, per_page, filter: None }).await
    }

    /// A user by id.
    ///
    /// # Errors
    /// `user_not_found`, `not_admin`.
    pub async fn get_user(&self, id: &str) -> Result<User> {
        self.auth.send(ops::AdminGetUser { id: id.to_owned() }).await
    }

    /// Changes a user; what is absent stays.
    ///
    /// # Errors
    /// As [`Admin::get_user`].
    pub async fn update_user(&self, id: &str, attributes: UserAttributes) -> Result<User> {
        self.auth.send(ops::AdminUpdateUser { id: id.to_owned(), attributes }).await
    }

    /// The second factors of a user.
    ///
    /// # Errors
    /// As [`Admin::get_user`].
    pub async fn list_factors(&self, user: &str) -> Result<Vec<Factor>> {
        self.auth.send(ops::AdminListFactors { user: user.to_owned() }).await
    }

    /// Ends a factor of a user, as for one that lost its telephone.
    ///
    /// # Errors
    /// As [`Admin::get_user`], and `mfa_factor_not_found`.
    pub async fn delete_factor(&self, user: &str, factor: &str) -> Result<Factor> {
        let (user, factor) = (user.to_owned(), factor.to_owned());
        self.auth.send(ops::AdminDeleteFactor { user, factor }).await
    }

    /// Deletes a user with its sessions.
    ///
    /// # Errors
    /// As [`Admin::get_user`].
    pub async fn delete_user(&self, id: &str) -> Result<()> {
        self.auth.send(ops::AdminDeleteUser { id: id.to_owned(), soft: false }).await
    }
}
