//! Collects the records of one object's documents; shared by both passes.
//!
//! What it keeps is bounded by [`ParseLimits`](super::ParseLimits), whatever the documents contain: rows are only made
//! of records, and rejects are counted beyond their limit, not kept.

use super::members::Members;
use super::row::RowMaker;
use super::select::{Choice, choose};
use super::{Kind, Log, ParseError, ParseOptions, Reject, RejectReason};
use crate::trail::fields::COLUMNS;
use crate::trail::filter::FilterSet;

/// What became of one JSON object.
pub(super) enum Taken {
    /// It became a row or was left out, or was a wrapper whose elements were handled.
    Done,
    /// It has to be rejected, which only the exact pass can do.
    Rejected(RejectReason),
}

/// The records that have been collected so far, and what else was found.
pub(super) struct Collector<'t> {
    pub(super) log: Log,
    row_maker: RowMaker<'t>,
    pub(super) has_records_array: bool,
    options: &'t ParseOptions<'t>,
    /// JSON objects where a record may be, and how many of them are records.
    objects: u64,
    records: u64,
    /// What the first JSON object seems to be that is not a record.
    kind: Option<Kind>,
    /// Whether a record has a value that is too long for its column.
    has_oversized: bool,
    /// Rejects, kept or only counted, and the first one's reason.
    rejects: u64,
    first_reject: Option<RejectReason>,
}

/// What an identity occupies: its entry in the log, and in the map of the identities that are known,
/// which grows by doubling.
const IDENTITY_BYTES: usize = 96;

impl<'t> Collector<'t> {
    /// Reserves room for the rows of a text: they usually take a little less than the text.
    pub(super) fn new(text_bytes: usize, options: &'t ParseOptions<'_>) -> Self {
        let mut log = Log::default();
        log.rows.set_object(options.object_number);
        if options.wanted.selected == FilterSet::All {
            log.rows.reserve(text_bytes.min(options.limits.bytes_max));
        }
        Self {
            log,
            row_maker: RowMaker::default(),
            has_records_array: false,
            options,
            objects: 0,
            records: 0,
            kind: None,
            has_oversized: false,
            rejects: 0,
            first_reject: None,
        }
    }

    /// Takes the members of one JSON object that is not a `Records` wrapper.
    ///
    /// # Errors
    /// [`ParseError::OutOfRoom`].
    pub(super) fn take(&mut self, members: &Members<'t>) -> Result<Taken, ParseError> {
        self.objects += 1;
        if members.is_other_services_event() || !members.is_marked() {
            self.kind.get_or_insert(members.kind());
            return Ok(Taken::Rejected(RejectReason::NotARecord));
        }
        self.records += 1;
        let left_out = match choose(self.options.wanted, members) {
            Choice::Take => None,
            Choice::Filtered => Some(&mut self.log.filtered),
            Choice::Known => Some(&mut self.log.known),
        };
        if let Some(count) = left_out {
            *count += 1;
            return Ok(Taken::Done);
        }
        if let Err(column) = self.row_maker.push(members, self.options.rules, &mut self.log) {
            self.has_oversized = true;
            return Ok(Taken::Rejected(RejectReason::TooLong(COLUMNS[column])));
        }
        let bytes_max = self.options.limits.bytes_max;
        let identity_bytes = self.log.identities.len() * IDENTITY_BYTES;
        if self.log.rows.as_copy_bytes().len() + identity_bytes > bytes_max {
            return Err(ParseError::OutOfRoom { bytes_max });
        }
        Ok(Taken::Done)
    }

    /// Rejects the element whose JSON text is `text`.
    pub(super) fn reject(&mut self, reason: RejectReason, offset_bytes: u64, text: &str) {
        let is_of_record = matches!(reason, RejectReason::TooLong(_));
        if self.options.wanted.is_read_again() && !is_of_record {
            self.log.known += 1;
            return;
        }
        let index = self.log.rows.len() as u64 + self.rejects + self.log.left_out();
        self.rejects += 1;
        self.first_reject.get_or_insert(reason);
        if self.log.rejects.len() < self.options.limits.rejects_max {
            self.log.rejects.push(Reject { index, offset_bytes, reason, text: text.to_owned() });
        }
    }

    /// Returns whether there are records to reject, which only the exact pass can do.
    pub(super) fn must_reject(&self) -> bool {
        self.has_oversized || (self.records > 0 && self.records < self.objects)
    }

    /// Returns the log.
    ///
    /// # Errors
    /// [`ParseError::NotALog`] if none of the documents holds a record, and
    /// [`ParseError::TooManyRejects`].
    pub(super) fn into_log(self) -> Result<Log, ParseError> {
        let is_empty_log = self.objects == 0 && self.has_records_array;
        if self.records == 0 && !is_empty_log {
            return Err(ParseError::NotALog(self.kind.unwrap_or(Kind::OtherJson)));
        }
        let mut log = self.log;
        if self.rejects > log.rejects.len() as u64 {
            let records = log.rows.len() as u64 + self.rejects + log.left_out();
            let first = self.first_reject.expect("there are rejects");
            return Err(ParseError::TooManyRejects { rejects: self.rejects, records, first });
        }
        log.rows.shrink();
        log.identities.shrink_to_fit();
        Ok(log)
    }
}
