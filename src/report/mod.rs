//! Events and verdicts made into something that a person or a script reads. Pure: no terminal, no clock.

pub mod chrome;
mod dot;
pub mod graph;
pub mod html;
pub mod junit;
mod layout;
pub mod markdown;
mod marks;
mod mermaid;
mod outline;
mod page;
mod picture;
pub mod plan;
mod svg;
pub mod tally;
mod view;
pub mod words;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sketch;
