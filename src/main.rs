//! The `jalon` binary.
fn main() {}
