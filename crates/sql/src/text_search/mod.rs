//! PostgreSQL's full-text search in process: documents as `tsvector`, conditions as `tsquery`.
//!
//! Texts are cut into tokens as PostgreSQL's default parser cuts them, words are stemmed by
//! Snowball as its dictionaries do (<https://www.postgresql.org/docs/15/textsearch.html>). The
//! lists of stop words in `stop/` are Snowball's, in the form PostgreSQL ships them in.

mod dictionary;
mod query;
mod query_text;
#[cfg(test)]
mod tests;
mod token;
pub mod vector;
pub mod words;

pub use dictionary::Configuration;
pub use query::Query;
