//! One file a command.

pub mod config;
pub mod db;
mod db_diff;
mod db_export;
mod db_import;
mod db_pull;
mod db_shown;
pub mod demo;
pub mod dev;
pub mod failover;
pub mod generate;
pub mod migration;
mod migration_down;
mod migration_files;
mod migration_repair;
mod next_step;
pub mod remote;
pub mod report;
pub mod start;
pub mod status;
mod status_text;
pub mod switch;
mod switch_text;

mod reached;
mod schema_source;
mod serve;
mod written_file;
