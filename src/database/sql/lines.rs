//! The ledger's lines: how they are read, inserted, extended, updated and deleted.

use super::SqlStore;
use super::connection::{Cells, Connection, Value};
use super::schema::{OBJECTS, placeholders};
use crate::database::DatabaseError;
use crate::database::batch::ParsedObject;
use crate::database::ledger::{Line, LoadedContent, ObjectOutcome};
use crate::trail::filter::FilterSet;
use crate::trail::object::ObjectId;

impl SqlStore {
    /// Returns the columns of a ledger line that one of an earlier version lacks.
    pub(super) async fn ledger_columns(&self) -> Result<&str, DatabaseError> {
        let columns = self.ledger_columns.get_or_try_init(|| async {
            let lacking = self.lacking_columns(OBJECTS.name).await?;
            let lacks = |name| lacking.contains(&name);
            let number = if lacks("number") { self.null_integer() } else { "number" };
            let filters = if lacks("filters") { "NULL" } else { "filters" };
            Ok::<_, DatabaseError>(format!("COALESCE({number}, -1), {filters}"))
        });
        columns.await.map(String::as_str)
    }

    /// Deletes the rows and the ledger line of an object's earlier content, of which other objects may have lost
    /// duplicates. If another import has replaced it, the line stays, and the new one conflicts with it.
    pub(super) async fn delete_content(
        &self,
        connection: &mut dyn Connection,
        object: &ParsedObject,
        replaced: &LoadedContent,
    ) -> Result<(), sqlx::Error> {
        let engine = self.driver.engine();
        self.load_again_without(connection, &object.id).await?;
        let line = "DELETE FROM import_objects WHERE id = ?id AND digest = ? \
             AND COALESCE(filters, '') = ? AND outcome IN ('loaded', 'changed')";
        let filters = replaced.filters.to_column().unwrap_or_default();
        let texts = [&replaced.sha256, &filters].map(|text| Value::Text(Some(text)));
        let values = [Value::Id(&object.id), texts[0], texts[1]];
        connection.execute(&placeholders(engine, line), &values).await?;
        let rows = placeholders(engine, "DELETE FROM logs WHERE objectId = ?");
        connection.execute(&rows, &[Value::Int(object.number())]).await?;
        Ok(())
    }

    /// Records that an object has another version with the same bytes or with other bytes.
    ///
    /// The conditions make it repeatable, and leave a line alone that another import has replaced.
    pub(super) async fn update_line(
        &self,
        connection: &mut dyn Connection,
        object: &ParsedObject,
        run_id: i64,
    ) -> Result<(), sqlx::Error> {
        let version = Value::Text(Some(&object.object.version));
        let (id, sha256) = (Value::Id(&object.id), Value::Text(Some(&object.sha256)));
        let engine = self.driver.engine();
        if let ObjectOutcome::Changed(reason) = object.outcome() {
            // No batch has the number 0: the line is not mistaken for one that this run inserted.
            let update = "UPDATE import_objects SET version = ?, outcome = 'changed', reason = ?, \
                 run_id = ?, batch_id = 0, finished_at = ? \
                 WHERE id = ?id AND digest <> ? AND outcome IN ('loaded', 'changed')";
            let finished_at = jiff::Timestamp::now().to_string();
            let (reason, finished_at) =
                (Value::Text(Some(reason)), Value::Text(Some(&finished_at)));
            let values = [version, reason, Value::Int(run_id), finished_at, id, sha256];
            connection.execute(&placeholders(engine, update), &values).await?;
        } else {
            let update = "UPDATE import_objects SET version = ?, outcome = 'loaded', reason = NULL \
                 WHERE id = ?id AND digest = ? AND outcome IN ('loaded', 'changed')";
            connection.execute(&placeholders(engine, update), &[version, id, sha256]).await?;
        }
        Ok(())
    }

    /// Adds the counts of other records to an object's line.
    ///
    /// # Errors
    /// [`sqlx::Error::RowNotFound`] if another run has changed the line since it was read.
    pub(super) async fn extend_line(
        &self,
        connection: &mut dyn Connection,
        object: &ParsedObject,
        (run_id, batch_id): (i64, i64),
    ) -> Result<(), sqlx::Error> {
        let update = "UPDATE import_objects SET version = ?, outcome = 'loaded', reason = NULL, \
             row_count = row_count + ?, reject_count = reject_count + ?, \
             altered_count = altered_count + ?, filtered_count = filtered_count - ?, \
             filters = ?, content_sha256 = COALESCE(?, content_sha256), run_id = ?, batch_id = ?, finished_at = ? \
             WHERE id = ?id AND digest = ? AND COALESCE(filters, '') = ? \
             AND outcome IN ('loaded', 'changed')";
        let log = object.log();
        let (rows, rejects) = (log.rows.len() as u64, log.rejects.len() as u64);
        let finished_at = jiff::Timestamp::now().to_string();
        let filters = object.filters().to_column();
        let content = object.content().map(|it| it.to_string());
        let before = object.extended().and_then(FilterSet::to_column).unwrap_or_default();
        let values = [
            Value::Text(Some(&object.object.version)),
            Value::count(rows),
            Value::count(rejects),
            Value::count(log.replaced_chars),
            Value::count(rows + rejects),
            Value::Text(filters.as_deref()),
            Value::Text(content.as_deref()),
            Value::Int(run_id),
            Value::Int(batch_id),
            Value::Text(Some(&finished_at)),
            Value::Id(&object.id),
            Value::Text(Some(&object.sha256)),
            Value::Text(Some(&before)),
        ];
        let update = placeholders(self.driver.engine(), update);
        match connection.execute(&update, &values).await? {
            0 => Err(sqlx::Error::RowNotFound),
            _ => Ok(()),
        }
    }
}

/// Returns the values of the rejects of an object.
pub(super) fn reject_lines<'v>(
    object: &'v ParsedObject,
    texts: &'v LineTexts,
) -> impl Iterator<Item = [Value<'v>; 5]> + Send {
    object.log().rejects.iter().zip(&texts.reject_reasons).map(|(reject, reason)| {
        [
            Value::Id(&object.id),
            Value::count(reject.index),
            Value::count(reject.offset_bytes),
            Value::Text(Some(reason)),
            Value::Text(Some(&reject.text)),
        ]
    })
}

/// The texts of a ledger line that are made from the object.
pub(super) struct LineTexts {
    uri: String,
    outcome: &'static str,
    kind: Option<&'static str>,
    reason: Option<String>,
    finished_at: String,
    filters: Option<String>,
    content: Option<String>,
    /// The reason of each reject.
    reject_reasons: Vec<String>,
}

impl LineTexts {
    pub(super) fn of(object: &ParsedObject) -> Self {
        let outcome = object.outcome();
        let (kind, reason) = match outcome {
            ObjectOutcome::Loaded | ObjectOutcome::AlreadyLoaded => (None, None),
            ObjectOutcome::Skipped(kind) => (Some(kind.as_str()), None),
            ObjectOutcome::Changed(reason) | ObjectOutcome::Failed(reason) => {
                (None, Some(visible_nul(reason)))
            }
        };
        let uri = visible_nul(&object.object.location.uri());
        let finished_at = jiff::Timestamp::now().to_string();
        let reject_reasons = object.log().rejects.iter().map(|it| it.reason.to_string()).collect();
        // Only what is loaded is a part.
        let is_loaded = *outcome == ObjectOutcome::Loaded;
        let filters = object.filters().to_column().filter(|_| is_loaded);
        let outcome = outcome.as_str();
        let content = object.content().map(|it| it.to_string());
        Self { uri, outcome, kind, reason, finished_at, filters, content, reject_reasons }
    }
}

pub(super) fn ledger_line<'v>(
    object: &'v ParsedObject,
    texts: &'v LineTexts,
    run_id: i64,
    batch_id: i64,
) -> [Value<'v>; 19] {
    let log = object.log();
    let is_filtered = texts.filters.is_some();
    [
        Value::Id(&object.id),
        Value::Text(Some(&texts.uri)),
        Value::Text(Some(&object.object.version)),
        Value::count(object.object.size_bytes),
        Value::Text(Some(&object.sha256)),
        Value::Text(Some(texts.outcome)),
        Value::Text(texts.kind),
        Value::count(log.records()),
        Value::count(log.rows.len() as u64),
        Value::count(log.rejects.len() as u64),
        Value::count(log.replaced_chars),
        Value::Text(texts.reason.as_deref()),
        Value::Int(run_id),
        Value::Int(batch_id),
        Value::Text(Some(&texts.finished_at)),
        Value::Int(object.number()),
        Value::Text(texts.filters.as_deref()),
        Value::OptionalInt(is_filtered.then(|| i64::try_from(log.filtered).unwrap_or(i64::MAX))),
        Value::Text(texts.content.as_deref()),
    ]
}

/// Replaces U+0000, which PostgreSQL cannot store, in text that only people read.
pub(super) fn visible_nul(text: &str) -> String {
    text.replace('\0', "␀")
}

/// Returns the error of a ledger line with filters that this version does not know.
pub(super) fn unknown_filter(error: serde_json::Error) -> DatabaseError {
    let mut unusable = DatabaseError::unusable(
        "the ledger has a filter that this version of cloudtrail2sql does not know".to_owned(),
        "use the version that imported into this database last".to_owned(),
    );
    unusable.source = Some(error.into());
    unusable
}

/// Reads a line. An id of another length is not one of ours.
pub(super) fn read_line(cells: Cells) -> Result<Option<(ObjectId, Line)>, serde_json::Error> {
    let [id, outcome, kind, reason, version, sha256, run_id, batch_id, number, filters] =
        <[_; 10]>::try_from(cells).expect("the query selects ten columns");
    let Ok(id) = id.into_bytes().try_into() else { return Ok(None) };
    let filters = FilterSet::from_column(filters.into_optional_text().as_deref())?;
    let (kind, reason) = (kind.into_optional_text(), reason.into_optional_text());
    let outcome = ObjectOutcome::from_columns(&outcome.into_text(), kind.as_deref(), reason);
    let (version, sha256) = (version.into_text(), sha256.into_text());
    let (run_id, batch_id) = (run_id.into_int(), batch_id.into_int());
    let number = Some(number.into_int()).filter(|number| *number >= 0);
    let line = Line { outcome, version, sha256, run_id, batch_id, number, filters };
    Ok(Some((ObjectId(id), line)))
}
