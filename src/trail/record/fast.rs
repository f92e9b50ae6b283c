//! The fast pass: from the text to rows in a single scan.

use super::collect::{Collector, Taken};
use super::members::{Key, Members, OtherMembers};
use super::scan::Scanner;
use super::{ParseError, ParseOptions};

/// Reads all documents of the text; `None` if anything in it needs the exact pass.
///
/// # Errors
/// [`ParseError::OutOfRoom`], which the exact pass would return, too.
pub(super) fn read<'t>(
    text: &'t str,
    options: &'t ParseOptions<'_>,
) -> Result<Option<Collector<'t>>, ParseError> {
    let collector = Collector::new(text.len(), options);
    let scanner = Scanner::new(text);
    let mut reader = Reader { scanner, collector, spare: OtherMembers::new(), failure: None };
    loop {
        if reader.document().is_none() {
            return reader.failure.map_or(Ok(None), Err);
        }
        if reader.scanner.is_at_end() {
            break;
        }
    }
    Ok((!reader.collector.must_reject()).then_some(reader.collector))
}

struct Reader<'t> {
    scanner: Scanner<'t>,
    collector: Collector<'t>,
    /// The memory that the members of the next object use.
    spare: OtherMembers<'t>,
    /// Why neither pass can continue.
    failure: Option<ParseError>,
}

impl Reader<'_> {
    fn document(&mut self) -> Option<()> {
        match self.scanner.peek()? {
            b'{' => self.object(true),
            b'[' => self.elements(),
            _ => None,
        }
    }

    fn elements(&mut self) -> Option<()> {
        let mut more = self.scanner.enter(b']')?;
        while more {
            if self.scanner.peek()? != b'{' {
                return None;
            }
            self.object(false)?;
            more = self.scanner.next(b']')?;
        }
        Some(())
    }

    fn object(&mut self, is_top: bool) -> Option<()> {
        let mut members = Members::in_memory_of(std::mem::take(&mut self.spare));
        let mut is_wrapper = false;
        self.scanner.take_content();
        let mut more = self.scanner.enter(b'}')?;
        while more {
            let name = self.scanner.key()?;
            match Key::from_name(name.as_bytes()) {
                Key::Records if is_top => {
                    if self.scanner.peek()? != b'[' {
                        return None;
                    }
                    self.collector.has_records_array = true;
                    self.elements()?;
                    is_wrapper = true;
                }
                // With its escapes resolved it may be a name that matters.
                Key::Other if name.contains('\\') => return None,
                key => members.set(key, name, self.scanner.value()?),
            }
            more = self.scanner.next(b'}')?;
        }
        if is_wrapper {
            return Some(());
        }
        members.content = self.scanner.take_content();
        let taken = self.collector.take(&members);
        self.spare = members.into_memory();
        match taken {
            Ok(Taken::Done) => Some(()),
            // The records may still turn out to be none at all: then nothing is rejected.
            Ok(Taken::Rejected(_)) => (!self.collector.must_reject()).then_some(()),
            Err(failure) => {
                self.failure = Some(failure);
                None
            }
        }
    }
}
