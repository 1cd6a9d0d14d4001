//! Secrets are taken out of a stream of bytes before anyone sees it, across the chunks it comes in.

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind};

/// What stands in place of a secret.
pub const MASK: &[u8] = b"***";

/// The secrets to hide.
#[derive(Debug, Clone)]
pub struct Mask {
    automaton: Option<AhoCorasick>,
    patterns: Vec<Vec<u8>>,
    longest: usize,
}

impl Mask {
    /// Hides these values, and each line of one that has several. Empty ones hide nothing.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Mask {
        let mut patterns: Vec<&[u8]> = Vec::new();
        for secret in secrets {
            patterns.push(secret);
            let lines: Vec<&[u8]> = secret.split(|&byte| byte == b'\n').collect();
            if lines.len() > 1 {
                // A line of a key in PEM form is a secret; a closing brace is not.
                patterns.extend(lines.into_iter().filter(|line| line.len() >= 6));
            }
        }
        patterns.retain(|pattern| !pattern.is_empty());
        let longest = patterns
            .iter()
            .map(|pattern| pattern.len())
            .max()
            .unwrap_or(0);
        let automaton = (!patterns.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostLongest)
                    .build(&patterns)
                    .ok()
            })
            .flatten();
        Mask {
            automaton,
            patterns: patterns.into_iter().map(<[u8]>::to_vec).collect(),
            longest,
        }
    }

    /// Whether more bytes could make a secret of these, or a longer one.
    fn may_grow(&self, bytes: &[u8]) -> bool {
        self.patterns
            .iter()
            .any(|pattern| pattern.len() > bytes.len() && pattern.starts_with(bytes))
    }

    /// Where the first match begins that may not have arrived whole: nowhere is the end.
    fn open_end(&self, bytes: &[u8], from: usize) -> usize {
        let first = from.max(bytes.len().saturating_sub(self.longest.saturating_sub(1)));
        (first..bytes.len())
            .find(|&at| self.may_grow(&bytes[at..]))
            .unwrap_or(bytes.len())
    }

    /// The text with every secret replaced.
    pub fn apply(&self, text: &[u8]) -> Vec<u8> {
        let mut stream = self.stream();
        let mut out = stream.push(text);
        out.extend(stream.end());
        out
    }

    /// The same for text.
    pub fn text(&self, text: &str) -> String {
        if self.automaton.is_none() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.apply(text.as_bytes())).into_owned()
    }

    /// A stream of chunks to mask.
    pub fn stream(&self) -> Stream<'_> {
        Stream {
            mask: self,
            held: Vec::new(),
        }
    }
}

/// One stream being masked.
#[derive(Debug)]
pub struct Stream<'a> {
    mask: &'a Mask,
    held: Vec<u8>,
}

impl Stream<'_> {
    /// Takes a chunk; gives what is certain by now: all but an end that may be the beginning of a secret.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        let Some(automaton) = &self.mask.automaton else {
            return chunk.to_vec();
        };
        self.held.extend_from_slice(chunk);
        let mut out = Vec::with_capacity(self.held.len());
        let mut done = 0;
        loop {
            let open = self.mask.open_end(&self.held, done);
            // What begins before that has arrived whole, and is the longest that begins there.
            let input = Input::new(&self.held).range(done..).anchored(Anchored::No);
            let found = automaton.find(input).filter(|found| found.start() < open);
            let upto = found.map_or(open, |found| found.start());
            out.extend_from_slice(&self.held[done..upto]);
            let Some(found) = found else {
                done = open;
                break;
            };
            out.extend_from_slice(MASK);
            done = found.end();
        }
        self.held.drain(..done);
        out
    }

    /// The rest, once nothing more comes.
    pub fn end(mut self) -> Vec<u8> {
        let Some(automaton) = &self.mask.automaton else {
            return Vec::new();
        };
        let held = std::mem::take(&mut self.held);
        let mut out = Vec::with_capacity(held.len());
        automaton.replace_all_with_bytes(&held, &mut out, |_, _, dst| {
            dst.extend_from_slice(MASK);
            true
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_secret_split_over_chunks_is_hidden() {
        let mask = Mask::new([b"hunter2".as_slice()]);
        let mut stream = mask.stream();
        let mut out = stream.push(b"the password is hun");
        out.extend(stream.push(b"ter2, yes"));
        out.extend(stream.end());
        assert_eq!(out, b"the password is ***, yes");
    }

    #[test]
    fn the_longest_of_overlapping_secrets_is_hidden_whole() {
        let mask = Mask::new([b"abc".as_slice(), b"abcdef".as_slice()]);
        assert_eq!(mask.apply(b"x abcdef y abcd"), b"x *** y ***d");
    }

    #[test]
    fn only_what_may_become_a_secret_is_held_back() {
        let mask = Mask::new([b"hunter2".as_slice(), b"first line\nsecond line"]);
        let mut stream = mask.stream();
        assert_eq!(stream.push(b"Password: "), b"Password: ");
        assert_eq!(stream.push(b"\n"), b"\n");
        assert_eq!(stream.push(b"ask the hunter"), b"ask the ");
        assert_eq!(stream.push(b"x"), b"hunterx");
        assert_eq!(stream.push(b"second line\n"), b"***\n");
        assert_eq!(stream.push(b"first line\nsec"), b"");
        assert_eq!(stream.push(b"\n"), b"***\nsec\n");
        assert!(stream.end().is_empty());
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            secrets in prop::collection::vec("[ab]{1,4}", 0..4),
            text in "[abc]{0,60}",
            cuts in prop::collection::vec(0usize..60, 0..6),
        ) {
            let mask = Mask::new(secrets.iter().map(|s| s.as_bytes()));
            let mut whole = text.clone().into_bytes();
            if let Some(automaton) = &mask.automaton {
                whole.clear();
                automaton.replace_all_with_bytes(text.as_bytes(), &mut whole, |_, _, dst| {
                    dst.extend_from_slice(MASK);
                    true
                });
            }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.sort_unstable();
            let mut stream = mask.stream();
            let (mut out, mut from) = (Vec::new(), 0);
            for cut in cuts {
                out.extend(stream.push(&text.as_bytes()[from..cut]));
                from = cut;
            }
            out.extend(stream.push(&text.as_bytes()[from..]));
            out.extend(stream.end());
            prop_assert_eq!(out, whole);
        }
    }
}
