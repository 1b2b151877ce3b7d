//! The two backends of a switch.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use truststream_kernel::{Result, Stack};
use truststream_services::database::{Database, DatabaseService};

use crate::Files;

/// One backend as a switch sees it: below the route, above every policy.
#[derive(Clone)]
pub struct Side {
    /// The backend's name.
    pub name: String,
    /// Its database.
    pub database: Database,
    /// The same with what switches leave alone: tables of a platform that no service of TrustStream reads.
    pub whole: Stack<DatabaseService>,
    /// Its files.
    pub files: Files,
    /// Where its files are, such as `fs /srv/objects`: two sides with the same text share them, and none is
    /// moved.
    pub files_place: String,
    /// Schemas whose rows a provider of its own keeps, behind another API, and where: such as `auth` at
    /// `supabase https://abc.supabase.co`. They are not rows of this database.
    pub elsewhere: BTreeMap<&'static str, String>,
}

/// Opens backends by name.
pub trait Sides: Send + Sync {
    /// The backend, opened if it is not open yet.
    ///
    /// # Errors
    /// `BACKEND_001` when there is none of this name; whatever keeps it from being opened.
    fn side<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Side>>;
}
