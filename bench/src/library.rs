//! The library against the raw driver doing the same work (rusqlite, tokio-postgres): point read, list
//! read, insert, in process and without HTTP.
//!
//! To come. It shares [`crate::data`] (the same rows), [`crate::stats`] (medians of interleaved rounds) and
//! [`crate::report`] with [`crate::http`], and has its own scenarios, since nothing here is a request.
