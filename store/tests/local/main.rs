//! The store on disk: a module a promise.

mod common;

mod collection;
mod damage;
mod history;
mod layout;
mod opening;
mod together;
