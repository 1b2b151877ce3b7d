//! The Realtime service.
