//! TrustStream as a Rust library: one backend API over any provider.
