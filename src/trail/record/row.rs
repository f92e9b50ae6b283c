//! From the members of a record to its row.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::members::Members;
use super::text::{self, CellRules};
use super::{IdentityRef, Log};
use crate::trail::fields::{COLUMN_COUNT, FIELDS, Form, column};
use crate::trail::identity::identity_id;
use crate::trail::rows::RowWriter;
use crate::trail::time::EventTime;

const EVENT_TIME: usize = column("eventTime");
const USER_IDENTITY: usize = column("userIdentity");

/// Makes the rows of one object.
#[derive(Debug, Default)]
pub(super) struct RowMaker<'t> {
    /// The ids of the identities in this object, by their text: it is cheaper to compare a text than
    /// to hash it with SHA-256.
    identities: HashMap<&'t str, i64, RandomState>,
}

impl<'t> RowMaker<'t> {
    /// Adds the row of a record to `log`, or returns the first column that is too narrow for its
    /// value.
    pub(super) fn push(
        &mut self,
        members: &Members<'t>,
        rules: &CellRules,
        log: &mut Log,
    ) -> Result<(), usize> {
        let fallbacks = members.fallbacks();
        let content = members.content;
        let mut replaced_chars = members.replaced_chars;
        let row_at_byte = log.rows.as_copy_bytes().len();
        let mut row = log.rows.begin();
        let (mut event_at, mut identity) = (None, None);
        // The columns whose cells do not show all that the record has.
        let mut partial = [None; COLUMN_COUNT];
        for (column, field) in FIELDS.iter().enumerate() {
            let own = members.columns[column];
            let fallback = fallbacks.as_ref().and_then(|fallbacks| fallbacks[column]);
            partial[column] = match own {
                None => members.is_null[column].then_some("null"),
                Some(raw) => {
                    let is_shown = field.form == Form::Json || raw.starts_with('"');
                    (fallback.is_some() || !is_shown).then_some(raw)
                }
            };
            let Some(raw) = own.or(fallback) else {
                row.push(None);
                continue;
            };
            let text = match field.form {
                Form::Json => text::json(raw, content, &mut replaced_chars),
                Form::Text => text::characters(raw, content, &mut replaced_chars),
            };
            if !rules.limits[column].holds(&text) {
                return Err(column);
            }
            row.push(Some(&text));
            match column {
                EVENT_TIME => event_at = EventTime::parse(&text),
                USER_IDENTITY => identity = Some(text),
                _ => {}
            }
        }
        if rules.keeps_other_fields {
            push_other_fields(&mut row, members, &partial, &mut replaced_chars);
        } else {
            row.push(None);
        }
        let mut add = |id| {
            log.identities.push(IdentityRef { id, row_at_byte });
            id
        };
        let identity_id = identity.map(|text| match text {
            Cow::Borrowed(text) => {
                *self.identities.entry(text).or_insert_with(|| add(identity_id(text)))
            }
            // What was replaced is seldom there twice.
            Cow::Owned(text) => add(identity_id(&text)),
        });
        row.end(event_at, identity_id);
        log.replaced_chars += replaced_chars;
        Ok(())
    }
}

/// Writes what the 16 columns do not show of the record: the other members, and the `partial`
/// columns. These are explicit nulls, values of text columns that are no strings, and values that have
/// a fallback in the record.
fn push_other_fields(
    row: &mut RowWriter<'_>,
    members: &Members<'_>,
    partial: &[Option<&str>; COLUMN_COUNT],
    replaced_chars: &mut u64,
) {
    let mut object = row.push_object();
    for (name, raw) in members.others() {
        object.push(name, &text::json(raw, members.content, replaced_chars));
    }
    for (field, raw) in FIELDS.iter().zip(partial) {
        if let Some(raw) = raw {
            // What is replaced in it is counted for the column.
            object.push(field.name, &text::json(raw, members.content, &mut 0));
        }
    }
    object.end();
}
