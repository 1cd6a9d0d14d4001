//! A page that needs nothing but itself: no script, no font, no picture from elsewhere. Light or dark as the
//! reader's system is; on paper too.

use super::marks::Mark;
use super::words;

/// The whole document; the title is text, the body is markup.
pub fn shell(title: &str, body: &str) -> String {
    let title = escape(title);
    let style = include_str!("page.css");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

/// Text as markup, within an element or a quoted attribute: no tag, no entity, no control character.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in words::printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A name or a value.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

/// How something stands.
pub fn badge(mark: Mark) -> String {
    format!(
        "<span class=\"mark {}\">{} {}</span>",
        mark.tone, mark.sign, mark.word
    )
}

/// A moment as `2026-11-21 08:00:00 UTC`, from milliseconds since the Unix epoch.
///
/// After H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
pub fn moment(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escape("<a href='x'>\"&amp;\0\u{1b}[1m"),
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;amp;"
        );
    }

    #[test]
    fn moments_fall_on_their_day() {
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(moment(1_798_761_599_999), "2026-12-31 23:59:59 UTC");
        assert_eq!(moment(4_107_542_400_000), "2100-03-01 00:00:00 UTC");
    }
}
