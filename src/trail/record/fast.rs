//! The fast pass: from the text to rows in a single scan.

use super::collect::{Collector, Place};
use super::members::{Key, Members};
use super::scan::Scanner;
use super::text::CellRules;

/// Reads all documents of the text; `None` if anything in it needs the exact pass.
pub(super) fn read(text: &str, rules: &CellRules) -> Option<Collector> {
    let mut reader = Reader { scanner: Scanner::new(text), collector: Collector::new(text.len()) };
    loop {
        reader.document(rules)?;
        if reader.scanner.is_at_end() {
            break;
        }
    }
    (!reader.collector.must_reject()).then_some(reader.collector)
}

struct Reader<'t> {
    scanner: Scanner<'t>,
    collector: Collector,
}

impl Reader<'_> {
    fn document(&mut self, rules: &CellRules) -> Option<()> {
        match self.scanner.peek()? {
            b'{' => self.object(Place::Top, rules),
            b'[' => self.elements(rules),
            _ => None,
        }
    }

    fn elements(&mut self, rules: &CellRules) -> Option<()> {
        let mut more = self.scanner.enter(b']')?;
        while more {
            if self.scanner.peek()? != b'{' {
                return None;
            }
            self.object(Place::Element, rules)?;
            more = self.scanner.next(b']')?;
        }
        Some(())
    }

    fn object(&mut self, place: Place, rules: &CellRules) -> Option<()> {
        let mut members = Members::new();
        let mut is_wrapper = false;
        let escapes = self.scanner.escapes();
        let mut more = self.scanner.enter(b'}')?;
        while more {
            let name = self.scanner.key()?;
            match Key::from_name(name.as_bytes()) {
                Key::Records if place == Place::Top => {
                    if self.scanner.peek()? != b'[' {
                        return None;
                    }
                    self.collector.has_records_array = true;
                    self.elements(rules)?;
                    is_wrapper = true;
                }
                // With its escapes resolved it may be a name that matters.
                Key::Other if name.contains('\\') => return None,
                key => members.set(key, self.scanner.value()?),
            }
            more = self.scanner.next(b'}')?;
        }
        if !is_wrapper {
            members.may_have_escapes = self.scanner.escapes() > escapes;
            self.collector.take(&members, place, rules);
        }
        Some(())
    }
}
