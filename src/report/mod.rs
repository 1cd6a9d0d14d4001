//! Events and verdicts made into something that a person or a script reads. Pure: no terminal, no clock.

pub mod chrome;
mod dot;
pub mod error;
mod failures;
mod from_plan;
pub mod graph;
pub mod html;
pub mod hunks;
pub mod junit;
mod layout;
pub mod markdown;
mod marks;
mod mermaid;
mod outline;
mod page;
mod picture;
pub mod plan;
pub mod summary;
mod svg;
mod table;
pub mod tally;
mod timeline;
mod view;
pub mod words;

pub use from_plan::made_of;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sketch;
