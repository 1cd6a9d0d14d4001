//! "Did you mean": the known word nearest to a mistaken one.

/// The nearest word, if it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter(|k| k.len().abs_diff(word.len()) <= 4 * limit)
        .map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase()), k))
        .filter(|&(distance, k)| distance <= limit && k != word && distance < k.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, k)| k)
}

/// `did you mean `x`?`
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, known).map(|k| format!("did you mean `{k}`?"))
}

/// A list for a message, cut where it gets long.
pub(crate) fn listing<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 8;
    let words: Vec<&str> = words.into_iter().collect();
    let shown = words
        .iter()
        .take(MOST)
        .map(|w| format!("`{w}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if words.len() > MOST {
        format!("{shown} and {} more", words.len() - MOST)
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_only() {
        assert_eq!(nearest("timout", ["timeout", "tags"]), Some("timeout"));
        assert_eq!(nearest("xyz", ["timeout", "tags"]), None);
        assert_eq!(nearest("CMD", ["cmd"]), Some("cmd"));
        assert_eq!(nearest("a", ["b"]), None);
    }
}
