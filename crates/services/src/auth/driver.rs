//! What an auth provider implements.

use std::future::Future;

use serde_json::Value as Json;
use truststream_kernel::{Context, Features, Identity, Result};

use super::{
    AdminCreateUser, AdminDeleteFactor, AdminDeleteUser, AdminGetUser, AdminListFactors, AdminListUsers,
    AdminUpdateUser, Authenticate, Challenge, ChallengeFactor, EnrollFactor, EnrolledFactor, Factor, GetUser,
    PublicKeys, PublicSettings, Refresh, Session, Settings, SignInWithPassword, SignOut, SignUp, SignedUp,
    UnenrollFactor, UpdateUser, User, UserPage, VerifyFactor,
};

/// Auth. Errors carry Supabase Auth's codes (`invalid_credentials`, `user_already_exists`,
/// `weak_password`, …) and texts; their kind gives the HTTP status: `InvalidInput` 400,
/// `PermissionDenied` 403, `NotFound` 404, `AlreadyExists`, `Constraint` and `Unsupported` 422.
pub trait AuthDriver: Send + Sync + 'static {
    /// What this provider can do.
    fn features(&self) -> Features;

    /// Verifies an access token.
    ///
    /// # Behavior
    /// A token without a role is anonymous. A token that can't be verified is `PGRST301`, one whose
    /// claims don't hold now `PGRST303` (both of kind `Unauthenticated`), one whose role is not for
    /// callers `42501`; the texts are PostgREST's.
    fn authenticate(&self, cx: &Context, op: &Authenticate) -> impl Future<Output = Result<Identity>> + Send;

    /// Makes a user.
    ///
    /// # Behavior
    /// Of several sign-ups of one address at once, one succeeds. Where addresses are confirmed, the
    /// answer does not tell whether the address was known.
    fn sign_up(&self, cx: &Context, op: &SignUp) -> impl Future<Output = Result<SignedUp>> + Send;

    /// Signs in with a password.
    ///
    /// # Behavior
    /// Neither answer nor time tells a wrong password from an unknown user.
    fn sign_in_with_password(
        &self,
        cx: &Context,
        op: &SignInWithPassword,
    ) -> impl Future<Output = Result<Session>> + Send;

    /// Renews a session.
    ///
    /// # Behavior
    /// A refresh token is good once. Whoever uses it again shortly after, or uses the one before the
    /// present one, is given the present one; any other reuse ends the session.
    fn refresh(&self, cx: &Context, op: &Refresh) -> impl Future<Output = Result<Session>> + Send;

    /// The calling user. Refused when its session has ended.
    fn get_user(&self, cx: &Context, op: &GetUser) -> impl Future<Output = Result<User>> + Send;

    /// Changes the calling user. Refused when its session has ended; who has a verified second factor changes
    /// address, number and password in a session of level `aal2` only.
    fn update_user(&self, cx: &Context, op: &UpdateUser) -> impl Future<Output = Result<User>> + Send;

    /// Ends sessions of the calling user.
    fn sign_out(&self, cx: &Context, op: &SignOut) -> impl Future<Output = Result<()>> + Send;

    /// Makes a second factor of the calling user.
    ///
    /// # Behavior
    /// Who has a verified factor needs a session of level `aal2` for another one.
    fn enroll_factor(
        &self,
        cx: &Context,
        op: &EnrollFactor,
    ) -> impl Future<Output = Result<EnrolledFactor>> + Send;

    /// Asks for a code of a factor of the calling user.
    fn challenge_factor(
        &self,
        cx: &Context,
        op: &ChallengeFactor,
    ) -> impl Future<Output = Result<Challenge>> + Send;

    /// Answers a challenge, and raises the session.
    ///
    /// # Behavior
    /// A challenge is answered once, before it expires, from where it was asked for; of several answers with
    /// one code, one is right. The user's sessions below `aal2` end.
    fn verify_factor(&self, cx: &Context, op: &VerifyFactor) -> impl Future<Output = Result<Session>> + Send;

    /// Ends a factor of the calling user.
    ///
    /// # Behavior
    /// A verified one only in a session of level `aal2`.
    fn unenroll_factor(&self, cx: &Context, op: &UnenrollFactor) -> impl Future<Output = Result<()>> + Send;

    /// Makes a user as an operator.
    fn admin_create_user(
        &self,
        cx: &Context,
        op: &AdminCreateUser,
    ) -> impl Future<Output = Result<User>> + Send;

    /// Lists users.
    fn admin_list_users(
        &self,
        cx: &Context,
        op: &AdminListUsers,
    ) -> impl Future<Output = Result<UserPage>> + Send;

    /// A user by its id.
    fn admin_get_user(&self, cx: &Context, op: &AdminGetUser) -> impl Future<Output = Result<User>> + Send;

    /// Changes a user as an operator.
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
    ) -> impl Future<Output = Result<()>> + Send;

    /// Lists the factors of a user.
    fn admin_list_factors(
        &self,
        cx: &Context,
        op: &AdminListFactors,
    ) -> impl Future<Output = Result<Vec<Factor>>> + Send;

    /// Ends a factor of a user as an operator.
    fn admin_delete_factor(
        &self,
        cx: &Context,
        op: &AdminDeleteFactor,
    ) -> impl Future<Output = Result<Factor>> + Send;

    /// What can be done here without signing in.
    fn settings(&self, cx: &Context, op: &Settings) -> impl Future<Output = Result<PublicSettings>> + Send;

    /// Public keys, as a JWK set.
    fn public_keys(&self, cx: &Context, op: &PublicKeys) -> impl Future<Output = Result<Json>> + Send;
}
