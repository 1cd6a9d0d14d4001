//! What the user wrote. Pure: no file system, environment or clock.
//!
//! Texts come in as [`Text`], parameter files as [`ParamsFile`]; out comes a validated
//! [`Pipeline`] or [`Diagnostic`]s, each with its place.

mod check;
mod declare;
mod document;
pub mod dvc;
mod findings;
mod format;
pub mod kedro;
mod layer;
mod layers;
mod lower;
mod name_text;
mod nearest;
mod params;
mod place;
mod quantity;
mod quote;
mod raw;
mod request;
mod schema;
mod scope;
mod settings;
mod shape;
mod template;
mod toml_text;
mod value_text;

pub mod diagnostic;
pub mod name;
pub mod pipeline;
pub mod value;

pub use declare::{Additions, Declared, NodeAdditions, declare};
pub use diagnostic::{Diagnostic, Location, Severity};
pub use document::{Document, Import, Lowered, parse};
pub use format::Format;
pub use layer::Layer;
pub use layers::{Setting, Text};
pub use name::{Instance, Match, Selector};
pub use nearest::nearest;
pub use params::{ParamsFile, Wanted};
pub use pipeline::Pipeline;
pub use quantity::{duration as parse_duration, size as parse_size};
pub use quote::{shell_quote, shell_quote_bytes};
pub use request::Request;
pub use schema::definition_schema;
pub use value::Value;
