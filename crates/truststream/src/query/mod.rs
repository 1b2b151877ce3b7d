//! Reading and writing tables, calling functions.
//!
//! A request is built from [`Table`] and sent by its last method (`fetch`, `single`, `count`, …) or,
//! for writes, by awaiting it. What is wrong in a request (a `select` that can't be parsed, a filter
//! on something that is not embedded) is reported when it is sent.

mod call;
mod filters;
mod literal;
mod read;
mod request;
mod table;
mod write;

pub use call::Call;
pub use read::Select;
pub use request::Request;
pub use table::Table;
pub use write::{Delete, Insert, Update, Write};
