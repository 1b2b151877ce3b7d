//! A planned query as PostgreSQL's SQL.

mod body;
mod call;
mod fields;
mod filter;
mod read;
mod request;
mod values;
mod write;

pub(crate) use call::call;
pub(crate) use request::{Statement, counted_estimate, select};
pub(crate) use truststream_sql::callable::Callable;
pub(crate) use values::select_values;
pub(crate) use write::{delete, insert, update};
