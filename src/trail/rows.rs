//! Rows of the `logs` table, packed into one buffer.
//!
//! The layout is the one PostgreSQL's `COPY … (FORMAT binary)` reads: per row a 16-bit count of
//! cells, per cell a 32-bit length (-1 for NULL) and its bytes, all big-endian (PostgreSQL
//! documentation, COPY, "Binary Format"). So PostgreSQL gets the buffer as it is, and the other
//! databases walk it; there is no allocation per cell.

use super::fields::COLUMN_COUNT;

/// The cells of one row, in the order of the table's columns; `None` is NULL.
pub type Cells<'a> = [Option<&'a str>; COLUMN_COUNT];

/// [`COLUMN_COUNT`] as a row's header has it.
#[expect(clippy::cast_possible_truncation, reason = "the line above it checks")]
const CELL_COUNT: u16 = {
    assert!(COLUMN_COUNT <= i16::MAX as usize);
    COLUMN_COUNT as u16
};

/// The bytes of one row beyond its text.
const ROW_OVERHEAD_BYTES: usize = 2 + 4 * COLUMN_COUNT;

/// Packed rows of one object.
#[derive(Clone, Default)]
pub struct Rows {
    /// Invariant: only [`Rows::push`] writes here, so it holds `count` whole rows of UTF-8 cells.
    bytes: Vec<u8>,
    count: usize,
}

impl Rows {
    /// Adds one row.
    ///
    /// # Panics
    /// If a cell is 2 GiB or longer; an object is capped far below.
    pub fn push(&mut self, cells: &Cells<'_>) {
        let text_bytes: usize = cells.iter().flatten().map(|cell| cell.len()).sum();
        self.bytes.reserve(ROW_OVERHEAD_BYTES + text_bytes);
        self.bytes.extend_from_slice(&CELL_COUNT.to_be_bytes());
        for cell in cells {
            match cell {
                Some(text) => {
                    let length = i32::try_from(text.len()).expect("an object is capped at 1 GiB");
                    self.bytes.extend_from_slice(&length.to_be_bytes());
                    self.bytes.extend_from_slice(text.as_bytes());
                }
                None => self.bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
        }
        self.count += 1;
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
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows({} rows, {} bytes)", self.count, self.bytes.len())
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = Cells<'a>;
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

    fn cell(&mut self) -> Option<&'a str> {
        let length = usize::try_from(i32::from_be_bytes(self.take())).ok()?;
        let (cell, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(std::str::from_utf8(cell).expect("cells are UTF-8"))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Cells<'a>;

    fn next(&mut self) -> Option<Cells<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let _cell_count: [u8; 2] = self.take();
        Some(std::array::from_fn(|_| self.cell()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_added() {
        let mut one: Cells<'_> = [None; COLUMN_COUNT];
        (one[0], one[3], one[COLUMN_COUNT - 1]) = (Some("1.08"), Some(""), Some("é\0😀"));
        let all_null: Cells<'_> = [None; COLUMN_COUNT];
        let mut rows = Rows::default();
        assert!(rows.is_empty() && rows.iter().next().is_none());
        rows.push(&one);
        rows.push(&all_null);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [one, all_null]);
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn the_layout_is_the_one_copy_reads() {
        let mut cells: Cells<'_> = [None; COLUMN_COUNT];
        cells[0] = Some("ab");
        let mut rows = Rows::default();
        rows.push(&cells);
        let count = u8::try_from(COLUMN_COUNT).unwrap();
        let mut expected = vec![0, count, 0, 0, 0, 2, b'a', b'b'];
        expected.extend([0xff; 4 * (COLUMN_COUNT - 1)]);
        assert_eq!(rows.as_copy_bytes(), expected);
    }
}
