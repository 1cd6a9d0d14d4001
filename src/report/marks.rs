//! How a node stands, for a reader's eye: a sign and a word, so that no meaning rests on colour, and a tone.

use super::tally::Standing;
use crate::verdict::Verdict;

/// A verdict or a standing as drawings show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// What a reader looks for first comes first; no two marks share it.
    rank: u8,
    /// One character.
    pub sign: &'static str,
    /// The screens' word.
    pub word: &'static str,
    /// A class of the style sheet.
    pub tone: &'static str,
}

/// Every tone: class, fill and line of formats that know no style sheet, black on each being readable.
pub const TONES: [(&str, &str, &str); 6] = [
    ("bad", "#ffdad6", "#b3261e"),
    ("wait", "#ffe7c2", "#8a5200"),
    ("work", "#d7e6ff", "#1d5fbf"),
    ("maybe", "#ece0ff", "#6c4bb0"),
    ("good", "#d8f3dc", "#1f7a3a"),
    ("off", "#eeeeee", "#777777"),
];

const fn mark(rank: u8, sign: &'static str, word: &'static str, tone: &'static str) -> Mark {
    Mark {
        rank,
        sign,
        word,
        tone,
    }
}

impl Mark {
    /// Of a plan.
    pub fn of_verdict(verdict: Verdict) -> Mark {
        match verdict {
            Verdict::Run => mark(10, "●", "run", "work"),
            Verdict::Maybe => mark(11, "?", "maybe", "maybe"),
            Verdict::HitRemote => mark(12, "↓", "fetch", "good"),
            Verdict::Hit => mark(13, "✓", "reuse", "good"),
            Verdict::NotNeeded => mark(14, "–", "skip", "off"),
        }
    }

    /// Of a run.
    pub fn of_standing(standing: Standing) -> Mark {
        match standing {
            Standing::Failed => mark(0, "✗", "failed", "bad"),
            Standing::Unknown => mark(1, "?", "end unknown", "wait"),
            Standing::Cancelled => mark(2, "■", "stopped", "wait"),
            Standing::Blocked => mark(3, "⊘", "not reached", "wait"),
            Standing::Ran => mark(4, "●", "ran", "work"),
            Standing::Fetched => mark(5, "↓", "fetched", "good"),
            Standing::Hit => mark(6, "✓", "reused", "good"),
            Standing::NotNeeded => mark(7, "–", "not needed", "off"),
        }
    }
}

/// The mark for several nodes, which is the most urgent of theirs, and all in words: `reuse`, `2 run, 7 reuse`.
pub fn together(marks: impl Iterator<Item = Mark>) -> Option<(Mark, String)> {
    let mut marks: Vec<Mark> = marks.collect();
    marks.sort_unstable();
    let first = *marks.first()?;
    if marks.len() == 1 {
        return Some((first, first.word.to_owned()));
    }
    let same = marks.chunk_by(|a, b| a == b);
    let words: Vec<String> = same
        .map(|same| format!("{} {}", same.len(), same[0].word))
        .collect();
    Some((first, words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_urgent_stands_for_all() {
        let marks = [
            Standing::Hit,
            Standing::Ran,
            Standing::Failed,
            Standing::Hit,
        ]
        .map(Mark::of_standing);
        let (mark, words) = together(marks.into_iter()).expect("four");
        assert_eq!(
            (mark.sign, words.as_str()),
            ("✗", "1 failed, 1 ran, 2 reused")
        );
        let one = Mark::of_verdict(Verdict::Maybe);
        assert_eq!(together([one].into_iter()), Some((one, "maybe".into())));
        assert_eq!(together([].into_iter()), None);
    }
}
