//! Declarations written into a definition: text in, text out, comments and layout kept.
//!
//! Adds sources, and to nodes code and inputs, where they are not there yet; takes nothing away. Knows the
//! form of the file and nothing of disk; whether the result is a valid definition is for the reader to say.

use toml_edit::{Array, DocumentMut, Formatted, Item, Table, TableLike, Value};

/// What is to be declared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Additions {
    /// Sources: name and path.
    pub sources: Vec<(String, String)>,
    /// Nodes, each once.
    pub nodes: Vec<NodeAdditions>,
}

/// What is to be declared of one node, a matrix taken as one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeAdditions {
    /// The name of its table.
    pub node: String,
    /// Files for `code`.
    pub code: Vec<String>,
    /// Artifacts for `in`.
    pub inputs: Vec<String>,
}

/// The definition with the declarations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The text; the same where there was nothing to add.
    pub text: String,
    /// Nodes that have no table in this text, or one in which the keys are no lists.
    pub left: Vec<String>,
}

/// Writes declarations into a definition.
///
/// # Errors
/// The text is no TOML; the parser's words.
pub fn declare(text: &str, additions: &Additions) -> Result<Declared, String> {
    let windows = text.contains("\r\n") && !text.replace("\r\n", "").contains('\n');
    let mut document: DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
    let (mut left, mut changed) = (Vec::new(), false);
    for node in &additions.nodes {
        match add(&mut document, node) {
            Some(more) => changed |= more,
            None => left.push(node.node.clone()),
        }
    }
    let is_used = |name: &String| {
        let mut rest = additions.nodes.iter();
        rest.any(|node| node.inputs.contains(name) && !left.contains(&node.node))
    };
    for (name, path) in additions.sources.iter().filter(|(name, _)| is_used(name)) {
        changed |= source(&mut document, name, path);
    }
    let text = match (changed, windows) {
        (false, _) => text.to_owned(),
        (true, false) => document.to_string(),
        (true, true) => document
            .to_string()
            .replace("\r\n", "\n")
            .replace('\n', "\r\n"),
    };
    Ok(Declared { text, left })
}

/// Whether anything was added; nothing where there is no such table.
fn add(document: &mut DocumentMut, node: &NodeAdditions) -> Option<bool> {
    let nodes = document.get_mut("node")?.as_table_like_mut()?;
    let table = nodes.get_mut(&node.node)?.as_table_like_mut()?;
    let is_list = |key: &str| {
        table
            .get(key)
            .is_none_or(|item| item.is_array() || key == "in" && item.is_table_like())
    };
    if !is_list("code") || !is_list("in") {
        return None;
    }
    let code = append(table, "code", &node.code);
    Some(append(table, "in", &node.inputs) || code)
}

/// Puts texts at the end of a list, which is made where there is none. An `in` that gives names gets more names.
fn append(table: &mut dyn TableLike, key: &str, texts: &[String]) -> bool {
    let mut changed = false;
    if let Some(named) = table.get_mut(key).and_then(Item::as_table_like_mut) {
        for text in texts {
            if named.iter().any(|(_, item)| item.as_str() == Some(text)) {
                continue;
            }
            let mut alias = text.clone();
            while named.contains_key(&alias) {
                alias.push('_');
            }
            insert(named, &alias, text.as_str().into());
            changed = true;
        }
        return changed;
    }
    let known = |array: &Array, text: &str| array.iter().any(|item| item.as_str() == Some(text));
    match table.get_mut(key).and_then(Item::as_array_mut) {
        Some(array) => {
            for text in texts {
                if !known(array, text) {
                    push(array, text);
                    changed = true;
                }
            }
        }
        None if texts.is_empty() => {}
        None => {
            let array: Array = texts.iter().map(String::as_str).collect();
            insert(table, key, Value::Array(array));
            changed = true;
        }
    }
    changed
}

/// Puts a text at the end of a list as its neighbours stand: a line of its own where they have one. A comment
/// after the last of them stays with it.
fn push(array: &mut Array, text: &str) {
    let mut value = Value::String(Formatted::new(text.to_owned()));
    let raw = |raw: Option<&toml_edit::RawString>| {
        let text = raw.and_then(|raw| raw.as_str());
        text.unwrap_or_default().to_owned()
    };
    let Some(last) = array.iter().last() else {
        array.push_formatted(value);
        return;
    };
    let before = raw(last.decor().prefix());
    let comma = array.trailing_comma();
    let after = if comma {
        raw(Some(array.trailing()))
    } else {
        raw(last.decor().suffix())
    };
    match (before.rfind('\n'), after.rfind('\n')) {
        (Some(at), Some(end)) => {
            let comments = after[..end].trim_end();
            value
                .decor_mut()
                .set_prefix(format!("{comments}{}", &before[at..]));
            if comma {
                array.set_trailing(&after[end..]);
            } else {
                value.decor_mut().set_suffix(&after[end..]);
                let index = array.len() - 1;
                if let Some(last) = array.get_mut(index) {
                    last.decor_mut().set_suffix("");
                }
            }
        }
        _ => {
            let space = if array.len() > 1 && before.is_empty() {
                ""
            } else {
                " "
            };
            value.decor_mut().set_prefix(space);
            if !comma {
                value.decor_mut().set_suffix(after);
                let index = array.len() - 1;
                if let Some(last) = array.get_mut(index) {
                    last.decor_mut().set_suffix("");
                }
            }
        }
    }
    array.push_formatted(value);
}

/// A new key at the end of a table, its `=` below those of the others where they stand in a column.
fn insert(table: &mut dyn TableLike, key: &str, mut value: Value) {
    let names: Vec<String> = table
        .iter()
        .filter(|(_, item)| item.is_value())
        .map(|(name, _)| name.to_owned())
        .collect();
    let column = |name: &String| {
        let decor = table.key(name)?.leaf_decor();
        let space = decor.suffix()?.as_str()?;
        Some(name.chars().count() + space.chars().count())
    };
    let columns: Vec<Option<usize>> = names.iter().map(column).collect();
    let in_column = columns.len() > 1 && columns.windows(2).all(|pair| pair[0] == pair[1]);
    if let Some(last) = table
        .iter_mut()
        .last()
        .and_then(|(_, item)| item.as_value_mut().map(Value::decor_mut))
    {
        // The space before the brace that closes an inline table.
        let space = last
            .suffix()
            .and_then(|suffix| suffix.as_str())
            .unwrap_or_default()
            .to_owned();
        if space.chars().all(|c| c == ' ') {
            last.set_suffix("");
            value.decor_mut().set_suffix(space);
        }
    }
    table.insert(key, Item::Value(value));
    if let (true, Some(Some(column)), Some(mut key)) =
        (in_column, columns.first(), table.key_mut(key))
    {
        let space = column.saturating_sub(key.get().chars().count()).max(1);
        key.leaf_decor_mut().set_suffix(" ".repeat(space));
    }
}

/// Whether the source was not there.
fn source(document: &mut DocumentMut, name: &str, path: &str) -> bool {
    if document.get("source").is_none() {
        first_table(document);
    }
    let Some(table) = document.get_mut("source").and_then(Item::as_table_like_mut) else {
        return false;
    };
    if table.contains_key(name) {
        return false;
    }
    insert(table, name, path.into());
    true
}

/// A `[source]` before the first node, and after what stands at the head of the file.
fn first_table(document: &mut DocumentMut) {
    let mut table = Table::new();
    let is_first = document.iter().next().is_none_or(|(key, _)| key == "node");
    let mut above = if is_first { "" } else { "\n" }.to_owned();
    if let Some(node) = document.get_mut("node").and_then(first_node) {
        let comments = node.decor().prefix().and_then(|prefix| prefix.as_str());
        let comments = comments.unwrap_or_default().to_owned();
        let (head, own) = match comments.rfind("\n\n") {
            Some(at) => comments.split_at(at + 1),
            None => ("", comments.as_str()),
        };
        if !head.trim().is_empty() {
            above = format!("{head}\n");
        }
        let own = own.trim_start_matches('\n');
        node.decor_mut().set_prefix(format!("\n{own}"));
        // Tables are written in the order of their positions; equal ones in that of the document.
        table.set_position(node.position());
    }
    table.decor_mut().set_prefix(above);
    let keys: Vec<String> = document.iter().map(|(key, _)| key.to_owned()).collect();
    let after = keys.iter().skip_while(|key| *key != "node");
    let rest: Vec<_> = after
        .filter_map(|key| document.as_table_mut().remove_entry(key))
        .collect();
    document.insert("source", Item::Table(table));
    for (key, item) in rest {
        document.as_table_mut().insert_formatted(&key, item);
    }
}

fn first_node(nodes: &mut Item) -> Option<&mut Table> {
    let tables = nodes.as_table_mut()?.iter_mut();
    let tables = tables.filter_map(|(_, node)| node.as_table_mut());
    tables
        .filter(|table| table.position().is_some())
        .min_by_key(|table| table.position())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(node: &str, code: &[&str], inputs: &[&str]) -> NodeAdditions {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        NodeAdditions {
            node: node.to_owned(),
            code: texts(code),
            inputs: texts(inputs),
        }
    }

    #[track_caller]
    fn assert_declared(
        text: &str,
        nodes: Vec<NodeAdditions>,
        sources: &[(&str, &str)],
        expected: &str,
    ) {
        let sources = sources
            .iter()
            .map(|&(name, path)| (name.to_owned(), path.to_owned()))
            .collect();
        let additions = Additions { sources, nodes };
        let declared = declare(text, &additions).unwrap();
        assert_eq!(declared.text, expected);
        assert_eq!(declared.left, [""; 0]);
        let again = declare(&declared.text, &additions).unwrap();
        assert_eq!(again.text, expected, "a second time changes nothing");
    }

    #[test]
    fn a_list_on_one_line() {
        assert_declared(
            "[node.a]\ncmd = 'x'\ncode = [\"a.py\"] # mine\n",
            vec![node("a", &["a.py", "b.py", "c \"d\".py"], &[])],
            &[],
            "[node.a]\ncmd = 'x'\ncode = [\"a.py\", \"b.py\", 'c \"d\".py'] # mine\n",
        );
        assert_declared(
            "[node.a]\ncode = [ \"a.py\", \"b.py\" ]\nin=[]\n",
            vec![node("a", &["c.py"], &["x"])],
            &[],
            "[node.a]\ncode = [ \"a.py\", \"b.py\", \"c.py\" ]\nin=[\"x\"]\n",
        );
    }

    #[test]
    fn a_list_with_a_line_for_each_keeps_comments_where_they_are() {
        assert_declared(
            "[node.a]\ncode = [\n  \"a.py\", # the first\n  \"b.py\", # the last\n]\n",
            vec![node("a", &["c.py", "d.py"], &[])],
            &[],
            "[node.a]\ncode = [\n  \"a.py\", # the first\n  \"b.py\", # the last\n  \"c.py\",\n  \"d.py\",\n]\n",
        );
        assert_declared(
            "[node.a]\ncode = [\n  \"a.py\",\n  \"b.py\"\n]\n",
            vec![node("a", &["c.py"], &[])],
            &[],
            "[node.a]\ncode = [\n  \"a.py\",\n  \"b.py\",\n  \"c.py\"\n]\n",
        );
    }

    #[test]
    fn a_new_key_stands_in_the_column_of_the_others() {
        assert_declared(
            "# top\n[node.a]\ncmd    = 'x'\nparams = ['p']\n\n# out\n[node.a.out]\nx = 'x'\n\n[node.b]\ncmd = 'y'\n",
            vec![node("a", &["a.py"], &[]), node("b", &["b.py"], &[])],
            &[],
            "# top\n[node.a]\ncmd    = 'x'\nparams = ['p']\ncode   = [\"a.py\"]\n\n# out\n[node.a.out]\nx = 'x'\n\n[node.b]\ncmd = 'y'\ncode = [\"b.py\"]\n",
        );
    }

    #[test]
    fn inline_and_dotted_tables() {
        assert_declared(
            "node.a = { cmd = 'x', out = { o = 'o' } }\nnode.b.cmd = 'y'\n",
            vec![node("a", &["a.py"], &[]), node("b", &["b.py"], &[])],
            &[],
            "node.a = { cmd = 'x', out = { o = 'o' }, code = [\"a.py\"] }\nnode.b.cmd = 'y'\nnode.b.code = [\"b.py\"]\n",
        );
    }

    #[test]
    fn sources_come_with_the_inputs_that_use_them() {
        assert_declared(
            "[pipeline]\nname = 'p'\n\n# The first.\n[node.a]\ncmd = 'x'\nin = { z = 'zz' }\n\n[node.b]\ncmd = 'y'\n",
            vec![node("a", &[], &["d"]), node("b", &[], &["d"])],
            &[("d", "data/d.csv"), ("unused", "u")],
            "[pipeline]\nname = 'p'\n\n[source]\nd = \"data/d.csv\"\n\n# The first.\n[node.a]\ncmd = 'x'\nin = { z = 'zz', d = \"d\" }\n\n[node.b]\ncmd = 'y'\nin = [\"d\"]\n",
        );
        assert_declared(
            "# Head.\n\n# The first.\n[node.a]\ncmd = 'x'\n",
            vec![node("a", &[], &["d"])],
            &[("d", "d.csv")],
            "# Head.\n\n[source]\nd = \"d.csv\"\n\n# The first.\n[node.a]\ncmd = 'x'\nin = [\"d\"]\n",
        );
        assert_declared(
            "[source]\nraw  = 'r'\nmore = 'm'\n\n[node.a]\ncmd = 'x'\n",
            vec![node("a", &[], &["d"])],
            &[("d", "d.csv")],
            "[source]\nraw  = 'r'\nmore = 'm'\nd    = \"d.csv\"\n\n[node.a]\ncmd = 'x'\nin = [\"d\"]\n",
        );
    }

    #[test]
    fn an_input_whose_name_is_taken_gets_another() {
        assert_declared(
            "[node.a]\ncmd = 'x'\n[node.a.in]\nd = 'other' # d\n",
            vec![node("a", &[], &["d"])],
            &[("d", "d.csv")],
            "[source]\nd = \"d.csv\"\n\n[node.a]\ncmd = 'x'\n[node.a.in]\nd = 'other' # d\nd_ = \"d\"\n",
        );
    }

    #[test]
    fn lines_end_as_they_did() {
        assert_declared(
            "[node.a]\r\ncmd = 'x'\r\n",
            vec![node("a", &["a.py"], &[])],
            &[],
            "[node.a]\r\ncmd = 'x'\r\ncode = [\"a.py\"]\r\n",
        );
    }

    #[test]
    fn a_node_without_a_table_is_left() {
        let additions = Additions {
            sources: vec![("d".into(), "d.csv".into())],
            nodes: vec![node("elsewhere", &["a.py"], &["d"])],
        };
        let text = "[node.a]\ncmd = 'x'\n";
        let declared = declare(text, &additions).unwrap();
        assert_eq!(
            (declared.text.as_str(), declared.left),
            (text, vec!["elsewhere".to_owned()])
        );
        assert!(declare("[node", &additions).is_err());
    }
}
