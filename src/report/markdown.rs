//! A run as Markdown for a CI job's page: the headline, what became of the nodes, what reuse saved, what
//! failed with the end of its output, what the user should know. Syntax: GitHub's, which GitLab reads too.

use std::fmt::Write;

use super::tally::{NodeSummary, Standing, Summary};
use super::words;
use crate::event::Status;

/// Failures told in full; a page of a thousand helps nobody, and GitHub takes one MiB.
const MOST: usize = 20;
/// Rows of the table of nodes.
const ROWS: usize = 200;
/// Characters of a failure's output, from its end.
const TAIL: usize = 20_000;

/// The page.
pub fn page(summary: &Summary, project: &str) -> String {
    let mut text = headline(summary, project);
    text += &counts(summary);
    text += &reuse(summary);
    if let Some(told) = summary.remote.as_ref().and_then(words::remotes) {
        let _ = writeln!(text, "\nRemote: {}.", inline(&told));
    }
    let failed: Vec<&NodeSummary> = summary
        .nodes
        .iter()
        .filter(|node| node.standing == Standing::Failed)
        .collect();
    if !failed.is_empty() {
        text += "\n### Failures\n";
        failed
            .iter()
            .take(MOST)
            .for_each(|node| failure(&mut text, node));
        if failed.len() > MOST {
            let _ = writeln!(text, "\n… and {} more.", failed.len() - MOST);
        }
    } else if let Some(error) = &summary.error {
        let _ = writeln!(text, "\n**Error:** {}", inline(&error.message));
    }
    if !summary.notices.is_empty() {
        text += "\n### Notices\n\n";
        for notice in &summary.notices {
            let _ = writeln!(text, "- {}: {}", code(&notice.code), inline(&notice.text));
        }
    }
    text + &table(summary)
}

/// The nodes, folded away; with more than a page holds, those that want attention first.
fn table(summary: &Summary) -> String {
    let mut shown: Vec<&NodeSummary> = summary
        .nodes
        .iter()
        .filter(|node| node.standing != Standing::NotNeeded)
        .collect();
    if shown.is_empty() {
        return String::new();
    }
    let all = shown.len();
    if all > ROWS {
        shown.sort_by_key(|node| node.standing);
        shown.truncate(ROWS);
    }
    let count = words::count(all as u64, "node");
    let mut text = format!("\n<details><summary>{count}</summary>\n\n");
    text += "| node | status | time | saved | why |\n| :--- | :--- | ---: | ---: | :--- |\n";
    let time = |seconds: f64| match seconds > 0.0 {
        true => words::duration(seconds),
        false => String::new(),
    };
    for node in &shown {
        let (name, status, why) = (code(&node.name), node.standing.label(), inline(&node.why()));
        let (took, saved) = (time(node.seconds), time(node.saved_seconds));
        let _ = writeln!(text, "| {name} | {status} | {took} | {saved} | {why} |");
    }
    if all > ROWS {
        let _ = writeln!(text, "\n… and {} more.", all - ROWS);
    }
    text + "\n</details>\n"
}

fn headline(summary: &Summary, project: &str) -> String {
    let (sign, word) = match (summary.ended, summary.status) {
        (false, _) => ("⏳", "not finished"),
        (_, Status::Succeeded) => ("✅", "succeeded"),
        (_, Status::Failed) => ("❌", "failed"),
        (_, Status::Interrupted) => ("⏹️", "interrupted"),
    };
    let (run, env, time) = (
        code(&summary.run),
        code(&summary.env),
        words::duration(summary.seconds),
    );
    format!(
        "## {sign} {}: {word} in {time}\n\nRun {run}, environment {env}\n\n",
        inline(project)
    )
}

fn counts(summary: &Summary) -> String {
    let counts = &summary.counts;
    let cells = [
        ("reused", counts.hit),
        ("fetched", counts.fetched),
        ("ran", counts.ran),
        ("failed", counts.failed),
        ("not reached", counts.blocked),
        ("not needed", counts.not_needed),
    ];
    let row = |cell: &dyn Fn(&(&str, u64)) -> String| {
        cells
            .iter()
            .map(|each| format!(" {} |", cell(each)))
            .collect()
    };
    let rows: [String; 3] = [
        row(&|(name, _)| (*name).into()),
        row(&|_| "---:".into()),
        row(&|(_, number)| number.to_string()),
    ];
    rows.iter().map(|row| format!("|{row}\n")).collect()
}

/// The hit rate is that of the nodes that came to an end: what was not reached is no miss.
fn reuse(summary: &Summary) -> String {
    let counts = &summary.counts;
    let known = counts.hit + counts.fetched;
    let ended = known + counts.ran + counts.failed;
    if ended == 0 {
        return String::new();
    }
    // Rounded down: 100 % is said only where it is so.
    let rate = (known as f64 * 100.0 / ended as f64).floor();
    let (seconds, saved) = (
        summary.saved_seconds,
        words::duration(summary.saved_seconds),
    );
    let exactly = if seconds >= 60.0 {
        format!(" ({seconds:.0} s)")
    } else {
        String::new()
    };
    format!("\nHit rate **{rate:.0} %** ({known} of {ended}), **{saved}**{exactly} saved.\n")
}

fn failure(text: &mut String, node: &NodeSummary) {
    let (message, help) = node
        .error
        .as_ref()
        .map_or(("", ""), |error| (&error.message, &error.help));
    let attempts = if node.attempts > 1 {
        format!(", {} attempts", node.attempts)
    } else {
        String::new()
    };
    let time = words::duration(node.seconds);
    let _ = writeln!(
        text,
        "\n**{}** {} ({time}{attempts})",
        code(&node.name),
        inline(message)
    );
    if !help.is_empty() {
        let _ = writeln!(text, "\n{}", inline(help));
    }
    let tail = words::printable(&node.tail);
    let tail = tail.trim_end();
    if !tail.is_empty() {
        let from = tail
            .char_indices()
            .rev()
            .nth(TAIL - 1)
            .map_or(0, |(at, _)| at);
        let tail = &tail[from..];
        let fence = "`".repeat(longest_run(tail).max(2) + 1);
        let _ = writeln!(text, "\n{fence}text\n{tail}\n{fence}");
    }
}

/// The longest row of backticks in a text.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A name as code. A pipe would end a table's cell even there.
fn code(text: &str) -> String {
    let text = one_line(text).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&text) + 1);
    // A space keeps a backtick at an edge apart from the fence; readers take one away again.
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Text within a line, taken literally: nothing in it is a tag, a link, a mention or a cell's end.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A name after it would be told that the run failed.
            '@' => out.push_str("@\u{200b}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

fn one_line(text: &str) -> String {
    words::printable(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_page_of_a_failed_run() {
        let expected = "\
## ❌ churn\\_2: failed in 1 min 12 s

Run `01KAJ3V6B0000000000000DEMO`, environment `local`

| reused | fetched | ran | failed | not reached | not needed |
| ---: | ---: | ---: | ---: | ---: | ---: |
| 2 | 1 | 3 | 1 | 2 | 0 |

Hit rate **42 %** (3 of 7), **15.8s** saved.

### Failures

**`train[mlp,1]`** exit code 3: a &lt; b &amp; c \\| d (36.0s, 2 attempts)

see what it printed

````text
epoch 1 | loss 0.7
ValueError: ```nan``` is not a number ]]>
````

### Notices

- `untraced`: reads are not observed: a file that a node reads without declaring it is not seen to change
- `remote-unavailable`: s3://acme/churn could not be reached: nothing was pushed \\| retry later

<details><summary>9 nodes</summary>

| node | status | time | saved | why |
| :--- | :--- | ---: | ---: | :--- |
| `prepare` | hit |  | 12.5s |  |
| `split` | fetched |  | 3.2s |  |
| `train[gbm,1]` | ran | 36.0s |  | params train.gbm.lr: 0.1 → 0.2 |
| `train[gbm,2]` | ran | 36.0s |  | params train.gbm.lr: 0.1 → 0.2 |
| `特徴量` | ran | 2.0s |  | code src/特徴.py: cccccccccc → dddddddddd |
| `train[mlp,1]` | failed | 36.0s |  | exit code 3: a &lt; b &amp; c \\| d |
| `join` | hit |  |  |  |
| `evaluate` | blocked |  |  | needs train\\[mlp,1\\] |
| `report` | blocked |  |  | needs train\\[mlp,1\\] |

</details>
";
        assert_eq!(page(&sample::summary(), "churn_2"), expected);
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`a|b\nc"), "`` `a\\|b c ``");
        assert_eq!(
            inline("<img>@all *x* [a](b) |"),
            "&lt;img&gt;@\u{200b}all \\*x\\* \\[a\\](b) \\|"
        );
        let mut node = sample::summary().nodes[5].clone();
        node.tail = format!("{}\n````\n", "é".repeat(30_000));
        let mut text = String::new();
        failure(&mut text, &node);
        assert!(
            text.ends_with("é\n````\n`````\n") && text.len() < 45_000,
            "{}",
            text.len()
        );
    }

    #[test]
    fn a_run_of_nothing_divides_by_nothing() {
        let page = page(&Summary::of_events(&[]), "");
        assert!(
            page.contains("not finished") && !page.contains("rate"),
            "{page}"
        );
    }
}
