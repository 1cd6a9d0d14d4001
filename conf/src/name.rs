//! Names of nodes and artifacts, their matrix instances, and the selectors that match them.

use serde::{Deserialize, Serialize};

/// A name with its matrix values: `train`, or `train[gbm,1]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instance {
    /// The name as written in the definition.
    pub base: String,
    /// Matrix keys and values (as text), in matrix order; empty without a matrix.
    pub matrix: Vec<(String, String)>,
}

/// What a user may write as a target or a fan-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selector {
    /// `model`, `model[*]`, `model[gbm,*]`, `model[model=gbm]`: an artifact or a node.
    Name {
        /// The name before the bracket.
        base: String,
        /// What stands in the brackets; `None` without brackets (every instance, for a target).
        matches: Option<Vec<Match>>,
    },
    /// `tag:gpu`.
    Tag(String),
    /// `./models/x.bin`, or anything with a `/`: the artifact at or around that path.
    Path(String),
}

/// One place between the brackets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Match {
    /// `*`.
    Any,
    /// `gbm`: by position.
    Value(String),
    /// `model=gbm`: by key.
    Key(String, String),
}
