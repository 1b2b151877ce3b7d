//! The shared suite that every provider must pass.
