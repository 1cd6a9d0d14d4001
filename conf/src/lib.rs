//! What the user wrote. Pure: no file system, environment or clock.
pub mod diagnostic;
pub mod name;
pub mod pipeline;
pub mod value;
