//! Parameter values: JSON's shapes, with integers and floats kept apart and tables in written order.

use serde::{Deserialize, Serialize};

/// A parameter value. Floats are finite or not (`.inf`, `.nan` in YAML).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text; dates and times too.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A table in written order, keys unique.
    Table(Vec<(String, Value)>),
}
