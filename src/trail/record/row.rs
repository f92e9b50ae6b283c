//! From the members of a record to its row.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::members::Members;
use super::text::{self, CellRules};
use super::{IdentityRef, Log};
use crate::trail::fields::{COLUMN_COUNT, FIELDS, Form, column};
use crate::trail::identity::identity_id;
use crate::trail::rows::Row;
use crate::trail::time::EventTime;

const EVENT_TIME: usize = column("eventTime");
const USER_IDENTITY: usize = column("userIdentity");

/// Makes the rows of one object.
#[derive(Debug, Default)]
pub(super) struct RowMaker<'t> {
    /// The ids of the identities in this object, by their text: it is cheaper to compare a text than
    /// to hash it with SHA-256.
    identities: HashMap<&'t str, i64, RandomState>,
    /// The `otherFields` of the current record.
    other_fields: String,
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
        let mut replaced_chars = members.replaced_chars;
        let cells: [Option<Cow<'_, str>>; COLUMN_COUNT] = std::array::from_fn(|column| {
            let raw = members.columns[column].or(fallbacks[column])?;
            Some(match FIELDS[column].form {
                Form::Json => text::json(raw, members.content, &mut replaced_chars),
                Form::Text => text::characters(raw, members.content, &mut replaced_chars),
            })
        });
        let texts = cells.each_ref().map(Option::as_deref);
        rules.check(&texts)?;
        if rules.keeps_other_fields {
            self.fill_other_fields(members, &fallbacks, &mut replaced_chars);
        }
        let identity_id = match &cells[USER_IDENTITY] {
            Some(Cow::Borrowed(text)) => Some(self.identity(text, log)),
            // What was replaced is seldom there twice.
            Some(Cow::Owned(text)) => Some(add_identity(identity_id(text), log)),
            None => None,
        };
        log.replaced_chars += replaced_chars;
        log.rows.push(&Row {
            cells: texts,
            other_fields: (!self.other_fields.is_empty()).then_some(&*self.other_fields),
            event_at: texts[EVENT_TIME].and_then(EventTime::parse),
            identity_id,
        });
        Ok(())
    }

    /// Returns the id of an identity. If it is the first of this object, `log` lists it.
    fn identity(&mut self, text: &'t str, log: &mut Log) -> i64 {
        let new = || add_identity(identity_id(text), log);
        *self.identities.entry(text).or_insert_with(new)
    }

    /// Writes what the 16 columns do not show of the record: the other members, explicit nulls,
    /// values of text columns that are no strings, and values that have a fallback in the record.
    fn fill_other_fields(
        &mut self,
        members: &Members<'t>,
        fallbacks: &[Option<&'t str>; COLUMN_COUNT],
        replaced_chars: &mut u64,
    ) {
        self.other_fields.clear();
        for (name, raw) in members.others() {
            self.push_member(name, &text::json(raw, members.content, replaced_chars));
        }
        for (column, field) in FIELDS.iter().enumerate() {
            match members.columns[column] {
                None if members.is_null[column] => self.push_member(field.name, "null"),
                Some(raw)
                    if fallbacks[column].is_some()
                        || (field.form == Form::Text && !raw.starts_with('"')) =>
                {
                    // What is replaced in it is counted for the column.
                    self.push_member(field.name, &text::json(raw, members.content, &mut 0));
                }
                _ => {}
            }
        }
        if !self.other_fields.is_empty() {
            self.other_fields.push('}');
        }
    }

    /// Adds a member. `name` is JSON text without its quotes.
    fn push_member(&mut self, name: &str, value: &str) {
        let other_fields = &mut self.other_fields;
        other_fields.reserve(name.len() + value.len() + r#"{"":}"#.len());
        other_fields.push(if other_fields.is_empty() { '{' } else { ',' });
        other_fields.push('"');
        other_fields.push_str(name);
        other_fields.push_str("\":");
        other_fields.push_str(value);
    }
}

/// Lists an identity, whose first row is the next one. Returns its id.
fn add_identity(id: i64, log: &mut Log) -> i64 {
    log.identities.push(IdentityRef { id, row_at_byte: log.rows.as_copy_bytes().len() });
    id
}
