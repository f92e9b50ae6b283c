//! Rows of the `logs` table, packed into one buffer.
//!
//! The layout is the one PostgreSQL's `COPY … (FORMAT binary)` reads: per row a 16-bit count of
//! cells, per cell a 32-bit length (-1 for NULL) and its bytes, all big-endian (PostgreSQL
//! documentation, COPY, "Binary Format"). So PostgreSQL gets the buffer as it is, and the other
//! databases walk it; there is no allocation per cell.

use super::fields::COLUMN_COUNT;
use super::time::EventTime;

/// The cells of the 16 columns of one row, in the table's order; `None` is NULL.
pub type Cells<'a> = [Option<&'a str>; COLUMN_COUNT];

/// One row of `logs`, besides its object, which all rows of [`Rows`] share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The 16 columns.
    pub cells: Cells<'a>,
    /// Every other field of the record, as one JSON object: `otherFields`.
    pub other_fields: Option<&'a str>,
    /// The record's `eventTime`, if it is a valid time: `eventAt`.
    pub event_at: Option<EventTime>,
    /// Which line of `identities` has its `userIdentity` taken apart: `identityId`.
    pub identity_id: Option<i64>,
}

impl<'a> From<Cells<'a>> for Row<'a> {
    /// Makes a row that has nothing but the 16 columns.
    fn from(cells: Cells<'a>) -> Self {
        Self { cells, other_fields: None, event_at: None, identity_id: None }
    }
}

/// How many cells a packed row has: the 16 columns, `otherFields`, `eventAt`, `identityId` and
/// `objectId`.
#[expect(clippy::cast_possible_truncation, reason = "the line above it checks")]
const CELL_COUNT: u16 = {
    assert!(COLUMN_COUNT + 4 <= i16::MAX as usize);
    (COLUMN_COUNT + 4) as u16
};

/// The cells of a row that are text: the 16 columns and `otherFields`.
const TEXT_COUNT: usize = COLUMN_COUNT + 1;

/// The bytes of one row beyond its text: the count and lengths of cells, and three integers.
const ROW_OVERHEAD_BYTES: usize = 2 + 4 * CELL_COUNT as usize + 3 * size_of::<i64>();

/// Packed rows of one object.
#[derive(Clone, Default)]
pub struct Rows {
    /// Invariant: only [`RowWriter`] and [`Rows::set_object`] write here, so it holds `count` whole
    /// rows of UTF-8 cells, each of which ends with `object_id`.
    bytes: Vec<u8>,
    count: usize,
    object_id: i64,
}

impl Rows {
    /// Adds one row.
    ///
    /// # Panics
    /// If a cell is 2 GiB or longer; an object is capped far below.
    pub fn push(&mut self, row: &Row<'_>) {
        let mut writer = self.begin();
        row.cells.iter().chain([&row.other_fields]).for_each(|text| writer.push(*text));
        writer.end(row.event_at, row.identity_id);
    }

    /// Begins a row, whose 16 columns and `otherFields` come next.
    pub fn begin(&mut self) -> RowWriter<'_> {
        let start = self.bytes.len();
        self.bytes.reserve(ROW_OVERHEAD_BYTES);
        self.bytes.extend_from_slice(&CELL_COUNT.to_be_bytes());
        RowWriter { rows: self, start, cells: 0 }
    }

    #[inline]
    fn push_cell(&mut self, cell: Option<&[u8]>) {
        self.bytes.extend_from_slice(&packed_length(cell.map(<[u8]>::len)));
        self.bytes.extend_from_slice(cell.unwrap_or_default());
    }

    fn push_integer(&mut self, integer: Option<i64>) {
        let bytes = integer.map(i64::to_be_bytes);
        self.push_cell(bytes.as_ref().map(<[u8; 8]>::as_slice));
    }

    /// Sets the object that the rows come from: its number in the ledger, `objectId`.
    ///
    /// # Panics
    /// Never: the rows are whole.
    pub fn set_object(&mut self, object_id: i64) {
        if self.object_id == object_id {
            return;
        }
        self.object_id = object_id;
        let mut at = 0;
        while at < self.bytes.len() {
            at += size_of_val(&CELL_COUNT);
            for _ in 0..CELL_COUNT {
                let length = self.bytes[at..].first_chunk().expect("rows are whole");
                at += 4 + usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
            }
            self.bytes[at - size_of::<i64>()..at].copy_from_slice(&object_id.to_be_bytes());
        }
    }

    /// Returns the object that the rows come from; 0 until it is set.
    pub fn object_id(&self) -> i64 {
        self.object_id
    }

    /// Reserves room for `bytes` more bytes of packed rows, so that they need not move as they grow.
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the rows in PostgreSQL's binary COPY layout, without its header and trailer.
    pub fn as_copy_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Frees memory that was reserved for more rows.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Iterates over the rows in the order they were added.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.bytes }
    }

    /// Returns one cell of the 16 columns, of the row that begins at this byte of
    /// [`Rows::as_copy_bytes`].
    ///
    /// # Panics
    /// If no row begins there.
    pub fn cell_at(&self, at_byte: usize, column: usize) -> Option<&str> {
        let row = &mut Iter { rest: &self.bytes[at_byte..] };
        let _cell_count: [u8; 2] = row.take();
        for _ in 0..column {
            row.cell();
        }
        row.text()
    }

    /// Returns the row that begins at this byte of [`Rows::as_copy_bytes`].
    ///
    /// # Panics
    /// If no row begins there.
    pub fn row_at(&self, at_byte: usize) -> Row<'_> {
        Iter { rest: &self.bytes[at_byte..] }.next().expect("a row begins there")
    }
}

/// A row that is being added. If it is dropped before its end, nothing of it stays.
#[derive(Debug)]
pub struct RowWriter<'r> {
    rows: &'r mut Rows,
    /// Where the row begins; the end of the rows once it is whole.
    start: usize,
    cells: usize,
}

impl<'r> RowWriter<'r> {
    /// Adds the next cell.
    ///
    /// # Panics
    /// If it is 2 GiB or longer.
    #[inline]
    pub fn push(&mut self, text: Option<&str>) {
        self.cells += 1;
        self.rows.push_cell(text.map(str::as_bytes));
    }

    /// Begins the next cell, which will be a JSON object.
    pub fn push_object(&mut self) -> ObjectWriter<'_, 'r> {
        self.cells += 1;
        let length_at = self.rows.bytes.len();
        self.rows.bytes.extend_from_slice(&packed_length(None));
        ObjectWriter { row: self, length_at }
    }

    /// Ends the row.
    ///
    /// # Panics
    /// If it has not as many cells as it must have.
    pub fn end(mut self, event_at: Option<EventTime>, identity_id: Option<i64>) {
        assert_eq!(self.cells, TEXT_COUNT, "a row has all its cells");
        let rows = &mut *self.rows;
        rows.push_integer(event_at.map(EventTime::postgres_micros));
        rows.push_integer(identity_id);
        rows.push_integer(Some(rows.object_id));
        rows.count += 1;
        self.start = rows.bytes.len();
    }
}

impl Drop for RowWriter<'_> {
    fn drop(&mut self) {
        self.rows.bytes.truncate(self.start);
    }
}

/// A cell that is being written: a JSON object, or NULL if it gets no member.
#[derive(Debug)]
pub struct ObjectWriter<'w, 'r> {
    row: &'w mut RowWriter<'r>,
    length_at: usize,
}

impl ObjectWriter<'_, '_> {
    fn text_at(&self) -> usize {
        self.length_at + packed_length(None).len()
    }

    /// Adds a member. `name` is JSON text without its quotes, `value` JSON text.
    pub fn push(&mut self, name: &str, value: &str) {
        let is_first = self.row.rows.bytes.len() == self.text_at();
        let bytes = &mut self.row.rows.bytes;
        bytes.reserve(name.len() + value.len() + r#"{"":}"#.len());
        bytes.extend_from_slice(if is_first { b"{\"" } else { b",\"" });
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b"\":");
        bytes.extend_from_slice(value.as_bytes());
    }

    /// Ends the object.
    ///
    /// # Panics
    /// If it is 2 GiB or longer.
    pub fn end(self) {
        let text_at = self.text_at();
        let bytes = &mut self.row.rows.bytes;
        if bytes.len() > text_at {
            bytes.push(b'}');
            let length = packed_length(Some(bytes.len() - text_at));
            bytes[self.length_at..text_at].copy_from_slice(&length);
        }
    }
}

/// Returns the length of a cell as a packed row has it; `None` is NULL.
#[inline]
fn packed_length(bytes: Option<usize>) -> [u8; 4] {
    let length =
        bytes.map_or(-1, |bytes| i32::try_from(bytes).expect("an object is capped at 1 GiB"));
    length.to_be_bytes()
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows({} rows, {} bytes)", self.count, self.bytes.len())
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = Row<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Iterator over packed rows.
#[derive(Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iter<'a> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.rest.split_first_chunk().expect("rows are whole");
        self.rest = rest;
        *head
    }

    fn cell(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(i32::from_be_bytes(self.take())).ok()?;
        let (cell, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(cell)
    }

    fn text(&mut self) -> Option<&'a str> {
        self.cell().map(|cell| simdutf8::basic::from_utf8(cell).expect("cells are UTF-8"))
    }

    fn integer(&mut self) -> Option<i64> {
        self.cell().map(|cell| i64::from_be_bytes(cell.try_into().expect("integers have 8 bytes")))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let _cell_count: [u8; 2] = self.take();
        let row = Row {
            cells: std::array::from_fn(|_| self.text()),
            other_fields: self.text(),
            event_at: self.integer().and_then(EventTime::from_postgres_micros),
            identity_id: self.integer(),
        };
        let _object_id = self.cell();
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_added() {
        let mut cells: Cells<'_> = [None; COLUMN_COUNT];
        (cells[0], cells[3], cells[COLUMN_COUNT - 1]) = (Some("1.08"), Some(""), Some("é\0😀"));
        let one = Row {
            cells,
            other_fields: Some("{}"),
            event_at: EventTime::parse("1999-12-31T23:59:59Z"),
            identity_id: Some(i64::MIN),
        };
        let all_null = Row::from([None; COLUMN_COUNT]);
        let mut rows = Rows::default();
        assert!(rows.is_empty() && rows.iter().next().is_none());
        rows.push(&one);
        let second_at = rows.as_copy_bytes().len();
        rows.push(&all_null);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [one, all_null]);
        assert_eq!(rows.len(), 2);
        rows.set_object(-7);
        rows.push(&one);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [one, all_null, one]);
        assert_eq!((rows.row_at(0), rows.row_at(second_at)), (one, all_null));
        assert_eq!((rows.cell_at(0, 3), rows.cell_at(second_at, 3)), (Some(""), None));
        let objects = rows.as_copy_bytes().windows(12);
        let object = [&8_i32.to_be_bytes()[..], &(-7_i64).to_be_bytes()[..]].concat();
        assert_eq!(objects.filter(|bytes| *bytes == object).count(), 3);
    }

    #[test]
    fn the_layout_is_the_one_copy_reads() {
        let mut cells: Cells<'_> = [None; COLUMN_COUNT];
        cells[0] = Some("ab");
        let event_at = EventTime::parse("2000-01-01T00:00:01Z");
        let mut rows = Rows::default();
        rows.push(&Row { event_at, ..Row::from(cells) });
        rows.set_object(5);
        let count = u8::try_from(CELL_COUNT).unwrap();
        let mut expected = vec![0, count, 0, 0, 0, 2, b'a', b'b'];
        expected.extend([0xff; 4 * COLUMN_COUNT]);
        expected.extend(8_i32.to_be_bytes());
        expected.extend(1_000_000_i64.to_be_bytes());
        expected.extend([0xff; 4]);
        expected.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!(rows.as_copy_bytes(), expected);
    }

    #[test]
    fn a_row_without_an_end_leaves_nothing() {
        let mut rows = Rows::default();
        rows.push(&Row::from([Some("a"); COLUMN_COUNT]));
        let whole = rows.as_copy_bytes().to_vec();
        let mut writer = rows.begin();
        writer.push(Some("b"));
        drop(writer);
        assert_eq!((rows.as_copy_bytes(), rows.len()), (&*whole, 1));
    }

    #[test]
    fn an_object_is_written_member_by_member() {
        let mut rows = Rows::default();
        for members in [&[][..], &[("a", "1")], &[("a", "1"), ("\\u0062", "[]")]] {
            let mut writer = rows.begin();
            (0..COLUMN_COUNT).for_each(|_| writer.push(None));
            let mut object = writer.push_object();
            for (name, value) in members {
                object.push(name, value);
            }
            object.end();
            writer.end(None, Some(1));
        }
        let objects: Vec<_> = rows.iter().map(|row| row.other_fields).collect();
        assert_eq!(objects, [None, Some(r#"{"a":1}"#), Some(r#"{"a":1,"\u0062":[]}"#)]);
        assert!(rows.iter().all(|row| row.identity_id == Some(1)));
    }

    #[test]
    fn an_object_can_be_set_before_and_after_its_rows() {
        let row = Row::from([Some("a"); COLUMN_COUNT]);
        let (mut before, mut after) = (Rows::default(), Rows::default());
        before.set_object(5);
        for rows in [&mut before, &mut after] {
            rows.push(&row);
            rows.push(&row);
        }
        after.set_object(5);
        assert_eq!(before.as_copy_bytes(), after.as_copy_bytes());
        before.set_object(6);
        assert_ne!(before.as_copy_bytes(), after.as_copy_bytes());
    }
}
