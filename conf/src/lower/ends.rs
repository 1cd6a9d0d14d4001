//! `[finally.*]` and `[[hook]]`.

use std::time::Duration;

use super::Context;
use super::command::command;
use super::run_settings::{self, Inherited, duration_of};
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::nearest::did_you_mean;
use crate::pipeline::{Finally, Hook, HookFailure, HookMode, When};
use crate::quote::split_words;
use crate::raw::{Item, Table};
use crate::template::{Part, Target, parts};

/// What a hook can wait for.
const EVENTS: [&str; 16] = [
    "run.planned",
    "run.started",
    "run.finished",
    "node.queued",
    "node.started",
    "node.hit",
    "node.succeeded",
    "node.failed",
    "node.retrying",
    "node.blocked",
    "node.cancelled",
    "node.overdue",
    "artifact.materialised",
    "artifact.stored",
    "group.started",
    "group.finished",
];

/// Reads `[finally.*]`.
pub(crate) fn finally(cx: &Context<'_>, findings: &mut Findings) -> Vec<Finally> {
    let inherited = Inherited::new(cx.table.sub("defaults"));
    let mut out = Vec::new();
    for entry in cx.table.sub("finally").map_or(&[][..], |t| &t.entries) {
        let Some(table) = entry.item.table() else {
            continue;
        };
        if let Some(node) = cx.table.sub("node").and_then(|n| n.entry(&entry.key)) {
            let what = Diagnostic::error(
                "duplicate-name",
                format!("`{}` is the name of a node too", entry.key),
            );
            let what = findings.related(what, node.key_at, "the node");
            findings.say(entry.key_at, what);
        }
        let mut scope = cx.scope();
        scope.shaken = findings.is_shaken(&format!("finally.{}", entry.key));
        let Some(cmd) = table.get("cmd") else {
            continue;
        };
        let settings = run_settings::read(&inherited, table, &scope, findings);
        out.push(Finally {
            name: entry.key.clone(),
            command: command(cmd, &scope, None, findings),
            when: match table.get("when").and_then(Item::text) {
                Some("success") => When::Success,
                Some("failure") => When::Failure,
                _ => When::Always,
            },
            env: settings.env,
            pass_env: settings.pass_env,
            secrets: settings.secrets,
            timeout: settings.timeout,
            at: findings.texts.locate(entry.key_at),
        });
    }
    out
}

/// Reads `[[hook]]`.
pub(crate) fn hooks(cx: &Context<'_>, findings: &mut Findings) -> Vec<Hook> {
    let items = cx.table.get("hook").and_then(Item::list).unwrap_or(&[]);
    items
        .iter()
        .filter_map(|i| hook(cx, i, i.table()?, findings))
        .collect()
}

fn hook(cx: &Context<'_>, item: &Item, table: &Table, findings: &mut Findings) -> Option<Hook> {
    let mut on = Vec::new();
    for event in table.get("on")?.list()? {
        let text = event.text()?;
        if !known_event(text) {
            let help = did_you_mean(text, EVENTS)
                .unwrap_or_else(|| format!("known: {}", EVENTS.join(", ")));
            findings.say(
                event.at,
                Diagnostic::error("unknown-word", format!("{text:?} is not an event")).help(help),
            );
        }
        on.push(text.to_owned());
    }
    let run_item = table.get("run")?;
    let mut run = Vec::new();
    for word in run_item.list()? {
        run.extend(words(cx, word, findings).unwrap_or_default());
    }
    if run_item.list().is_some_and(<[Item]>::is_empty) {
        findings.say(
            run_item.at,
            Diagnostic::error("empty-command", "an empty command"),
        );
    }
    Some(Hook {
        on,
        run,
        mode: match table.get("mode").and_then(Item::text) {
            Some("stream") => HookMode::Stream,
            _ => HookMode::Each,
        },
        failure: match table.get("failure").and_then(Item::text) {
            Some("fail") => HookFailure::Fail,
            _ => HookFailure::Warn,
        },
        timeout: table
            .get("timeout")
            .and_then(duration_of)
            .unwrap_or(Duration::from_secs(30)),
        at: findings.texts.locate(item.at),
    })
}

/// One word, or the words of a variable that stands alone.
fn words(cx: &Context<'_>, item: &Item, findings: &mut Findings) -> Option<Vec<String>> {
    let text = item.text()?;
    if let [Part::Ref(reference)] = &parts(text, item.at, findings)?[..]
        && let Target::Var(name) = reference.target()
        && let Some(var) = cx.vars.get(name)
    {
        return var.as_ref().map(|v| split_words(&v.shell));
    }
    cx.scope().text(text, item.at, findings).map(|t| vec![t])
}

fn known_event(text: &str) -> bool {
    text == "*"
        || EVENTS.contains(&text)
        || text
            .strip_suffix(".*")
            .is_some_and(|group| EVENTS.iter().any(|e| e.split('.').next() == Some(group)))
}
