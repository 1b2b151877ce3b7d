//! The Database service by PostgREST's HTTP API.

mod apply;
mod describe;
mod driver;
mod feed;
mod helper;
mod hosting;
mod judge;
mod request;
mod response;
mod scan;
mod stream;

pub use driver::RemoteDatabase;
pub use helper::helper_script;
