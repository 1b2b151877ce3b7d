//! The gateway: one folder per wire protocol.
