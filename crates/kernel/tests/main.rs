//! Values against what PostgreSQL makes of the same texts, and round trips of arbitrary values.
#![allow(clippy::unwrap_used)]

mod postgres;
mod round_trips;
