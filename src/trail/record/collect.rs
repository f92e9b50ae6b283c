//! Collects the records of one object's documents; shared by both passes.

use super::members::Members;
use super::text::CellRules;
use super::{Kind, Log};

/// Where a JSON object was found, which decides what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the top level: a wrapper, a record, or something else.
    Top,
    /// An element of `Records` or of a top-level array.
    Element,
}

/// What became of one JSON object.
pub(super) enum Taken {
    /// It became a row, or was a wrapper whose elements were handled.
    Row,
    /// It belongs to something else than CloudTrail.
    Foreign,
    /// A value is too long for this column.
    Oversized { column: usize },
}

/// The records that have been collected so far, and what else was found.
pub(super) struct Collector {
    pub(super) log: Log,
    pub(super) has_records_array: bool,
    /// JSON objects where a record may be, and how many of them have a mark of a record.
    objects: u64,
    marked: u64,
    /// JSON objects that belong to something else than CloudTrail.
    foreign: u64,
    /// What the first of those seems to be.
    kind: Option<Kind>,
    /// Records with a value that is too long for its column.
    oversized: u64,
}

impl Collector {
    /// Reserves room for the rows of a text: they take a little less than the text.
    pub(super) fn new(text_bytes: usize) -> Self {
        let mut log = Log::default();
        log.rows.reserve(text_bytes);
        Self {
            log,
            has_records_array: false,
            objects: 0,
            marked: 0,
            foreign: 0,
            kind: None,
            oversized: 0,
        }
    }

    /// Takes the members of one JSON object that is not a `Records` wrapper.
    pub(super) fn take(&mut self, members: &Members<'_>, place: Place, rules: &CellRules) -> Taken {
        self.objects += 1;
        let is_marked = members.is_marked();
        if members.is_other_services_event() || (!is_marked && place == Place::Top) {
            self.foreign += 1;
            self.kind.get_or_insert(members.kind());
            return Taken::Foreign;
        }
        self.marked += u64::from(is_marked);
        if let Err(column) = members.push_row(rules, &mut self.log) {
            self.oversized += 1;
            return Taken::Oversized { column };
        }
        Taken::Row
    }

    /// Returns whether there are records to reject, which only the exact pass can do.
    pub(super) fn must_reject(&self) -> bool {
        self.oversized > 0 || (self.foreign > 0 && self.marked > 0)
    }

    /// Returns the log, or what the documents are if none of them is a record.
    pub(super) fn into_log(self, replaced_chars: u64) -> Result<Log, Kind> {
        let holds_only_foreign = self.objects > 0 && self.marked == 0;
        let holds_only_scalars = self.objects == 0 && !self.has_records_array;
        if holds_only_foreign || holds_only_scalars {
            return Err(self.kind.unwrap_or(Kind::OtherJson));
        }
        let mut log = self.log;
        log.replaced_chars += replaced_chars;
        log.rows.shrink();
        Ok(log)
    }
}
