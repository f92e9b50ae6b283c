//! Compares the two passes, for the tests and the fuzz targets.

use super::text::CellRules;
use super::{Kind, Log, ParseError, ParseLimits, ParseOptions, exact, exports, fast};
use crate::trail::filter::Wanted;

/// Asserts that the exact pass reads a text as the fast pass does. Returns whether the fast pass
/// reads it.
///
/// # Panics
/// If the passes differ.
pub(crate) fn assert_passes_agree(text: &str, rules: &CellRules, limits: ParseLimits) -> bool {
    let wanted = Wanted::ALL;
    let options = &ParseOptions { rules, limits, object_number: 0, wanted: &wanted };
    let fast = match fast::read(text, options) {
        Ok(Some(fast)) => fast,
        Ok(None) => return false,
        Err(failure) => {
            let exact = exact::read(text, options);
            assert!(exact.is_err(), "only the fast pass fails with {failure}: {text:?}");
            return false;
        }
    };
    let exact = exact::read(text, options);
    let exact = exact.unwrap_or_else(|error| panic!("only the fast pass reads {text:?}: {error}"));
    let shown = |parsed: Result<Log, ParseError>| match parsed {
        Ok(log) => {
            assert_eq!(log.rejects, [], "{text:?}");
            let rows: Vec<_> = log.rows.iter().collect();
            format!("{rows:?} {:?} {}", log.identities, log.replaced_chars)
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(shown(fast.into_log()), shown(exact.into_log()), "{text:?}");
    true
}

/// Returns the records of an export as one JSON array; `None` if the text is none.
pub(crate) fn records_of_export(text: &str) -> Option<String> {
    let (rules, limits, wanted) = (&CellRules::ANY, ParseLimits::UNBOUNDED_BYTES, Wanted::ALL);
    let options = ParseOptions { rules, limits, object_number: 0, wanted: &wanted };
    let unwrapped = if text.trim_ascii_start().starts_with(['{', '[']) {
        let parsed = super::parse_text(text, &options);
        let is_other = matches!(parsed, Err(ParseError::NotALog(Kind::OtherJson)));
        if is_other { exports::unwrap_json(text, usize::MAX) } else { Ok(None) }
    } else {
        exports::unwrap_text(text, usize::MAX)
    };
    unwrapped.ok()?.map(|unwrapped| unwrapped.text)
}
