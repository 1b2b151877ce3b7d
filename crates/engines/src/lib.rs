//! The services TrustStream runs itself on top of others: native auth, storage and realtime.
