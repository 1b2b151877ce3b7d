//! The Database service by PostgREST's HTTP API.

mod apply;
mod describe;
mod driver;
mod request;
mod response;
mod scan;

pub use driver::RemoteDatabase;
