//! What an export task of CloudWatch Logs writes: lines of a time, a blank and a message (CloudWatch Logs
//! user guide, "Exporting log data to Amazon S3").

use super::{Builder, Unwrapped, added, object, quoted};
use crate::trail::record::{Kind, ParseError};

/// The time before a message.
const TIME: &[u8] = b"0000-00-00T00:00:00.000Z ";

/// Returns whether a text begins with such a line, whose message is JSON.
pub(super) fn is_export(text: &str) -> bool {
    let text = text.trim_ascii_start();
    begins_with_time(text.as_bytes()) && text[TIME.len()..].trim_ascii_start().starts_with('{')
}

/// Returns the records of all lines. A line without a time continues the one before: its message had an
/// end of line in it.
pub(super) fn unwrap<'t>(text: &'t str, mut builder: Builder<'t>) -> Result<Unwrapped, ParseError> {
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        let mut ends = rest.match_indices('\n').map(|(at, _)| at + 1);
        let end = ends.find(|at| begins_with_time(&rest.as_bytes()[*at..]));
        let (line, later) = rest.split_at(end.unwrap_or(rest.len()));
        rest = later;
        let line = line.trim_ascii_end();
        // The first line begins with a time, and so does each that begins after an `end`.
        let (time, message) = line.split_at_checked(TIME.len()).unwrap_or((line, ""));
        let info = object([("timestamp", &*quoted(time.trim_ascii_end()))]);
        let (place, added) = (builder.place_of(line), (added::CLOUDWATCH_LOGS, info));
        builder.push(message, Some(added), place, || quoted(line))?;
    }
    Ok(builder.finish(Kind::CloudWatchLogs, true))
}

fn begins_with_time(text: &[u8]) -> bool {
    text.len() >= TIME.len()
        && TIME.iter().zip(text).all(|(form, byte)| match form {
            b'0' => byte.is_ascii_digit(),
            other => other == byte,
        })
}
