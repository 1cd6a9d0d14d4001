//! Patterns, as far as overlap checks need them: `*`, `?`, `[…]`, `{a,b}` within a component, `**` across.
//!
//! What a pattern matches on disk is decided elsewhere; here only whether it could match a path.

/// What is wrong with a pattern, if anything.
pub(crate) fn malformed(pattern: &str) -> Option<String> {
    let mut braces = 0_i32;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '{' => braces += 1,
            '}' => braces -= 1,
            '[' => {
                let mut first = true;
                loop {
                    match chars.next() {
                        None => return Some(format!("`[` without `]` in the pattern {pattern:?}")),
                        Some(']') if !first => break,
                        Some('!' | '^') if first => {}
                        Some(_) => first = false,
                    }
                }
            }
            _ => {}
        }
        if !(0..=8).contains(&braces) {
            break;
        }
    }
    (braces != 0).then(|| format!("braces do not match in the pattern {pattern:?}"))
}

/// The components before the first that is a pattern.
pub(crate) fn base(pattern: &str) -> &str {
    let Some(wild) = pattern.find(['*', '?', '[', '{']) else {
        return pattern;
    };
    pattern[..wild]
        .rfind('/')
        .map_or("", |slash| &pattern[..slash])
}

/// A pattern, taken apart once for many paths.
pub(crate) struct Pattern {
    alternatives: Vec<Vec<Part>>,
}

enum Part {
    /// `**`.
    Deep,
    Literal(String),
    Wild(Vec<char>),
}

impl Pattern {
    pub fn new(pattern: &str) -> Self {
        let part = |p: &str| match p {
            "**" => Part::Deep,
            p if p.contains(['*', '?', '[']) => Part::Wild(p.chars().collect()),
            p => Part::Literal(p.to_owned()),
        };
        let alternatives = expand(pattern);
        Self {
            alternatives: alternatives
                .iter()
                .map(|p| p.split('/').map(part).collect())
                .collect(),
        }
    }

    /// Whether it matches the path, or (with `below`) could match something below it.
    pub fn reaches(&self, path: &str, below: bool) -> bool {
        let path: Vec<&str> = path.split('/').collect();
        self.alternatives.iter().any(|p| {
            if p.iter().any(|p| matches!(p, Part::Deep)) {
                return components(p, &path, below);
            }
            let long_enough = p.len() == path.len() || below && p.len() > path.len();
            long_enough && p.iter().zip(&path).rev().all(|(p, part)| p.matches(part))
        })
    }
}

impl Part {
    fn matches(&self, text: &str) -> bool {
        match self {
            Part::Deep => true,
            Part::Literal(literal) => literal == text,
            Part::Wild(pattern) => component(pattern, text),
        }
    }
}

/// `{a,b}` written out; a pattern with too many is cut short, and says less.
fn expand(pattern: &str) -> Vec<String> {
    const MOST: usize = 256;
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(one) = open.pop() {
        let Some((before, choices, after)) = first_braces(&one) else {
            done.push(one);
            continue;
        };
        if open.len() + done.len() + choices.len() > MOST {
            continue;
        }
        open.extend(choices.iter().map(|c| format!("{before}{c}{after}")));
    }
    done
}

fn first_braces(text: &str) -> Option<(&str, Vec<&str>, &str)> {
    let start = text.find('{')?;
    let mut depth = 0;
    let mut choices = Vec::new();
    let mut from = start + 1;
    for (i, c) in text[start..].char_indices() {
        let i = start + i;
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    choices.push(&text[from..i]);
                    return Some((&text[..start], choices, &text[i + 1..]));
                }
            }
            ',' if depth == 1 => {
                choices.push(&text[from..i]);
                from = i + 1;
            }
            _ => {}
        }
    }
    None
}

/// Matches component by component; states are positions in the pattern.
fn components(pattern: &[Part], path: &[&str], below: bool) -> bool {
    let mut states = vec![false; pattern.len() + 1];
    states[0] = true;
    for part in path {
        skip_stars(pattern, &mut states);
        let mut next = vec![false; pattern.len() + 1];
        for (i, p) in pattern.iter().enumerate().filter(|(i, _)| states[*i]) {
            if matches!(p, Part::Deep) {
                next[i] = true;
                next[i + 1] |= i + 1 == pattern.len();
            } else if p.matches(part) {
                next[i + 1] = true;
            }
        }
        states = next;
    }
    skip_stars(pattern, &mut states);
    states[pattern.len()] || below && states[..pattern.len()].contains(&true)
}

fn skip_stars(pattern: &[Part], states: &mut [bool]) {
    for (i, p) in pattern.iter().enumerate() {
        if states[i] && matches!(p, Part::Deep) && i + 1 < pattern.len() {
            states[i + 1] = true;
        }
    }
}

/// One component: `*` any text, `?` one character, `[…]` one of a set.
fn component(pattern: &[char], text: &str) -> bool {
    let literal_end = pattern.iter().rev().take_while(|c| !"*?[]".contains(**c));
    if !literal_end.zip(text.chars().rev()).all(|(a, b)| *a == b) {
        return false;
    }
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => class(&pattern[p..], text[t]),
            Some(c) if *c == text[t] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(step), _) => (p, t) = (p + step, t + 1),
            (None, Some((after, from))) => {
                (p, t) = (after, from + 1);
                star = Some((after, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// How long the set at the start is, if it contains the character.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let from = if negated { 2 } else { 1 };
    let end = (from + 1..pattern.len()).find(|&i| pattern[i] == ']')?;
    let set = &pattern[from..end];
    let mut found = false;
    let mut i = 0;
    while i < set.len() {
        if i + 2 < set.len() && set[i + 1] == '-' {
            found |= (set[i]..=set[i + 2]).contains(&c);
            i += 3;
        } else {
            found |= set[i] == c;
            i += 1;
        }
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaches(pattern: &str, path: &str, below: bool) -> bool {
        Pattern::new(pattern).reaches(path, below)
    }

    #[test]
    fn patterns_reach_paths() {
        for (pattern, path) in [
            ("data/*.csv", "data/a.csv"),
            ("data/**/*.csv", "data/a.csv"),
            ("data/**/*.csv", "data/x/y/a.csv"),
            ("data/**", "data/x"),
            ("data/[a-c]?.{csv,tsv}", "data/b1.tsv"),
            ("**", "x"),
        ] {
            assert!(reaches(pattern, path, false), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("data/*.csv", "data/x/a.csv"),
            ("data/*.csv", "data/a.bin"),
            ("a/[!b]", "a/b"),
        ] {
            assert!(!reaches(pattern, path, false), "{pattern} {path}");
        }
        assert!(reaches("data/**/*.csv", "data/clean", true));
        assert!(!reaches("data/*.csv", "data/clean", true));
        assert_eq!(base("data/raw/*.csv"), "data/raw");
        assert_eq!(base("*.csv"), "");
    }
}
