//! The Auth service.
