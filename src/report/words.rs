//! Durations, sizes and numbers of things in words.

use crate::event::RemoteUse;

/// `0.12s`, `3.4s`, `2 min 10 s`, `3 h 12 min`, `2 d 4 h`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        _ if seconds < 1.0 => format!("{seconds:.2}s"),
        _ if seconds < 60.0 => format!("{seconds:.1}s"),
        _ if whole < 3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ if whole < 86_400 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// The sum of seconds to the microsecond, the same in whatever order they come.
pub fn total(seconds: impl Iterator<Item = f64>) -> f64 {
    let micros: i64 = seconds.map(|one| (one * 1e6).round() as i64).sum();
    micros as f64 / 1e6
}

/// `512 B`, `4.0 KiB`, `1.2 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1 node`, `4,812 nodes`.
pub fn count(number: u64, one: &str) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + 8);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {one}{}", if number == 1 { "" } else { "s" })
}

/// Text as reports can hold it: without terminal escapes (ECMA-48 control sequences and strings) and control
/// characters; line breaks and tabs stay.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => match rest.next() {
                // Parameters, then one final byte.
                Some('[') => while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // Titles and links: up to BEL or ESC \.
                Some(']') => while rest.next().is_some_and(|c| c != '\x07' && c != '\\') {},
                _ => {}
            },
            // A line break of another system, or a progress bar that was drawn over itself.
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// `2 fetched (4.0 KiB), 3 sent (1.2 MiB)`, where there is something to tell.
pub fn remotes(used: &RemoteUse) -> Option<String> {
    let mut parts = Vec::new();
    if used.fetched + used.downloaded > 0 {
        let size = size(used.downloaded);
        parts.push(format!("{} fetched ({size})", used.fetched));
    }
    if used.sent > 0 {
        parts.push(format!("{} sent ({})", used.sent, size(used.uploaded)));
    }
    if used.unsent > 0 {
        parts.push(format!("{} not sent", used.unsent));
    }
    if used.disbelieved > 0 {
        parts.push(format!("{} not believed", used.disbelieved));
    }
    let others = used
        .remotes
        .iter()
        .filter(|(_, mode)| *mode == "unavailable");
    parts.extend(others.map(|(name, mode)| format!("{name} {mode}")));
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fit_the_magnitude() {
        assert_eq!(duration(0.123), "0.12s");
        assert_eq!(duration(3.42), "3.4s");
        assert_eq!(duration(130.0), "2 min 10 s");
        assert_eq!(duration(11_520.0), "3 h 12 min");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(4096), "4.0 KiB");
        assert_eq!(size(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(count(1, "node"), "1 node");
        assert_eq!(count(4812, "node"), "4,812 nodes");
    }

    #[test]
    fn a_total_is_the_same_in_whatever_order() {
        let all = [0.004, 0.005, 0.006, 0.007, 0.1, 12.5];
        let backwards = all.into_iter().rev();
        assert_eq!(total(all.into_iter()), 12.622);
        assert_eq!(total(backwards), 12.622);
        assert!(total(std::iter::empty()).is_sign_positive());
    }

    #[test]
    fn escapes_and_control_characters_go() {
        assert_eq!(
            printable("a\x1b[1;31mb\x1b[0m\tc\0\r\nd\re\u{9b}f"),
            "ab\tc\nd\nef"
        );
        assert_eq!(
            printable("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07 x\x1b["),
            "link x"
        );
    }
}
