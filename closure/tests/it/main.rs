//! What a closure promises, a module a promise.

mod cases;
