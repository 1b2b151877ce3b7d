//! The command line: truststream.
fn main() {}
