//! What a plain YAML scalar means to DVC: YAML 1.2 as ruamel.yaml reads it.
//!
//! `scalars.tsv` among the tests has what that reader really says. Dates stay text.

use super::scalar::Meaning;
use crate::value::Value;

/// Reads a plain scalar.
pub(super) fn resolve(text: &str) -> Meaning {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
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
        _ => match integer(text) {
            Some(Ok(number)) => Value::Int(number),
            Some(Err(())) => {
                return Meaning::Refused(
                    "number-too-big",
                    format!("the integer `{text}` needs more than 64 bits"),
                    "write it as a float (1e19) or as text in quotes".into(),
                );
            }
            None => float(text).map_or_else(|| Value::Text(text.to_owned()), Value::Float),
        },
    };
    Meaning::Plain(value)
}

/// `17`, `017`, `0x1f`, `0b11`, `0o17`, with `_` after the first digit.
fn integer(text: &str) -> Option<Result<i64, ()>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { "-" } else { "" };
    let (radix, digits) = match unsigned.get(..2) {
        Some("0x") => (16, &unsigned[2..]),
        Some("0b") => (2, &unsigned[2..]),
        Some("0o") => (8, &unsigned[2..]),
        _ if unsigned.starts_with(|c: char| c.is_ascii_digit()) => (10, unsigned),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|&c| c != '_').collect();
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    Some(i64::from_str_radix(&format!("{sign}{digits}"), radix).map_err(drop))
}

/// `1.0`, `1.`, `.5`, `1e-3`.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit() || c == '_');
    let has_digit = |part: &str| part.chars().any(|c| c.is_ascii_digit());
    let counts = whole.starts_with(|c: char| c.is_ascii_digit())
        || whole.is_empty() && fraction.is_some_and(has_digit);
    if !counts || !digits(whole) || !fraction.is_none_or(digits) {
        return None;
    }
    if let Some(exponent) = exponent {
        let number = exponent.strip_prefix(['-', '+']);
        // `.5e3` is text, `.5e+3` a number.
        let number = if whole.is_empty() {
            number?
        } else {
            number.unwrap_or(exponent)
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    } else {
        fraction?;
    }
    text.replace('_', "").parse().ok()
}
