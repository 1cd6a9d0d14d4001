//! A node between being counted and being built: its table, its instances, what each makes.

use super::Context;
use super::matrix::Matrix;
use crate::pipeline::ArtifactId;
use crate::place::At;
use crate::raw::{Item, Table};
use crate::scope::Scope;

/// A node's table with its instances numbered.
pub(crate) struct Draft<'a> {
    pub name: &'a str,
    pub at: At,
    pub table: &'a Table,
    pub matrix: Matrix,
    /// The matrix could not be read: the instances are unknown.
    pub unexpanded: bool,
    /// Id of the first instance.
    pub first: u32,
    /// For each instance, its outputs.
    pub outputs: Vec<Vec<(String, ArtifactId)>>,
    pub shaken: bool,
}

impl<'a> Draft<'a> {
    /// References in one instance.
    pub fn scope<'s>(&self, cx: &'s Context<'_>, values: &'s [(String, String)]) -> Scope<'s> {
        Scope {
            vars: cx.vars,
            env: cx.env,
            params: Some(cx.params),
            matrix: Some(values),
            shaken: self.shaken,
        }
    }

    /// The texts of a list, with their places.
    pub fn texts(&self, key: &str) -> impl Iterator<Item = (&'a str, At)> + use<'a> {
        let items = self.table.get(key).and_then(Item::list).unwrap_or(&[]);
        items.iter().filter_map(|i| Some((i.text()?, i.at)))
    }
}
