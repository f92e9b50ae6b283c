//! Hints for misspelt names.

/// Returns a hint for an unknown word: the most similar known word, or all of them.
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    match closest(word, known) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => one_of(known),
    }
}

/// Returns a hint that lists all choices.
pub(crate) fn one_of(choices: &[&str]) -> String {
    format!("use one of `{}`", choices.join("`, `"))
}

/// Returns the candidate most similar to `word`, if one is similar enough.
pub(crate) fn closest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    /// The least Jaro-Winkler similarity of a suggestion. Below it, words match that only share a
    /// few letters; clap uses 0.7.
    const SIMILARITY_MIN: f64 = 0.8;
    let word = word.to_lowercase();
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), *candidate))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_is_made_only_for_a_similar_word() {
        assert_eq!(closest("passwrd", &["password", "port"]), Some("password"));
        assert_eq!(closest("zzz", &["password", "port"]), None);
    }
}
