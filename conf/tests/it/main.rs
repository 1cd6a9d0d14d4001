//! What the crate promises, from outside: a module a promise.

mod common;
mod dvc;
mod dvc_any;
mod golden;
mod language;
mod lowering;
mod params;
mod properties;
mod schema;
mod toml_oracle;
