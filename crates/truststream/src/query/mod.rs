//! Reading and writing tables, calling functions.
//!
//! A request is built from [`Table`] and sent by its last method (`fetch`, `single`, `count`, …) or,
//! for writes, by awaiting it. What is wrong in a request (a `select` that can't be parsed, a filter
//! on something that is not embedded) is reported when it is sent.

mod atomic;
mod call;
mod filters;
mod keyset;
mod literal;
mod raw;
mod read;
mod request;
mod table;
mod version;
mod write;

pub use atomic::{Atomic, IntoStep, Replies};
pub use call::Call;
pub use keyset::Keyset;
pub(crate) use keyset::go_on;
pub use raw::RawQuery;
pub use read::{Rows, Select};
pub use request::Request;
pub use table::Table;
pub use version::Versioned;
pub use write::{Delete, Insert, Update, Write};
