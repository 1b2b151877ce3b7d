//! What every protocol works with.

use std::sync::Arc;

use truststream_services::auth::Auth;
use truststream_services::database::Database;
use truststream_services::realtime::Realtime;
use truststream_services::storage::Storage;

use crate::Settings;
use crate::identity::Identities;

/// The services as the route has them, without a caller yet.
#[derive(Clone)]
pub struct Services {
    /// The database.
    pub database: Database,
    /// Users and sessions.
    pub auth: Auth,
    /// Buckets and objects.
    pub storage: Storage,
    /// Messages and changes.
    pub realtime: Realtime,
}

/// Services, callers and settings. Cheap to clone.
#[derive(Clone)]
pub struct GatewayState {
    /// The services.
    pub services: Arc<Services>,
    /// Who is calling.
    pub identities: Arc<Identities>,
    /// The settings.
    pub settings: Arc<Settings>,
}
