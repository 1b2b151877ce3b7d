//! What an auth provider implements.

use std::future::Future;

use serde_json::Value as Json;
use truststream_kernel::{Context, Features, Identity, Result};

use super::{
    AdminCreateUser, AdminDeleteUser, AdminGetUser, AdminListUsers, AdminUpdateUser, AuthSettings,
    Authenticate, GetUser, PublicKeys, Refresh, Session, Settings, SignInWithPassword, SignOut, SignUp,
    SignedUp, UpdateUser, User, Users,
};

/// Users and sessions. Errors carry Supabase Auth's codes (`invalid_credentials`, `bad_jwt`, …).
///
/// # Behavior
/// Operations of a user take who it is from `cx`, whose identity was made by [`Authenticate`].
/// Operations of an administrator don't look at `cx`: whoever exposes them checks the role first.
pub trait AuthDriver: Send + Sync + 'static {
    /// What this provider can do.
    fn features(&self) -> Features;

    /// Verifies a token by what is in it; whether its session has ended is asked by operations of
    /// the user. `bad_jwt` for every token that is not good, `PGRST303` in the details if it expired.
    fn authenticate(&self, cx: &Context, op: &Authenticate) -> impl Future<Output = Result<Identity>> + Send;

    /// The public keys, as a JWK set; empty with a shared secret.
    fn public_keys(&self, cx: &Context, op: &PublicKeys) -> impl Future<Output = Result<Json>> + Send;

    /// What clients may know.
    fn settings(&self, cx: &Context, op: &Settings) -> impl Future<Output = Result<AuthSettings>> + Send;

    /// Makes a user. A second one of the same address is refused (`user_already_exists`), also when
    /// both are made at once.
    fn sign_up(&self, cx: &Context, op: &SignUp) -> impl Future<Output = Result<SignedUp>> + Send;

    /// Makes a session. Unknown users and wrong passwords can't be told apart, by time either.
    fn sign_in_with_password(
        &self,
        cx: &Context,
        op: &SignInWithPassword,
    ) -> impl Future<Output = Result<Session>> + Send;

    /// Rotates a refresh token.
    ///
    /// # Behavior
    /// A token is good once. Using it again within the reuse interval gives the session's present
    /// token (two tabs refreshing at once); later use ends the session.
    fn refresh(&self, cx: &Context, op: &Refresh) -> impl Future<Output = Result<Session>> + Send;

    /// The calling user; `session_not_found` once the session has ended.
    fn get_user(&self, cx: &Context, op: &GetUser) -> impl Future<Output = Result<User>> + Send;

    /// Changes the calling user. A new password ends the user's other sessions.
    fn update_user(&self, cx: &Context, op: &UpdateUser) -> impl Future<Output = Result<User>> + Send;

    /// Ends sessions.
    fn sign_out(&self, cx: &Context, op: &SignOut) -> impl Future<Output = Result<()>> + Send;

    /// Makes a user.
    fn admin_create_user(
        &self,
        cx: &Context,
        op: &AdminCreateUser,
    ) -> impl Future<Output = Result<User>> + Send;

    /// A page of users.
    fn admin_list_users(
        &self,
        cx: &Context,
        op: &AdminListUsers,
    ) -> impl Future<Output = Result<Users>> + Send;

    /// A user.
    fn admin_get_user(&self, cx: &Context, op: &AdminGetUser) -> impl Future<Output = Result<User>> + Send;

    /// Changes a user.
    fn admin_update_user(
        &self,
        cx: &Context,
        op: &AdminUpdateUser,
    ) -> impl Future<Output = Result<User>> + Send;

    /// Deletes a user.
    fn admin_delete_user(
        &self,
        cx: &Context,
        op: &AdminDeleteUser,
    ) -> impl Future<Output = Result<User>> + Send;
}
