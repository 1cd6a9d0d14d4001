//! What a pipeline is made of, its code and parameter files, must not be what its nodes write.
//!
//! Both are digested before anything runs: a node that wrote them would change keys that were taken
//! already, and no run would ever find what the one before recorded.

use std::collections::HashSet;

use super::overlap::{Claim, Reached, reached};
use crate::diagnostic::{Diagnostic, Location};
use crate::findings::Findings;
use crate::params::Wanted;
use crate::pipeline::Node;

/// Says every output or checkpoint that a declared code file, a parameter file or a pattern of either takes in.
pub(super) fn check(
    claims: &[Claim<'_>],
    nodes: &[Node],
    params: &[Wanted],
    findings: &mut Findings,
) {
    let mut seen = HashSet::new();
    for node in nodes {
        for (pattern, at) in &node.code {
            if !seen.insert((pattern.as_str(), at.offset)) {
                continue;
            }
            for found in reached(claims, pattern) {
                let message = format!(
                    "`{}` writes what is declared as code of `{}` ({pattern})",
                    found.claim.shown(),
                    node.name.base,
                );
                let help = "what a node makes and another reads is an artifact: name it in `in`; or write it \
                            elsewhere, or narrow the pattern";
                say(
                    &found,
                    "output-in-code",
                    message,
                    help,
                    (at, "code"),
                    findings,
                );
            }
        }
    }
    for wanted in params {
        for found in reached(claims, &wanted.pattern) {
            let message = format!(
                "`{}` writes what parameters are read from ({})",
                found.claim.shown(),
                wanted.pattern
            );
            let help = "parameters are read before anything runs: write the output elsewhere, or narrow the pattern";
            let at = (&wanted.at, "parameters");
            say(&found, "output-in-params", message, help, at, findings);
        }
    }
}

fn say(
    found: &Reached<'_, '_>,
    code: &'static str,
    message: String,
    help: &str,
    (at, label): (&Location, &str),
    findings: &mut Findings,
) {
    let what = Diagnostic::error(code, message)
        .help(help)
        .also(at.clone(), label);
    findings.say(found.claim.at, what);
}
