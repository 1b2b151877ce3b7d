//! From a table of the configuration to a connected driver, the same way for every provider.

use std::future::Future;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::{Features, Result, Service, Stack};

/// The settings of a provider of one service: what its table in the configuration may say, and how
/// to connect with it.
///
/// A provider implements this for its settings and is entered in the runtime's catalog with one
/// line; name, checks, list of names and documentation follow from there.
pub trait Provider<S: Service>: DeserializeOwned + Send + 'static {
    /// Settings of other sections that the provider carries out unless its own table has them, as
    /// section and key: `("rest", "extra_search_path")`.
    const INHERITS: &'static [(&'static str, &'static str)] = &[];

    /// Whether TrustStream's own engines (auth, storage) can keep their tables there; asked of databases.
    const HOLDS_ENGINES: bool = true;

    /// What the provider can do, as far as it is known without connecting.
    fn declares() -> Features;

    /// Answers an operation that asks of the provider rather than of what it is connected to (what an
    /// engine can't hold, what it emulates); `None` if that is known only when it is connected.
    fn offline(_op: &S::Op) -> Option<Result<S::Reply>> {
        None
    }

    /// Lets relative paths start from the project's folder.
    fn locate(&mut self, _project: &Path) {}

    /// Where it is, without secrets: a path, a host, a bucket.
    fn place(&self) -> String;

    /// Connects.
    ///
    /// # Errors
    /// `BACKEND_002` for settings that are wrong, `BACKEND_005` when it can't be reached.
    fn connect(self) -> impl Future<Output = Result<Stack<S>>> + Send;
}
