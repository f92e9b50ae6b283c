//! `record`: prints a record as it is in its file, with the file's location.

use std::path::Path;

use super::stores;
use crate::cli::config::{Form, RecordSettings, defaults};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, FoundRecord, RecordPlace, RecordReport};
use crate::database::ledger::sha256_hex;
use crate::database::status::StoredRecord;
use crate::trail::fields::column;
use crate::trail::gzip::decode;
use crate::trail::record::{CellRules, Log, ParseLimits, parse};

const EVENT_ID: usize = column("eventID");

/// Runs the command.
pub(super) async fn run(settings: &RecordSettings, form: Form) -> Result<Exit, RunError> {
    stores::announce(&settings.database);
    let store = stores::open_imported(&settings.database).await?;
    let stored = store.records(&settings.event_id).await?;
    store.close().await;
    let event_id = settings.event_id.clone();
    let with_place = |record: StoredRecord| {
        let place = place_in_file(&record, &event_id);
        FoundRecord { record, place }
    };
    let records: Vec<FoundRecord> = stored.into_iter().map(with_place).collect();
    let exit = if records.is_empty() { Exit::LeftOut } else { Exit::Complete };
    output::print(&RecordReport { event_id, records }, form)?;
    Ok(exit)
}

/// Returns the place of a record in its file, if that is on this machine and has not changed. The
/// database does not have it: a row names its object, and not its position in it.
fn place_in_file(record: &StoredRecord, event_id: &str) -> Option<RecordPlace> {
    let path = Path::new(record.uri.as_deref()?);
    let is_small = |bytes| bytes <= defaults::OBJECT_BYTES;
    if !path.is_absolute() || !std::fs::metadata(path).is_ok_and(|it| is_small(it.len())) {
        return None;
    }
    let stored = std::fs::read(path).ok()?;
    if record.sha256.as_deref() != Some(&sha256_hex(&stored)) {
        return None;
    }
    let json = decode(&stored, defaults::OBJECT_BYTES).ok()?;
    let log = parse(&json, &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES).ok()?;
    let row = log.rows.iter().position(|row| row.cells[EVENT_ID] == Some(event_id))?;
    Some(RecordPlace { index: index_of_row(&log, row as u64), records: log.records() })
}

/// Returns the position of a row among all records, rejected ones among them.
fn index_of_row(log: &Log, row: u64) -> u64 {
    log.rejects.iter().fold(row, |index, reject| index + u64::from(reject.index <= index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_records_count() {
        let json = br#"[1, {"eventVersion":"1","eventID":"a"}, 2, 3, {"eventVersion":"1","eventID":"b"}, {"eventVersion":"1","eventID":"c"}, 4]"#;
        let log = parse(json, &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES).unwrap();
        let indexes: Vec<u64> = (0..3).map(|row| index_of_row(&log, row)).collect();
        assert_eq!(indexes, [1, 4, 5]);
    }
}
