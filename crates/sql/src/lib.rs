//! PostgreSQL text to catalog, filters and policies, and what the SQL providers share in planning.
//!
//! Migrations become a catalog:
//!
//! ```
//! # fn main() -> truststream_kernel::Result<()> {
//! use truststream_services::database::{Catalog, TableName};
//!
//! let mut catalog = Catalog::default();
//! for statement in truststream_sql::schema::parse("create table tracks (id serial primary key)")? {
//!     truststream_sql::schema::apply(&mut catalog, &statement)?;
//! }
//! assert_eq!(catalog.table(&TableName::public("tracks")).unwrap().primary_key, ["id"]);
//! # Ok(())
//! # }
//! ```
//!
//! - [`expression::condition`], [`expression::value`] and [`expression::index_terms`] translate policies,
//!   checks, defaults and indexes to SQLite, which has to know [`expression::functions::FUNCTIONS`];
//! - [`sqlite::data`] translates the rows of migrations and seeds;
//! - [`sqlite::review()`] lists what of migrations SQLite can't hold, before anything is applied.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod arguments;
pub mod callable;
pub mod closest;
pub mod composite;
pub mod computed;
pub mod diff;
pub mod evaluate;
pub mod expression;
pub mod grants;
pub mod hash;
pub mod numeric;
pub mod partitions;
pub mod pattern;
pub mod payload;
pub mod plpgsql;
pub mod printed;
pub mod quote;
pub mod raised;
pub mod rehearse;
pub mod relations;
pub mod render;
pub mod response;
pub mod schema;
pub mod server;
pub mod sqlite;
pub mod text_search;
pub mod truncate;
pub mod updatable;
