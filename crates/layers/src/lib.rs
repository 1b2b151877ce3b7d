//! Behaviour put around any provider of any service: one file a layer.
