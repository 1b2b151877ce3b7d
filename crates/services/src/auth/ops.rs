//! The operations of the Auth service.

use serde_json::{Map, Value as Json};
use truststream_kernel::{FeatureSet, Identity, Requires, Secret, operations};

use super::{
    AuthDriver, AuthFeature, AuthSettings, Session, SignOutScope, SignedUp, User, UserAttributes, Users,
};

operations! {
    /// The Auth service.
    AuthService("auth", AuthFeature), driver AuthDriver, op AuthOp, reply AuthReply {
        Authenticate => authenticate -> Identity, Read, true;
        PublicKeys => public_keys -> Json, Read, true;
        Settings => settings -> AuthSettings, Read, true;
        SignUp => sign_up -> SignedUp, Write, false;
        SignInWithPassword => sign_in_with_password -> Session, Write, false;
        Refresh => refresh -> Session, Write, false;
        GetUser => get_user -> User, Read, true;
        UpdateUser => update_user -> User, Write, false;
        SignOut => sign_out -> (), Write, true;
        AdminCreateUser => admin_create_user -> User, Write, false;
        AdminListUsers => admin_list_users -> Users, Read, true;
        AdminGetUser => admin_get_user -> User, Read, true;
        AdminUpdateUser => admin_update_user -> User, Write, true;
        AdminDeleteUser => admin_delete_user -> User, Write, false;
    }
}

/// Verifies an access token: signature, algorithm, expiry, audience.
#[derive(Clone, Debug)]
pub struct Authenticate {
    /// The token.
    pub token: Secret,
}

/// Asks for the public keys that access tokens are signed with (a JWK set).
#[derive(Clone, Debug, Default)]
pub struct PublicKeys;

/// Asks what clients may know of the settings.
#[derive(Clone, Debug, Default)]
pub struct Settings;

/// Makes a user and, where no confirmation is asked for, a session. Without e-mail address and
/// phone number the user is anonymous.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// What users say of themselves.
    pub data: Map<String, Json>,
}

/// Makes a session.
#[derive(Clone, Debug)]
pub struct SignInWithPassword {
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Password.
    pub password: Secret,
}

/// Changes a refresh token for the next one and an access token.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// The refresh token.
    pub refresh_token: Secret,
}

/// Asks for the calling user.
#[derive(Clone, Debug, Default)]
pub struct GetUser;

/// Changes the calling user.
#[derive(Clone, Debug, Default)]
pub struct UpdateUser {
    /// New e-mail address.
    pub email: Option<String>,
    /// New phone number.
    pub phone: Option<String>,
    /// New password.
    pub password: Option<Secret>,
    /// Members to set in `user_metadata`.
    pub data: Option<Map<String, Json>>,
}

/// Ends sessions of the calling user.
#[derive(Clone, Debug, Default)]
pub struct SignOut {
    /// Which.
    pub scope: SignOutScope,
}

/// Makes a user.
#[derive(Clone, Debug)]
pub struct AdminCreateUser {
    /// What is set of the user.
    pub attributes: UserAttributes,
}

/// Asks for a page of users, the newest first.
#[derive(Clone, Debug)]
pub struct AdminListUsers {
    /// Page, from 1.
    pub page: u64,
    /// Users in a page.
    pub per_page: u64,
}

/// Asks for a user.
#[derive(Clone, Debug)]
pub struct AdminGetUser {
    /// Id.
    pub id: String,
}

/// Changes a user.
#[derive(Clone, Debug)]
pub struct AdminUpdateUser {
    /// Id.
    pub id: String,
    /// What is changed.
    pub attributes: UserAttributes,
}

/// Deletes a user, or only makes the account unusable and its data unreadable (`soft`).
#[derive(Clone, Debug)]
pub struct AdminDeleteUser {
    /// Id.
    pub id: String,
    /// Keep the row.
    pub soft: bool,
}

impl Requires for Authenticate {}
impl Requires for PublicKeys {}
impl Requires for Settings {}
impl Requires for Refresh {}
impl Requires for GetUser {}
impl Requires for UpdateUser {}
impl Requires for SignOut {}

impl Requires for SignUp {
    fn needs(&self) -> FeatureSet {
        let anonymous = self.email.is_none() && self.phone.is_none();
        FeatureSet::of(&[if anonymous { AuthFeature::Anonymous } else { AuthFeature::Passwords }])
    }
}

impl Requires for SignInWithPassword {
    fn needs(&self) -> FeatureSet {
        FeatureSet::of(&[AuthFeature::Passwords])
    }
}

macro_rules! needs_admin {
    ($($operation:ty),+) => {
        $(impl Requires for $operation {
            fn needs(&self) -> FeatureSet {
                FeatureSet::of(&[AuthFeature::Admin])
            }
        })+
    };
}

needs_admin!(AdminCreateUser, AdminListUsers, AdminGetUser, AdminUpdateUser, AdminDeleteUser);
