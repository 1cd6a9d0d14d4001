//! Reading definitions from disk: everything that is not pure about it.

pub mod native;
