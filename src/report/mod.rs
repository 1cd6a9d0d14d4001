//! Events and verdicts made into something that a person or a script reads. Pure: no terminal, no clock.

pub mod chrome;
pub mod graph;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod plan;
#[cfg(test)]
mod sample;
pub mod tally;
pub mod words;
