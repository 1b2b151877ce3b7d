//! The embedded database: SQLite through rusqlite.
