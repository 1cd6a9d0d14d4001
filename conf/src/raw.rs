//! A definition as written: tables, lists and scalars, each with its place and its layer.
//!
//! Knows nothing of TOML's grammar (see `toml_text`) nor of what any key means.

use std::collections::HashMap;

use crate::layer::Layer;
use crate::place::At;
use crate::value::Value;

/// Something written.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub raw: Raw,
    pub at: At,
    pub layer: Layer,
}

/// What was written.
#[derive(Debug, Clone)]
pub(crate) enum Raw {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// A date or time, as written.
    Date(String),
    List(Vec<Item>),
    Table(Table),
}

/// Entries in written order, keys unique.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub entries: Vec<Entry>,
}

/// A key and what stands under it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: String,
    pub key_at: At,
    pub item: Item,
}

impl Raw {
    /// With its article, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Raw::Text(_) => "a string",
            Raw::Int(_) => "an integer",
            Raw::Float(_) => "a float",
            Raw::Bool(_) => "a boolean",
            Raw::Date(_) => "a date",
            Raw::List(_) => "a list",
            Raw::Table(_) => "a table",
        }
    }

    /// As a parameter value.
    pub fn into_value(self) -> Value {
        match self {
            Raw::Text(t) | Raw::Date(t) => Value::Text(t),
            Raw::Int(i) => Value::Int(i),
            Raw::Float(f) => Value::Float(f),
            Raw::Bool(b) => Value::Bool(b),
            Raw::List(l) => Value::List(l.into_iter().map(|i| i.raw.into_value()).collect()),
            Raw::Table(t) => Value::Table(
                t.entries
                    .into_iter()
                    .map(|e| (e.key, e.item.raw.into_value()))
                    .collect(),
            ),
        }
    }
}

impl Item {
    pub fn table(&self) -> Option<&Table> {
        if let Raw::Table(t) = &self.raw {
            Some(t)
        } else {
            None
        }
    }

    pub fn list(&self) -> Option<&[Item]> {
        if let Raw::List(l) = &self.raw {
            Some(l)
        } else {
            None
        }
    }

    pub fn text(&self) -> Option<&str> {
        if let Raw::Text(t) = &self.raw {
            Some(t)
        } else {
            None
        }
    }

    pub fn bool(&self) -> Option<bool> {
        if let Raw::Bool(b) = self.raw {
            Some(b)
        } else {
            None
        }
    }

    /// The elements of a list, or the thing itself as the only one.
    pub fn one_or_many(&self) -> &[Item] {
        self.list().unwrap_or(std::slice::from_ref(self))
    }

    /// As a parameter value.
    pub fn to_value(&self) -> Value {
        self.raw.clone().into_value()
    }
}

impl Table {
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }

    pub fn get(&self, key: &str) -> Option<&Item> {
        self.entry(key).map(|e| &e.item)
    }

    pub fn sub(&self, key: &str) -> Option<&Table> {
        self.get(key).and_then(Item::table)
    }

    pub fn take(&mut self, key: &str) -> Option<Entry> {
        let index = self.entries.iter().position(|e| e.key == key)?;
        Some(self.entries.remove(index))
    }

    /// Deep-merges `over` into this one: tables merge, everything else is replaced in place.
    pub fn merge(&mut self, over: Table) {
        if over.entries.is_empty() {
            return;
        }
        let index: HashMap<String, usize> = self
            .entries
            .iter()
            .enumerate()
            .map(|(i, e)| (e.key.clone(), i))
            .collect();
        for entry in over.entries {
            match index.get(&entry.key).and_then(|&i| self.entries.get_mut(i)) {
                None => self.entries.push(entry),
                Some(mine) => match (&mut mine.item.raw, entry.item.raw) {
                    (Raw::Table(a), Raw::Table(b)) => a.merge(b),
                    (_, raw) => {
                        *mine = Entry {
                            item: Item { raw, ..entry.item },
                            ..entry
                        }
                    }
                },
            }
        }
    }
}
