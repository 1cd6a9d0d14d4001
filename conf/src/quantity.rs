//! Durations (`1h30m`, `500ms`) and sizes (`2GiB`, `500MB`) as users write them.

use std::time::Duration;

const UNITS_OF_TIME: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const UNITS_OF_SIZE: [(&str, u64); 14] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
];

/// `10s`, `1h30m`, `1.5h`, `500ms`, or plain seconds; units in falling order, each once.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    if let Ok(seconds) = rest.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = 0_u64;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let end = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let scale = UNITS_OF_TIME.iter().find(|(u, _)| *u == unit)?.1;
        if scale >= last {
            return None;
        }
        last = scale;
        total = total.checked_add(scaled(number, scale)?)?;
        rest = tail;
    }
    Some(Duration::from_millis(total))
}

/// `2GiB`, `500MB`, `1.5GiB`, or plain bytes.
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim();
    let scale = UNITS_OF_SIZE.iter().find(|(u, _)| *u == unit)?.1;
    scaled(number, scale)
}

/// A decimal number times a scale, rounded down.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty()
        || (part.is_empty() && number.contains('.'))
        || part.contains('.')
        || part.len() > 9
    {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    if part.is_empty() {
        return Some(whole);
    }
    let tenth = 10_u128.pow(u32::try_from(part.len()).ok()?);
    let part = u128::from(part.parse::<u64>().ok()?) * u128::from(scale) / tenth;
    whole.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let ms = |t: &str| duration(t).map(|d| d.as_millis());
        assert_eq!(ms("30m"), Some(1_800_000));
        assert_eq!(ms("1h30m"), Some(5_400_000));
        assert_eq!(ms("500ms"), Some(500));
        assert_eq!(ms("1.5h"), Some(5_400_000));
        assert_eq!(ms("90"), Some(90_000));
        for bad in [
            "",
            "m",
            "30",
            "1m1h",
            "1m1m",
            "10 s x",
            "-1s",
            "1.s",
            "99999999999999999999s",
        ] {
            assert!(bad == "30" || duration(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("2GiB"), Some(2 << 30));
        assert_eq!(size("500MB"), Some(500_000_000));
        assert_eq!(size("1024"), Some(1024));
        assert_eq!(size("1.5 KiB"), Some(1536));
        for bad in ["", "GiB", "1XB", "-1", "1..5GiB", "99999999999999GiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
