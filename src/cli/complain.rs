//! Findings drawn for people: the place, what is wrong there, what to do. The one door of miette.
//!
//! Each begins with one line that editors and scripts understand (`file:line:column: error: …`); the lines
//! of the text follow, with what is meant underlined, in every file that has to do with it.

use std::fmt::Write as _;

use jalon::report::words;
use jalon_conf::{Diagnostic, Location, Severity};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};

/// Columns that help is wrapped to.
const WIDTH: usize = 100;
/// Characters of a line of text that are shown; longer ones are named, not shown.
const LONGEST: usize = 400;

/// All findings, one after the other, and how many they are.
pub fn draw(problems: &[Diagnostic], texts: &[(String, String)], plain: bool) -> String {
    let theme = if plain {
        GraphicalTheme::none()
    } else {
        GraphicalTheme::unicode()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_width(WIDTH)
        .with_context_lines(1);
    let mut all = String::new();
    for problem in problems {
        all += &headline(problem, plain);
        for file in files(problem) {
            all += &snippet(problem, file, texts, &handler);
        }
        if let Some(help) = &problem.help {
            let _ = writeln!(all, "  {} {}", paint("36", "help:", plain), line(help));
        }
    }
    all + &total(problems)
}

/// `jalon.toml:4:1: error: unknown key `cmdd` (unknown-key)`.
fn headline(problem: &Diagnostic, plain: bool) -> String {
    let (word, code) = match problem.severity {
        Severity::Error => ("error", "1;31"),
        Severity::Warning => ("warning", "1;33"),
    };
    let place = problem.spans.first().map_or_else(String::new, |(at, _)| {
        format!("{}:{}:{}: ", line(&at.file), at.line, at.column)
    });
    let message = line(&problem.message);
    format!(
        "{place}{}: {message} ({})\n",
        paint(code, word, plain),
        problem.code
    )
}

fn paint(code: &str, text: &str, plain: bool) -> String {
    if plain {
        text.to_owned()
    } else {
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// The files that a finding has places in, the one of the place itself first.
fn files(problem: &Diagnostic) -> Vec<&str> {
    let mut files: Vec<&str> = Vec::new();
    for (place, _) in &problem.spans {
        if !files.contains(&&*place.file) {
            files.push(&place.file);
        }
    }
    files
}

/// The lines of one file with what is meant underlined; nothing where they are not at hand.
fn snippet(
    problem: &Diagnostic,
    file: &str,
    texts: &[(String, String)],
    handler: &GraphicalReportHandler,
) -> String {
    let Some((name, text)) = texts.iter().find(|(name, _)| name == file) else {
        return elsewhere(problem, file);
    };
    let places = problem
        .spans
        .iter()
        .filter(|(place, _)| &*place.file == file);
    let labels: Vec<LabeledSpan> = places
        .filter_map(|(place, label)| span(place, label, text))
        .collect();
    if labels.is_empty() {
        return elsewhere(problem, file);
    }
    let report = Report::from(MietteDiagnostic::new("").and_labels(labels))
        .with_source_code(NamedSource::new(name, text.clone()));
    let mut drawn = String::new();
    if handler.render_report(&mut drawn, report.as_ref()).is_err() {
        return elsewhere(problem, file);
    }
    // The message stands in the headline: what is drawn begins with an empty one.
    let body: Vec<&str> = drawn
        .lines()
        .skip_while(|line| !line.contains('[') || !line.contains(name))
        .collect();
    body.join("\n") + "\n"
}

/// Related places whose text is not at hand, one a line.
fn elsewhere(problem: &Diagnostic, file: &str) -> String {
    let mut out = String::new();
    for (place, label) in problem
        .spans
        .iter()
        .filter(|(place, label)| &*place.file == file && !label.is_empty())
    {
        let _ = writeln!(
            out,
            "  {}:{}:{}: {}",
            line(file),
            place.line,
            place.column,
            line(label)
        );
    }
    out
}

/// The text may have changed since it was read: a place that is not in it any more is left out.
fn span(place: &Location, label: &str, text: &str) -> Option<LabeledSpan> {
    let end = (place.offset + place.length).min(text.len());
    let inside = text.get(place.offset..end)?;
    let start = text[..place.offset].rfind('\n').map_or(0, |at| at + 1);
    let whole = text[start..].lines().next().unwrap_or_default();
    if whole.len() > LONGEST {
        return None;
    }
    let length = inside.len().max(usize::from(place.offset < text.len()));
    // Not to end amid a character.
    let length =
        (length..=length + 3).find(|&length| text.is_char_boundary(place.offset + length))?;
    Some(LabeledSpan::new(
        (!label.is_empty()).then(|| line(label)),
        place.offset,
        length,
    ))
}

/// Text as it may stand in one line of a terminal.
fn line(text: &str) -> String {
    words::printable(text).replace(['\n', '\t'], " ")
}

/// `4 errors, 1 warning`, where it is more than one.
fn total(problems: &[Diagnostic]) -> String {
    let count = |severity| {
        problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count() as u64
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match (errors, warnings) {
        (0 | 1, 0) | (0, 1) => String::new(),
        (0, _) => format!("{}\n", words::count(warnings, "warning")),
        (_, 0) => format!("{}\n", words::count(errors, "error")),
        _ => format!(
            "{}, {}\n",
            words::count(errors, "error"),
            words::count(warnings, "warning")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[node.a]\ncmdd = 'true'\nin = ['数据']\n";

    fn texts() -> Vec<(String, String)> {
        let other = "lr: 0.1\nlr: 0.2\n".to_owned();
        vec![
            ("jalon.toml".into(), TEXT.into()),
            ("params.yml".into(), other),
        ]
    }

    fn place(file: &str, offset: usize, length: usize, line: u32, column: u32) -> Location {
        let width = length as u32;
        Location {
            file: file.into(),
            offset,
            length,
            line,
            column,
            width,
        }
    }

    #[test]
    fn the_place_is_named_shown_and_underlined() {
        let problem = Diagnostic::error("unknown-key", "unknown key `cmdd`")
            .at(place("jalon.toml", 9, 4, 2, 1))
            .help("did you mean `cmd`?");
        let drawn = draw(&[problem], &texts(), true);
        let expected = "jalon.toml:2:1: error: unknown key `cmdd` (unknown-key)
   ,-[jalon.toml:2:1]
 1 | [node.a]
 2 | cmdd = 'true'
   : ^^^^
 3 | in = ['数据']
   `----
  help: did you mean `cmd`?
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn several_files_are_shown_each_with_its_label() {
        let problem = Diagnostic::error("twice", "`lr` is there twice")
            .at(place("params.yml", 8, 2, 2, 1))
            .also(place("params.yml", 0, 2, 1, 1), "first here")
            .also(place("jalon.toml", 23, 2, 3, 1), "read because of this")
            .also(place("gone.yml", 0, 2, 7, 3), "and here");
        let drawn = draw(&[problem], &texts(), true);
        for part in [
            "params.yml:2:1: error: `lr` is there twice (twice)\n",
            "`-- first here",
            ",-[jalon.toml:3:1]",
            "`-- read because of this",
            "  gone.yml:7:3: and here\n",
        ] {
            assert!(drawn.contains(part), "{part}:\n{drawn}");
        }
    }

    #[test]
    fn no_place_a_place_that_is_gone_and_an_endless_line_are_told_all_the_same() {
        let long = vec![("jalon.toml".to_owned(), "x".repeat(100_000))];
        for (texts, offset) in [(texts(), 5000), (texts(), 31), (Vec::new(), 0), (long, 3)] {
            let problem =
                Diagnostic::error("odd", "it is odd").at(place("jalon.toml", offset, 1, 9, 9));
            assert_eq!(
                draw(&[problem], &texts, true),
                "jalon.toml:9:9: error: it is odd (odd)\n"
            );
        }
        let problems = [
            Diagnostic::error("a", "one\u{1b}[2J"),
            Diagnostic::warning("b", "two"),
        ];
        let drawn = draw(&problems, &[], true);
        assert_eq!(
            drawn,
            "error: one (a)\nwarning: two (b)\n1 error, 1 warning\n"
        );
    }

    #[test]
    fn every_span_of_every_text_can_be_drawn() {
        let texts = [("t".to_owned(), "é\n数据 = 'x'\r\n\t# 👩‍🚀\n".to_owned())];
        let length = texts[0].1.len();
        for offset in 0..=length + 1 {
            for span in 0..4 {
                let problem = Diagnostic::error("c", "m").at(place("t", offset, span, 1, 1));
                for plain in [true, false] {
                    assert!(draw(std::slice::from_ref(&problem), &texts, plain).contains("m (c)"));
                }
            }
        }
    }
}
