//! `[store]`: the settings that are in force, and for every setting the layer it came from.

use std::collections::BTreeMap;

use crate::diagnostic::Location;
use crate::findings::Findings;
use crate::layer::Layer;
use crate::layers::Setting;
use crate::pipeline::{Link, StoreSettings};
use crate::place::Texts;
use crate::quantity;
use crate::raw::{Item, Raw, Table};
use crate::scope::Scope;

/// What holds where nothing is written.
const BUILT_IN: [(&str, &str); 6] = [
    ("store.link", "\"auto\""),
    ("store.push", "false"),
    ("store.required", "false"),
    ("store.token_env", "\"JALON_REMOTE_TOKEN\""),
    ("defaults.undeclared", "\"follow\""),
    ("defaults.isolation", "\"trace\""),
];

/// Reads `[store]`, merged over all layers.
pub(crate) fn store(
    table: Option<&Table>,
    scope: &Scope<'_>,
    findings: &mut Findings,
) -> StoreSettings {
    let none = Table::default();
    let table = table.unwrap_or(&none);
    let mut text = |key: &str| {
        let item = table.get(key)?;
        scope.text(item.text()?, item.at, findings)
    };
    let path = text("path");
    let (ca, client_cert, client_key) = (text("ca"), text("client_cert"), text("client_key"));
    let mut remote = Vec::new();
    for item in table.get("remote").map_or(&[][..], Item::one_or_many) {
        if let Some(url) = item.text().and_then(|t| scope.text(t, item.at, findings)) {
            remote.push((url, findings.texts.locate(item.at)));
        }
    }
    let flag = |key: &str| table.get(key).and_then(Item::bool).unwrap_or(false);
    StoreSettings {
        path,
        link: match table.get("link").and_then(Item::text) {
            Some("hardlink") => Link::Hardlink,
            Some("copy") => Link::Copy,
            _ => Link::Auto,
        },
        max_size: table.get("max_size").and_then(size_of),
        remote,
        push: flag("push"),
        required: flag("required"),
        require: texts(table.get("require")),
        trusted_keys: texts(table.get("trusted_keys")),
        token_env: table
            .get("token_env")
            .and_then(Item::text)
            .unwrap_or("JALON_REMOTE_TOKEN")
            .to_owned(),
        headers: headers(table.sub("headers")),
        ca,
        client_cert,
        client_key,
    }
}

/// The strings of a list.
pub(crate) fn texts(item: Option<&Item>) -> Vec<String> {
    item.and_then(Item::list)
        .unwrap_or(&[])
        .iter()
        .filter_map(|i| i.text().map(str::to_owned))
        .collect()
}

/// A size that was checked.
pub(crate) fn size_of(item: &Item) -> Option<u64> {
    match &item.raw {
        Raw::Text(text) => quantity::size(text),
        Raw::Int(i) => u64::try_from(*i).ok(),
        _ => None,
    }
}

fn headers(table: Option<&Table>) -> BTreeMap<String, String> {
    let entries = table.map_or(&[][..], |t| &t.entries);
    entries
        .iter()
        .filter_map(|e| Some((e.key.clone(), e.item.text()?.to_owned())))
        .collect()
}

/// Where every setting of `[pipeline]`, `[store]` and `[defaults]` came from.
pub(crate) fn provenance(table: &Table, texts: &Texts) -> Vec<Setting> {
    let mut out = Vec::new();
    for section in ["pipeline", "store", "defaults"] {
        if let Some(table) = table.sub(section) {
            collect(section, table, texts, &mut out);
        }
    }
    for (key, value) in BUILT_IN {
        if !out.iter().any(|s| s.key == key) {
            out.push(Setting {
                key: key.into(),
                value: value.into(),
                layer: Layer::Default,
                at: Location::default(),
            });
        }
    }
    out
}

fn collect(prefix: &str, table: &Table, texts: &Texts, out: &mut Vec<Setting>) {
    for entry in &table.entries {
        let key = format!("{prefix}.{}", entry.key);
        match entry.item.table() {
            Some(inner) => collect(&key, inner, texts, out),
            None => out.push(Setting {
                key,
                value: entry.item.to_value().to_json(),
                layer: entry.item.layer,
                at: texts.locate(entry.item.at),
            }),
        }
    }
}
