//! Hints for misspelt names.

/// Returns a hint for `word`, which is none of `known`: the likeliest of them, or all.
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    match closest(word, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => one_of(known),
    }
}

/// Returns a hint that lists every choice.
pub(crate) fn one_of(choices: &[&str]) -> String {
    format!("use one of `{}`", choices.join("`, `"))
}

/// Returns the candidate that `word` most likely is a misspelling of.
fn closest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    /// Below it, Jaro-Winkler likens words that share only letters; clap uses 0.7 on far more.
    const LIKENESS_MIN: f64 = 0.8;
    let word = word.to_lowercase();
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), *candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_is_made_only_for_what_is_alike() {
        assert_eq!(closest("passwrd", &["password", "port"]), Some("password"));
        assert_eq!(closest("zzz", &["password", "port"]), None);
    }
}
