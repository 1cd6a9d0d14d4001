//! Findings drawn for people: the place, what is wrong there, what to do. The one door of miette.

use std::fmt::Write as _;

use jalon_conf::{Diagnostic, Severity};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};

/// All findings, one after the other.
pub fn draw(problems: &[Diagnostic], texts: &[(String, String)], plain: bool) -> String {
    let theme = if plain {
        GraphicalTheme::none()
    } else {
        GraphicalTheme::unicode()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(100)
        .with_context_lines(1);
    let mut all = String::new();
    for problem in problems {
        let Some((place, _)) = problem.spans.first() else {
            let _ = writeln!(all, "{}: {}", word(problem.severity), problem.message);
            if let Some(help) = &problem.help {
                let _ = writeln!(all, "  help: {help}");
            }
            continue;
        };
        // Standing before the drawing, so that editors and scripts find the place.
        let _ = writeln!(
            all,
            "{}:{}:{}: {}",
            place.file,
            place.line,
            place.column,
            word(problem.severity)
        );
        let report = report(problem, texts);
        if handler.render_report(&mut all, report.as_ref()).is_err() {
            let _ = writeln!(all, "{}: {}", word(problem.severity), problem.message);
        }
    }
    all
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn report(problem: &Diagnostic, texts: &[(String, String)]) -> Report {
    let mut shown = MietteDiagnostic::new(problem.message.clone())
        .with_code(problem.code)
        .with_severity(match problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        });
    if let Some(help) = &problem.help {
        shown = shown.with_help(help.clone());
    }
    let Some((first, _)) = problem.spans.first() else {
        return shown.into();
    };
    let Some((name, text)) = texts.iter().find(|(name, _)| **name == *first.file) else {
        return shown.into();
    };
    // Related places in other files are named in the message's own words.
    let labels = problem
        .spans
        .iter()
        .filter(|(place, _)| place.file == first.file && place.offset <= text.len());
    let labels = labels.map(|(place, label)| {
        let label = if label.is_empty() {
            "here".to_owned()
        } else {
            label.clone()
        };
        LabeledSpan::new(
            Some(label),
            place.offset,
            place.length.max(1).min(text.len() - place.offset),
        )
    });
    Report::from(shown.and_labels(labels)).with_source_code(NamedSource::new(name, text.clone()))
}
