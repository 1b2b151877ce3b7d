//! The Database service by PostgREST's HTTP API.

mod describe;
mod driver;
mod request;
mod response;

pub use driver::RemoteDatabase;
