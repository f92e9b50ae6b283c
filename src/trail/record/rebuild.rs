//! From a row back to its record.

use super::members::Members;
use crate::trail::fields::{FIELDS, Form, column};
use crate::trail::rows::Cells;

const EVENT_TYPE: usize = column("eventType");

/// Returns the JSON text of the record that a row was made of, from its 16 columns and its
/// `otherFields`.
///
/// It equals the record in the file as a JSON value: the order of the members and the blanks between
/// them may differ, and of duplicate members it has the last. What was replaced and counted when the
/// record was loaded stays replaced. Without `otherFields`, it has only what the 16 columns show.
pub fn rebuild(cells: &Cells<'_>, other_fields: Option<&str>) -> String {
    let event_type = cells[EVENT_TYPE].map(quoted);
    let mut members = Members::parse(other_fields.unwrap_or_default());
    // It decides whether a record is an aggregated one, whose fields have other names.
    if !members.is_null[EVENT_TYPE] {
        members.columns[EVENT_TYPE] = members.columns[EVENT_TYPE].or(event_type.as_deref());
    }
    let fallbacks = members.fallbacks();
    let mut record = String::new();
    let mut push = |name: &str, value: &str| {
        record.push(if record.is_empty() { '{' } else { ',' });
        record.push_str(&format!("\"{name}\":{value}"));
    };
    for (column, field) in FIELDS.iter().enumerate() {
        match (members.columns[column], cells[column]) {
            (Some(raw), _) => push(field.name, raw),
            (None, _) if members.is_null[column] => push(field.name, "null"),
            // The value is that of the fallback, which is among the other fields.
            (None, Some(_)) if fallbacks.is_some_and(|it| it[column].is_some()) => {}
            (None, Some(cell)) => match field.form {
                Form::Json => push(field.name, cell),
                Form::Text => push(field.name, &quoted(cell)),
            },
            (None, None) => {}
        }
    }
    members.others().for_each(|(name, raw)| push(name, raw));
    push_end(&mut record);
    record
}

fn push_end(record: &mut String) {
    record.push_str(if record.is_empty() { "{}" } else { "}" });
}

/// Returns the text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text can be written as JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::trail::record::{CellRules, ParseLimits, parse};

    /// Returns the record that is rebuilt from the row of this one.
    fn round_trip(record: &str) -> String {
        let log = parse(record.as_bytes(), &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES).unwrap();
        let row = log.rows.iter().next().unwrap();
        rebuild(&row.cells, row.other_fields)
    }

    #[test]
    fn a_record_survives_its_row() {
        for record in [
            r#"{"eventVersion":"1.08","eventID":"a","readOnly":true,"resources":[{"ARN":"x"}]}"#,
            r#"{"eventVersion":"1","eventID":"a","requestParameters":null,"responseElements":{"b":[1,"\u00e9"]}}"#,
            r#"{"eventID":"a","errorCode":null,"eventVersion":1.08,"userAgent":{"x":[]}}"#,
            r#"{"eventVersion":"1","eventID":"a","userAgent":"\"q\"\\\n é😀","k\"\n":"v","\u006b":1}"#,
            r#"{"eventVersion":"1","eventID":"a","userIdentity":"text","requestParameters":"","x":""}"#,
            // Values that have a fallback in the record.
            r#"{"eventVersion":"1","eventID":"a","insightDetails":{"eventName":"b","eventSource":"s"}}"#,
            r#"{"eventVersion":"1","eventID":"a","eventName":"b","insightDetails":{"eventName":"b"}}"#,
            r#"{"eventVersion":"1","eventID":"a","eventName":"c","insightDetails":{"eventName":"b"}}"#,
            r#"{"eventVersion":"1","eventID":"a","eventName":null,"insightDetails":{"eventName":"b"}}"#,
            r#"{"eventVersion":"1","eventId":"a","accountId":"1","eventCategory":"Aggregated"}"#,
            r#"{"eventTime":"t","eventId":"a","accountId":"1","eventType":"AwsAggregatedEvent"}"#,
            r#"{"eventVersion":"1","eventID":"z","eventId":"a","recipientAccountId":"1","accountId":"1"}"#,
            r#"{"eventVersion":"1","eventID":"z","eventId":"a","eventType":"\u0041wsAggregatedEvent"}"#,
            r#"{"eventVersion":"1","eventID":"z","accountId":"1","eventType":null,"eventCategory":"Aggregated"}"#,
        ] {
            let rebuilt = round_trip(record);
            let value = |json: &str| serde_json::from_str::<Value>(json).unwrap();
            assert_eq!(value(&rebuilt), value(record), "{rebuilt}");
        }
    }

    #[test]
    fn of_duplicate_members_the_last_is_kept() {
        let many: Vec<String> = (0..20).map(|n| format!(r#""k{n}":0,"#)).collect();
        for more in ["", &many.concat()] {
            let record = format!(
                r#"{{{more}"x":1,"eventVersion":"1","eventID":"a","x":2,"eventID":"b","\u0078":3}}"#
            );
            assert_eq!(round_trip(&record).matches("\"x\"").count(), 1);
            assert!(
                round_trip(&record).contains(r#""x":3"#)
                    && round_trip(&record).contains(r#""eventID":"b""#)
            );
        }
    }

    #[test]
    fn a_row_of_nothing_is_an_empty_record() {
        assert_eq!(rebuild(&[None; crate::trail::fields::COLUMN_COUNT], None), "{}");
    }
}
