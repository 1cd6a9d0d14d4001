//! What was reached, as the parts that a caller hashes: one a definition, and for each module what it does when
//! imported and, where that counts, in which order.
//!
//! Does not decide what is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::closure::Part;
use crate::encode::Encoder;
use crate::facts::{Item, Kind, Module};
use crate::inert::Inert;
use crate::modules::{Id, Modules};
use crate::reach::Reached;
use crate::sources::Sources;

/// Names of parts that define nothing. No definition has parentheses in its name.
const ON_IMPORT: &str = "(on import)";
const ORDER: &str = "(order)";
const DOCUMENTATION: &str = "(documentation)";
const TEXT: &str = "(text)";

/// Items of a module that make up one part.
type Group = (Id, Arc<str>, Vec<usize>);

/// Parts that were put together before, by their items.
#[derive(Default)]
pub(crate) struct Cache {
    labels: FxHashMap<(Id, usize), Arc<str>>,
    parts: FxHashMap<(Id, Vec<usize>), Arc<[u8]>>,
    documentation: FxHashMap<(Id, Vec<usize>), Arc<[u8]>>,
}

/// All parts, sorted.
pub(crate) fn parts<S: Sources>(
    modules: &mut Modules<S>,
    inert: &mut Inert,
    cache: &mut Cache,
    reached: &Reached,
    entry: Id,
) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut effects: BTreeMap<Id, Vec<usize>> = BTreeMap::new();
    for &id in &reached.imported {
        let items = 0..modules.get(id).facts.items.len();
        let some: Vec<usize> = items
            .filter(|&item| inert.has_effect(modules, id, item))
            .collect();
        if !some.is_empty() {
            effects.insert(id, some);
        }
    }
    for (id, label, items) in groups(modules, cache, reached) {
        let module = Arc::clone(&modules.get(id).name);
        let facts = &modules.get(id).facts;
        let none = Vec::new();
        let effects = effects.get(&id).unwrap_or(&none);
        if reached.documentation && items.iter().any(|&it| !facts.items[it].docs.is_empty()) {
            let docs = cache.documentation.entry((id, items.clone()));
            parts.push(Part {
                module: Arc::clone(&module),
                definition: format!("{label} {DOCUMENTATION}").into(),
                bytes: Arc::clone(docs.or_insert_with(|| documentation(facts, &items))),
            });
        }
        let bytes = cache.parts.entry((id, items.clone()));
        parts.push(Part {
            module,
            definition: label,
            bytes: Arc::clone(bytes.or_insert_with(|| definition(facts, &items, effects))),
        });
    }
    for (&id, effects) in &effects {
        parts.push(order(modules, cache, reached, id, effects));
    }
    for &id in &reached.imported {
        let loaded = modules.get(id);
        if reached.documentation && !loaded.facts.documentation.is_empty() {
            parts.push(Part {
                module: Arc::clone(&loaded.name),
                definition: DOCUMENTATION.into(),
                bytes: Arc::clone(&loaded.facts.documentation),
            });
        }
        if let Some(bytes) = &loaded.bytes
            && (reached.text || loaded.facts.opaque.is_some())
        {
            parts.push(Part {
                module: Arc::clone(&loaded.name),
                definition: TEXT.into(),
                bytes: Arc::clone(bytes),
            });
        }
    }
    if effects.len() > 1 {
        parts.push(import_order(modules, reached, entry, &effects));
    }
    parts.sort_unstable();
    parts
}

/// The items reached, those with the same names together.
fn groups<S: Sources>(modules: &Modules<S>, cache: &mut Cache, reached: &Reached) -> Vec<Group> {
    let mut groups: BTreeMap<(Id, Arc<str>), Vec<usize>> = BTreeMap::new();
    for &(id, item) in &reached.items {
        let label = Arc::clone(
            cache
                .labels
                .entry((id, item))
                .or_insert_with(|| label(&modules.get(id).facts.items[item])),
        );
        groups.entry((id, label)).or_default().push(item);
    }
    groups
        .into_iter()
        .map(|((id, label), items)| (id, label, items))
        .collect()
}

fn label(item: &Item) -> Arc<str> {
    if matches!(item.kind, Kind::Star) {
        let from: Vec<&str> = item.imports.iter().map(|it| &*it.module).collect();
        return format!("({} *)", from.join(" ")).into();
    }
    let names: BTreeSet<&str> = item.binds.iter().map(|(name, _)| &**name).collect();
    match names.is_empty() {
        true => ON_IMPORT.into(),
        false => names.into_iter().collect::<Vec<_>>().join(", ").into(),
    }
}

/// The bytes of items. What one reads when it is executed depends on what was bound, and done, before.
fn definition(facts: &Module, items: &[usize], effects: &[usize]) -> Arc<[u8]> {
    let mut out = Encoder::default();
    out.list(items.len());
    for &index in items {
        let item = &facts.items[index];
        out.bytes(&item.bytes);
        let read: Vec<(&str, &[usize])> = item
            .eager
            .iter()
            .map(|name| (&**name, facts.binding(name)))
            .filter(|(_, binding)| !binding.is_empty())
            .collect();
        out.list(read.len());
        for (name, binding) in &read {
            out.text(name).number(before(binding, index));
        }
        let waits = !read.is_empty() || !facts.stars.is_empty() && !item.eager.is_empty();
        out.number(if waits { before(effects, index) } else { 0 });
        out.number(if waits {
            before(&facts.stars, index)
        } else {
            0
        });
    }
    out.into_bytes().into()
}

fn before(sorted: &[usize], index: usize) -> u64 {
    sorted.partition_point(|&it| it < index) as u64
}

fn documentation(facts: &Module, items: &[usize]) -> Arc<[u8]> {
    let mut out = Encoder::default();
    out.list(items.len());
    for &index in items {
        out.bytes(&facts.items[index].docs);
    }
    out.into_bytes().into()
}

/// Where a module does something when it is imported, the order of all that is reached in it counts.
fn order<S: Sources>(
    modules: &Modules<S>,
    cache: &Cache,
    reached: &Reached,
    id: Id,
    effects: &[usize],
) -> Part {
    let mut out = Encoder::default();
    for &(_, item) in reached.items.range((id, 0)..=(id, usize::MAX)) {
        let label = cache.labels.get(&(id, item)).map_or("", |it| &**it);
        out.text(label)
            .number(effects.binary_search(&item).is_ok().into());
    }
    Part {
        module: Arc::clone(&modules.get(id).name),
        definition: ORDER.into(),
        bytes: out.into_bytes().into(),
    }
}

/// In which order modules that do something are imported, from the function's own module on; those that only
/// a function imports come last.
fn import_order<S: Sources>(
    modules: &mut Modules<S>,
    reached: &Reached,
    entry: Id,
    effects: &BTreeMap<Id, Vec<usize>>,
) -> Part {
    let mut trace: Vec<Id> = Vec::new();
    let mut seen: BTreeSet<Id> = BTreeSet::new();
    let mut by_name: Vec<Id> = reached.imported.iter().copied().collect();
    by_name.sort_by(|&a, &b| modules.get(a).name.cmp(&modules.get(b).name));
    for first in std::iter::once(entry).chain(by_name) {
        // Frames of a module and the item that comes next in it.
        let mut stack = vec![];
        enter(modules, first, &mut seen, &mut stack);
        while let Some((id, item)) = stack.pop() {
            let Some(facts) = modules.get(id).facts.items.get(item) else {
                continue;
            };
            let imports = !facts.imports.is_empty();
            stack.push((id, item + 1));
            if effects
                .get(&id)
                .is_some_and(|it| it.binary_search(&item).is_ok())
                && trace.last() != Some(&id)
            {
                trace.push(id);
            }
            // The stack turns them round.
            if imports {
                for executed in modules.resolved(id, item).imports.iter().rev() {
                    for &module in executed.modules.iter().rev() {
                        enter(modules, module, &mut seen, &mut stack);
                    }
                }
            }
        }
    }
    let mut out = Encoder::default();
    for id in trace {
        out.text(&modules.get(id).name);
    }
    Part {
        module: "".into(),
        definition: "(order of imports)".into(),
        bytes: out.into_bytes().into(),
    }
}

/// Begins a module, once, after the packages that it is in.
fn enter<S: Sources>(
    modules: &mut Modules<S>,
    module: Id,
    seen: &mut BTreeSet<Id>,
    stack: &mut Vec<(Id, usize)>,
) {
    if seen.contains(&module) {
        return;
    }
    let name = Arc::clone(&modules.get(module).name);
    let mut all = modules.chain(&name);
    all.push(module);
    for id in all.into_iter().rev() {
        if seen.insert(id) {
            stack.push((id, 0));
        }
    }
}
