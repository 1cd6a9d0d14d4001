//! jalon: the library.
