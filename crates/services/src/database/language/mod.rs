//! The query language as text: PostgREST's URL syntax, which the Rust builders take as well.
//!
//! Syntax follows PostgREST 14
//! (<https://docs.postgrest.org/en/v14/references/api/tables_views.html>). Parsers only read; what
//! names mean is decided against the catalog by whoever plans the query.

mod cursor;
mod filter;
mod name;
mod order;
mod parameters;
mod render;
mod render_filter;
mod render_name;
mod select;

pub use filter::{parse_condition, parse_logic};
pub use order::parse_order;
pub use parameters::{Parameters, add_condition, add_parameter, filter_of, parse_parameters};
pub use render::{render_names, render_query};
pub use select::parse_select;

#[cfg(test)]
mod render_tests;
#[cfg(test)]
mod tests;
