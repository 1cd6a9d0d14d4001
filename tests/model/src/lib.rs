//! What jalon must do, computed naively: the specification that everything cleverer is held to.
//!
//! [`pipeline`] is a small language of pipelines whose nodes do arithmetic; [`naive`] evaluates one from
//! scratch, every time, with no memory; [`edit`] is what may happen between two runs; [`scenario`] runs a
//! sequence of edits through a [`system::System`] and compares. Nothing here knows how jalon decides.
//!
//! Two promises are checked: what a run leaves equals what a clean run leaves, and no action whose
//! outcome is available executes again.

pub mod binary;
pub mod edit;
pub mod naive;
pub mod pipeline;
pub mod scenario;
pub mod strategy;
pub mod system;
