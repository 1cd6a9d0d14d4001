//! What a plain YAML scalar means: what Kedro's reader and DVC's reader agree on.
//!
//! Kedro reads with PyYAML's safe loader, with exponents without a dot as floats and dates as
//! text (OmegaConf); DVC reads YAML 1.2 (ruamel). Where the two give different values nobody can
//! know which was meant: booleans in words are taken as Kedro does, with a warning; numbers are
//! refused. docs/LANGUAGE.md has the table, and `tests/scalars.rs` what the readers really say.

use crate::value::Value;

/// What a plain scalar means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meaning {
    Plain(Value),
    /// A value, and what to warn of: code, message, help.
    Doubtful(Value, &'static str, String, String),
    /// Message and help.
    Refused(&'static str, String, String),
}

/// Reads a plain scalar.
pub(crate) fn resolve(text: &str) -> Meaning {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return boolean_word(text, true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return boolean_word(text, false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        "=" | "<<" => {
            return Meaning::Refused(
                "yaml-ambiguous",
                format!("`{text}` has a meaning of its own in YAML"),
                format!("write \"{text}\" in quotes"),
            );
        }
        _ => return number(text).unwrap_or_else(|| Meaning::Plain(Value::Text(text.to_owned()))),
    };
    Meaning::Plain(value)
}

fn boolean_word(text: &str, value: bool) -> Meaning {
    Meaning::Doubtful(
        Value::Bool(value),
        "yaml-ambiguous",
        format!(
            "`{text}` is read as {value}, as PyYAML and Kedro do; DVC reads the text \"{text}\""
        ),
        format!("write {value}, or \"{text}\" in quotes"),
    )
}

fn two_readings(text: &str, kedro: &str, dvc: &str) -> Meaning {
    Meaning::Refused(
        "yaml-ambiguous",
        format!("`{text}` is {kedro} to PyYAML and Kedro, but {dvc} to DVC"),
        format!("write {kedro} or {dvc}, whichever is meant"),
    )
}

fn number(text: &str) -> Option<Meaning> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { "-" } else { "" };
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if unsigned.contains(':') {
        return sexagesimal(text, sign, unsigned);
    }
    prefixed(text, sign, unsigned)
        .or_else(|| decimal(text, sign, unsigned))
        .or_else(|| float(text, unsigned))
}

/// `0x1f`, `0b11`, `0o17`.
fn prefixed(text: &str, sign: &str, unsigned: &str) -> Option<Meaning> {
    let (radix, digits) = match unsigned.get(..2)? {
        "0x" => (16, &unsigned[2..]),
        "0b" => (2, &unsigned[2..]),
        "0o" => (8, &unsigned[2..]),
        _ => return None,
    };
    let digits = bare_digits(digits, radix)?;
    let value = integer(text, sign, &digits, radix);
    if radix != 8 {
        return Some(value);
    }
    let number = match value {
        Meaning::Plain(Value::Int(i)) => i.to_string(),
        other => return Some(other),
    };
    Some(two_readings(text, &format!("the text \"{text}\""), &number))
}

/// `17`, `1_000`, `017`.
fn decimal(text: &str, sign: &str, unsigned: &str) -> Option<Meaning> {
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = bare_digits(unsigned, 10)?;
    if !unsigned.starts_with('0') || unsigned == "0" {
        return Some(integer(text, sign, &digits, 10));
    }
    let Meaning::Plain(Value::Int(decimal)) = integer(text, sign, &digits, 10) else {
        return Some(integer(text, sign, &digits, 10));
    };
    match i64::from_str_radix(&format!("{sign}{digits}"), 8) {
        Ok(octal) if octal == decimal => Some(Meaning::Plain(Value::Int(decimal))),
        Ok(octal) => Some(two_readings(text, &octal.to_string(), &decimal.to_string())),
        Err(_) => Some(two_readings(
            text,
            &format!("the text \"{text}\""),
            &decimal.to_string(),
        )),
    }
}

fn bare_digits(text: &str, radix: u32) -> Option<String> {
    let digits: String = text.chars().filter(|&c| c != '_').collect();
    (!digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))).then_some(digits)
}

fn integer(text: &str, sign: &str, digits: &str, radix: u32) -> Meaning {
    match i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        Ok(i) => Meaning::Plain(Value::Int(i)),
        Err(_) => Meaning::Refused(
            "number-too-big",
            format!("the integer `{text}` needs more than 64 bits"),
            "write it as a float (1e19) or as text in quotes".into(),
        ),
    }
}

/// `1:30` is 90 to YAML 1.1 and text to YAML 1.2.
fn sexagesimal(text: &str, sign: &str, unsigned: &str) -> Option<Meaning> {
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (
            whole,
            Some(bare_digits(fraction, 10).or(fraction.is_empty().then(String::new))?),
        ),
        None => (unsigned, None),
    };
    let mut groups = whole.split(':');
    let first = groups.next()?;
    if fraction.is_none() && first.starts_with('0') {
        return None;
    }
    let mut total: u64 = bare_digits(first, 10)?.parse().ok()?;
    for group in groups {
        let value: u64 = group.parse().ok().filter(|&v| v < 60 && group.len() <= 2)?;
        total = total.checked_mul(60)?.checked_add(value)?;
    }
    let fraction = fraction.map(|f| format!(".{f}")).unwrap_or_default();
    Some(two_readings(
        text,
        &format!("{sign}{total}{fraction}"),
        &format!("the text \"{text}\""),
    ))
}

/// `1.0`, `1.`, `.5`, `1e-3`, `1.5e3`.
fn float(text: &str, unsigned: &str) -> Option<Meaning> {
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(i) => (&unsigned[..i], Some(&unsigned[i + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |t: &str| t.chars().all(|c| c.is_ascii_digit() || c == '_');
    let starts = |t: &str| t.starts_with(|c: char| c.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) || (fraction.is_none() && exponent.is_none())
    {
        return None;
    }
    if let Some(exponent) = exponent {
        let number = exponent.strip_prefix(['-', '+']);
        let number = if whole.is_empty() {
            number?
        } else {
            number.unwrap_or(exponent)
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    if whole.is_empty() && !fraction.is_some_and(starts) {
        return None;
    }
    let value: f64 = text.replace('_', "").parse().ok()?;
    if whole.is_empty() && unsigned != text {
        return Some(two_readings(
            text,
            &format!("the text \"{text}\""),
            &Value::Float(value).to_json(),
        ));
    }
    Some(match fraction {
        Some(f) if exponent.is_none() && looks_like_version(whole, f) && unsigned == text => {
            Meaning::Doubtful(
                Value::Float(value),
                "yaml-number-looks-like-version",
                format!("{text} is read as the number {value}; quote it if it is a version"),
                format!("write \"{text}\" for a version, {value} for a number"),
            )
        }
        _ => Meaning::Plain(Value::Float(value)),
    })
}

/// `3.10`, `1.20`: a minor version that ends in a zero the number loses.
fn looks_like_version(whole: &str, fraction: &str) -> bool {
    whole.len() <= 2
        && !whole.starts_with('0')
        && matches!(fraction.as_bytes(), [b'1'..=b'9', b'0'])
}
