//! A run as JUnit XML, the form that CI systems show: one test case a node. Reused nodes pass at once and
//! say so in a property, what was not reached is skipped, what failed carries the end of its output.
//! Elements and attributes: those that Jenkins' and GitLab's readers share.

use std::fmt::Write;

use super::tally::{NodeSummary, Standing, Summary};
use super::words;
use crate::event::Status;
use crate::verdict::Reason;

/// The document; nodes that nobody asked for are left out.
pub fn xml(summary: &Summary, project: &str) -> String {
    let nodes: Vec<&NodeSummary> = summary
        .nodes
        .iter()
        .filter(|node| node.standing != Standing::NotNeeded)
        .collect();
    let orphan = orphan(summary, &nodes);
    let skipped = nodes.iter().filter(|node| is_skipped(node)).count();
    let failures = nodes
        .iter()
        .filter(|node| node.standing == Standing::Failed)
        .count();
    let totals = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"{}\" skipped=\"{skipped}\" time=\"{:.3}\"",
        nodes.len() + usize::from(orphan.is_some()),
        u8::from(orphan.is_some()),
        summary.seconds
    );
    let project = escaped(project);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<testsuites name=\"{project}\" {totals}>");
    let _ = writeln!(text, "  <testsuite name=\"{project}\" {totals}>");
    text += "    <properties>\n";
    for (name, value) in [
        ("run", summary.run.as_str()),
        ("env", &summary.env),
        ("status", summary.status.word()),
    ] {
        let _ = writeln!(
            text,
            "      <property name=\"{name}\" value=\"{}\"/>",
            escaped(value)
        );
    }
    text += "    </properties>\n";
    nodes
        .iter()
        .for_each(|node| case(&mut text, &project, node));
    if let Some(message) = orphan {
        let _ = writeln!(
            text,
            "    <testcase classname=\"{project}\" name=\"(run)\" time=\"0.000\">"
        );
        let _ = writeln!(
            text,
            "      <error message=\"{}\"/>\n    </testcase>",
            escaped(&message)
        );
    }
    text += "  </testsuite>\n</testsuites>\n";
    text
}

/// Why the run is no success where no node says so: a hook, a `finally`, the store, a run cut off.
fn orphan(summary: &Summary, nodes: &[&NodeSummary]) -> Option<String> {
    if nodes.iter().any(|node| node.standing == Standing::Failed) {
        return None;
    }
    if !summary.ended {
        return Some("the run did not finish".into());
    }
    match summary.status {
        Status::Succeeded => None,
        Status::Interrupted => Some("the run was interrupted".into()),
        Status::Failed => Some(
            summary
                .error
                .as_ref()
                .map_or_else(|| "the run failed".into(), |error| error.message.clone()),
        ),
    }
}

fn is_skipped(node: &NodeSummary) -> bool {
    matches!(
        node.standing,
        Standing::Blocked | Standing::Cancelled | Standing::Unknown
    )
}

fn case(text: &mut String, project: &str, node: &NodeSummary) {
    let name = escaped(&node.name);
    let _ = writeln!(
        text,
        "    <testcase classname=\"{project}\" name=\"{name}\" time=\"{:.3}\">",
        node.seconds
    );
    properties(text, node);
    match node.standing {
        Standing::Failed => failure(text, node),
        _ if is_skipped(node) => {
            let why = match (node.standing, &node.blocked_by) {
                (Standing::Unknown, _) => "it is not known how it ended".into(),
                (_, Some(by)) => format!("needs {by}"),
                _ => "the run stopped".into(),
            };
            let _ = writeln!(text, "      <skipped message=\"{}\"/>", escaped(&why));
        }
        _ => {}
    }
    *text += "    </testcase>\n";
}

fn properties(text: &mut String, node: &NodeSummary) {
    let mut all = vec![("status", node.standing.word().to_owned())];
    match node.standing {
        Standing::Hit | Standing::Fetched => {
            all.push(("saved_seconds", format!("{:.3}", node.saved_seconds)))
        }
        _ => all.extend(
            node.reason
                .as_ref()
                .map(|reason| ("reason", Reason::line(reason))),
        ),
    }
    if !node.key.is_empty() {
        all.push(("key", node.key.clone()));
    }
    if node.attempts > 1 {
        all.push(("attempts", node.attempts.to_string()));
    }
    *text += "      <properties>\n";
    for (name, value) in all {
        let _ = writeln!(
            text,
            "        <property name=\"{name}\" value=\"{}\"/>",
            escaped(&value)
        );
    }
    *text += "      </properties>\n";
}

fn failure(text: &mut String, node: &NodeSummary) {
    let (kind, message) = node
        .error
        .as_ref()
        .map_or(("failed", ""), |error| (&error.code, &error.message));
    let (kind, message) = (escaped(kind), escaped(message));
    let _ = writeln!(
        text,
        "      <failure type=\"{kind}\" message=\"{message}\">{}</failure>",
        content(&node.tail)
    );
}

/// An attribute's value: line breaks would be read as spaces, so they stand as references.
fn escaped(text: &str) -> String {
    content(text)
        .replace('"', "&quot;")
        .replace('\n', "&#10;")
        .replace('\t', "&#9;")
}

/// Text between tags, without what XML 1.0 cannot hold (section 2.2), terminal colours included.
fn content(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in words::printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            // `]]>` must not stand in text.
            '>' => out.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    /// Elements closed in the order they were opened, nothing bare in text or values: enough of well-formedness
    /// for what this file can get wrong. Gives the tags.
    fn tags(xml: &str) -> Vec<String> {
        let body = xml
            .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
            .expect("a declaration");
        let (mut open, mut all) = (Vec::new(), Vec::new());
        for piece in body.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').expect("a tag ends");
            assert!(!text.contains('>') && !text.contains("]]"), "{text}");
            entities(piece);
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name.to_owned())),
                None if tag.ends_with('/') => {}
                None => open.push(tag.split(' ').next().expect("a name").to_owned()),
            }
            all.push(tag.to_owned());
        }
        assert!(open.is_empty(), "{open:?}");
        all
    }

    fn entities(text: &str) {
        for entity in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#10;", "#9;"];
            assert!(
                known.iter().any(|known| entity.starts_with(known)),
                "{entity}"
            );
        }
        assert!(
            text.chars()
                .all(|c| !c.is_control() || c == '\n' || c == '\t'),
            "{text:?}"
        );
    }

    #[test]
    fn every_node_is_a_case_and_every_text_is_escaped() {
        let xml = xml(&sample::summary(), "a<b>&\"c\"\u{0}\u{1b}[31m]]>\n");
        let tags = tags(&xml.replace("]]&gt;", ""));
        let head = "testsuite name=\"a&lt;b&gt;&amp;&quot;c&quot;]]&gt;&#10;\" tests=\"9\" failures=\"1\" errors=\"0\" skipped=\"2\" time=\"72.050\"";
        assert!(tags.contains(&head.replace("]]&gt;", "")), "{tags:#?}");
        assert_eq!(
            tags.iter()
                .filter(|tag| tag.starts_with("testcase "))
                .count(),
            9
        );
        assert_eq!(
            tags.iter()
                .filter(|tag| *tag == "skipped message=\"needs train[mlp,1]\"/")
                .count(),
            2
        );
        assert_eq!(
            tags.iter()
                .filter(|tag| *tag == "property name=\"status\" value=\"hit\"/")
                .count(),
            2
        );
        let failure = "<failure type=\"exit\" message=\"exit code 3: a &lt; b &amp; c | d\">epoch 1 | loss 0.7\n\
                       ValueError: ```nan``` is not a number ]]&gt;\n</failure>";
        assert!(xml.contains(failure), "{xml}");
    }

    #[test]
    fn a_run_that_did_not_end_is_no_success() {
        let events = sample::events();
        let xml = xml(&Summary::of_events(&events[..10]), "churn");
        tags(&xml);
        assert!(
            xml.contains("errors=\"1\"")
                && xml.contains("<error message=\"the run did not finish\"/>"),
            "{xml}"
        );
    }

    #[test]
    fn a_project_without_nodes_is_still_a_document() {
        tags(&xml(&Summary::of_events(&[]), ""));
    }
}
