//! Names, instances and selectors as text, and which instance a selector matches.

use std::fmt;

use crate::name::{Instance, Match, Selector};

impl Instance {
    /// A name without matrix values.
    #[must_use]
    pub fn new(base: impl Into<String>) -> Self {
        Self {
            base: base.into(),
            matrix: Vec::new(),
        }
    }

    /// The matrix values joined with `-`; empty without a matrix.
    #[must_use]
    pub fn joined(&self) -> String {
        let values: Vec<&str> = self.matrix.iter().map(|(_, v)| v.as_str()).collect();
        values.join("-")
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        for (i, (_, value)) in self.matrix.iter().enumerate() {
            write!(f, "{}{value}", if i == 0 { '[' } else { ',' })?;
        }
        if self.matrix.is_empty() {
            Ok(())
        } else {
            f.write_str("]")
        }
    }
}

impl fmt::Display for Selector {
    /// As it is written; [`Selector::parse`] reads it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (base, matches) = match self {
            Selector::Tag(tag) => return write!(f, "tag:{tag}"),
            Selector::Path(path) => return f.write_str(path),
            Selector::Name { base, matches } => (base, matches),
        };
        f.write_str(base)?;
        let Some(matches) = matches else {
            return Ok(());
        };
        for (at, one) in matches.iter().enumerate() {
            f.write_str(if at == 0 { "[" } else { "," })?;
            match one {
                Match::Any => f.write_str("*")?,
                Match::Value(value) => f.write_str(value)?,
                Match::Key(key, value) => write!(f, "{key}={value}")?,
            }
        }
        f.write_str("]")
    }
}

impl Selector {
    /// Reads `model`, `model[gbm,*]`, `model[model=gbm]`, `tag:gpu`, or a path (anything with a `/`).
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Selector, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("a selector cannot be empty".into());
        }
        if let Some(tag) = text.strip_prefix("tag:") {
            return if tag.is_empty() {
                Err("a tag is missing after `tag:`".into())
            } else {
                Ok(Selector::Tag(tag.into()))
            };
        }
        let bracket = text.find('[');
        if text[..bracket.unwrap_or(text.len())].contains('/') {
            return Ok(Selector::Path(text.into()));
        }
        let Some(open) = bracket else {
            return match bad_target(text) {
                Some(problem) => Err(problem),
                None => Ok(Selector::Name {
                    base: text.into(),
                    matches: None,
                }),
            };
        };
        let (base, rest) = (text[..open].trim(), &text[open + 1..]);
        if let Some(problem) = crate::check::bad_name(base) {
            return Err(problem);
        }
        let Some(inner) = rest.strip_suffix(']') else {
            return Err(format!("`]` is missing at the end of `{text}`"));
        };
        let matches = inner.split(',').map(one_match).collect::<Result<_, _>>()?;
        Ok(Selector::Name {
            base: base.into(),
            matches: Some(matches),
        })
    }

    /// Whether a name selector matches an instance; tags and paths match by what is not in a name.
    #[must_use]
    pub fn matches(&self, instance: &Instance) -> bool {
        let Selector::Name { base, matches } = self else {
            return false;
        };
        base == &instance.base && matches.as_ref().is_none_or(|m| values_match(m, instance))
    }
}

/// Whether the places between the brackets fit an instance's values.
///
/// `[*]` alone fits everything; otherwise places without a key count by position and are as many
/// as there are values, and places with a key may be some of them.
fn values_match(matches: &[Match], instance: &Instance) -> bool {
    if matches == [Match::Any] {
        return true;
    }
    let by_key = matches.iter().any(|m| matches!(m, Match::Key(..)));
    if !by_key && matches.len() != instance.matrix.len() {
        return false;
    }
    matches.iter().enumerate().all(|(i, m)| match m {
        Match::Any => true,
        Match::Value(value) => instance.matrix.get(i).is_some_and(|(_, v)| v == value),
        Match::Key(key, value) => instance
            .matrix
            .iter()
            .any(|(k, v)| k == key && (v == value || value == "*")),
    })
}

/// Why nothing can have this name: dvc.yaml's stages are called `build@eu` and `dvc.yaml:build` too.
fn bad_target(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(['@', ':']).collect();
    parts.iter().find_map(|part| crate::check::bad_name(part))
}

fn one_match(text: &str) -> Result<Match, String> {
    let text = text.trim();
    if text == "*" {
        return Ok(Match::Any);
    }
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (Some(key.trim()), value.trim()),
        None => (None, text),
    };
    if value.is_empty() || key == Some("") {
        return Err("a value is missing between the brackets".into());
    }
    if let Some(bad) = value.chars().find(|c| matches!(c, '[' | ']' | '=')) {
        return Err(format!("`{bad}` cannot stand between the brackets"));
    }
    if value.contains('*') && value != "*" {
        return Err(format!(
            "`*` stands for a whole value: `{value}` is not known"
        ));
    }
    Ok(match key {
        Some(key) => Match::Key(key.into(), value.into()),
        None => Match::Value(value.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train() -> Instance {
        Instance {
            base: "train".into(),
            matrix: vec![("model".into(), "gbm".into()), ("seed".into(), "1".into())],
        }
    }

    #[test]
    fn shown_as_written() {
        assert_eq!(train().to_string(), "train[gbm,1]");
        assert_eq!(train().joined(), "gbm-1");
        assert_eq!(Instance::new("a").to_string(), "a");
    }

    #[test]
    fn selectors_match() {
        let matches = |t: &str| Selector::parse(t).expect("valid").matches(&train());
        for yes in [
            "train",
            "train[*]",
            "train[gbm,1]",
            "train[gbm,*]",
            "train[seed=1]",
            "train[ model = gbm , seed=* ]",
        ] {
            assert!(matches(yes), "{yes}");
        }
        for no in [
            "other",
            "train[gbm]",
            "train[mlp,1]",
            "train[seed=2]",
            "train[gbm,1,2]",
            "tag:train",
        ] {
            assert!(!matches(no), "{no}");
        }
        for bad in [
            "",
            "a b",
            "train[",
            "train[gbm",
            "train[]",
            "train[a=]",
            "tag:",
            "train[g*]",
            "[x]",
            "a[b]]",
        ] {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Selector::parse("./x.bin"),
            Ok(Selector::Path("./x.bin".into()))
        );
    }
}
