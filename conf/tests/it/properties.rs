//! Properties: nothing panics, places are real, merging has its laws.

use jalon_conf::{Selector, Value};
use proptest::prelude::*;

use crate::common::{files, inline_params, read};

/// Whatever is read, every place lies in the text and every error has one.
fn total(text: &str, params: &str) {
    let lowered = read("jalon.toml", text, &[("params.yml", params)]);
    for d in &lowered.diagnostics {
        for (at, _) in d.spans.iter().filter(|(at, _)| &*at.file == "jalon.toml") {
            assert!(at.offset + at.length <= text.len(), "{d:?}");
            assert!(at.line >= 1 && at.column >= 1 && at.width >= 1, "{d:?}");
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e9..1e9).prop_map(Value::Float),
        "[a-c]{0,3}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|m| Value::Table(m.into_iter().collect())),
        ]
    })
}

fn merged(a: &Value, b: &Value) -> Value {
    let mut out = a.clone();
    out.merge(b.clone());
    out
}

proptest! {
    #[test]
    fn garbage_is_read(text in "[\\[\\]{}a-c.=\"'\\\\\n #,0-9é]{0,200}") {
        total(&text, &text);
    }

    #[test]
    fn mutations_are_read(pick in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), cut in 0..20_usize, put in "[\\[\\]{}a-c.=\"'\n #,*/é]{0,6}") {
        let all: Vec<(String, String)> = files("good").into_iter().chain(files("bad")).filter(|(_, t)| !t.is_empty()).collect();
        let text = &all[pick.index(all.len())].1;
        let boundary = |i: usize| (0..=i.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
        let start = boundary(at.index(text.len()));
        let end = boundary(start + cut).max(start);
        let changed = format!("{}{put}{}", &text[..start], &text[end..]);
        total(&changed, &inline_params(&changed));
    }

    #[test]
    fn merging_is_associative_and_idempotent(a in value(), b in value(), c in value()) {
        prop_assert_eq!(merged(&a, &a), a.clone());
        let both_tables = [&a, &b, &c].iter().all(|v| matches!(v, Value::Table(_)));
        if both_tables {
            let empty = Value::Table(Vec::new());
            prop_assert_eq!(merged(&a, &empty), a.clone());
            prop_assert_eq!(merged(&empty, &a), a.clone());
        }
        let once = merged(&a, &b);
        prop_assert_eq!(merged(&once, &b), once);
    }

    #[test]
    fn canonical_text_is_stable(a in value()) {
        let canonical = a.canonical();
        prop_assert_eq!(canonical.canonical().to_json(), canonical.to_json());
        prop_assert!(serde_json::from_str::<serde_json::Value>(&a.to_json()).is_ok());
    }

    #[test]
    fn selectors_are_total(text in "[a-c\\[\\],=*:/. ]{0,20}") {
        let _ = Selector::parse(&text);
    }
}
