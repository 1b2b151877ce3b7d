//! The Storage service.
