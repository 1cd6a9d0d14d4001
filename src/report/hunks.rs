//! Two texts as the lines that differ, in the unified form that `diff -u` and `patch` know. Pure.

/// Lines around a change that are shown.
const AROUND: usize = 3;

enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// The changes, headed by the file's name; empty where there are none.
pub fn hunks(old: &str, new: &str, name: &str) -> String {
    if old == new {
        return String::new();
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let lines = aligned(&a, &b);
    let is_change = |at: usize| !matches!(lines[at], Line::Same(_));
    let near = |at: usize| {
        let range = at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len());
        range.into_iter().any(is_change)
    };
    let mut text = format!("--- {name}\n+++ {name}\n");
    let (mut from, mut to, mut at) = (1, 1, 0);
    while at < lines.len() {
        if !near(at) {
            (from, to, at) = (from + 1, to + 1, at + 1);
            continue;
        }
        let end = (at..lines.len())
            .find(|&at| !near(at))
            .unwrap_or(lines.len());
        let (mut gone, mut come, mut body) = (0, 0, String::new());
        for line in &lines[at..end] {
            let (sign, line, one, another) = match line {
                Line::Same(line) => (' ', line, 1, 1),
                Line::Gone(line) => ('-', line, 1, 0),
                Line::New(line) => ('+', line, 0, 1),
            };
            body += &format!("{sign}{line}\n");
            (gone, come) = (gone + one, come + another);
        }
        text += &format!("@@ -{from},{gone} +{to},{come} @@\n{body}");
        (from, to, at) = (from + gone, to + come, end);
    }
    text
}

/// A longest common subsequence, beginnings and ends that are equal left out of the search.
fn aligned<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<Line<'a>> {
    let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (x, y) = (&a[head..], &b[head..]);
    let tail = x
        .iter()
        .rev()
        .zip(y.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (x, y) = (&x[..x.len() - tail], &y[..y.len() - tail]);
    let mut longest = vec![vec![0_u32; y.len() + 1]; x.len() + 1];
    for i in (0..x.len()).rev() {
        for j in (0..y.len()).rev() {
            longest[i][j] = if x[i] == y[j] {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let mut lines: Vec<Line<'a>> = a[..head].iter().map(|line| Line::Same(line)).collect();
    let (mut i, mut j) = (0, 0);
    while i < x.len() || j < y.len() {
        if i < x.len() && j < y.len() && x[i] == y[j] {
            lines.push(Line::Same(x[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == y.len() || i < x.len() && longest[i + 1][j] >= longest[i][j + 1] {
            lines.push(Line::Gone(x[i]));
            i += 1;
        } else {
            lines.push(Line::New(y[j]));
            j += 1;
        }
    }
    lines.extend(a[a.len() - tail..].iter().map(|line| Line::Same(line)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_with_what_is_around_them() {
        assert_eq!(hunks("a\n", "a\n", "f"), "");
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n";
        assert_eq!(
            hunks(old, new, "f"),
            "--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -10,3 +10,4 @@\n 10\n 11\n 12\n+13\n"
        );
        assert_eq!(hunks("", "a\n", "f"), "--- f\n+++ f\n@@ -1,0 +1,1 @@\n+a\n");
    }
}
