//! One file a command.

pub mod config;
pub mod db;
mod db_export;
mod db_import;
pub mod demo;
pub mod dev;
pub mod migration;
pub mod start;
pub mod status;
pub mod switch;

mod serve;
