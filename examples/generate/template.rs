//! JSON text with holes: how the tables of events, callers and errors are written.
//!
//! `<name>` is replaced by a value (see [`crate::value`]); `<name:2>` by another
//! one of the same kind; `<<2-5 text>>` by two to five copies of `text`, joined
//! by commas, each naming other resources. Everything else stands for itself.

use std::ops::RangeInclusive;

use crate::random::hash;
use crate::value::{Kind, Scene};

/// A compiled template.
#[derive(Debug, Default)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(&'static str),
    Value { kind: Kind, salt: u64, offset: u64 },
    Repeat { times: RangeInclusive<usize>, body: Template },
}

impl Template {
    /// Compiles `text`.
    ///
    /// # Panics
    /// If the text names an unknown value or a hole is not closed: templates are
    /// constants of this program, and a test compiles them all.
    pub(crate) fn compile(text: &'static str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find('<') {
            if start > 0 {
                pieces.push(Piece::Text(&rest[..start]));
            }
            rest = &rest[start..];
            let (piece, length) = if let Some(inner) = rest.strip_prefix("<<") {
                let end = inner.find(">>").unwrap_or_else(|| panic!("no `>>` in `{text}`"));
                (repetition(&inner[..end]), end + 4)
            } else {
                let end = rest.find('>').unwrap_or_else(|| panic!("no `>` in `{text}`"));
                (value(&rest[1..end]), end + 1)
            };
            pieces.push(piece);
            rest = &rest[length..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        Self(pieces)
    }

    /// Returns true if the template writes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the text, with the scene's values in the holes.
    pub(crate) fn write(&self, scene: &mut Scene<'_>, out: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value { kind, salt, offset } => scene.write(*kind, *salt, *offset, out),
                Piece::Repeat { times, body } => {
                    let outer = scene.lap;
                    for round in 0..scene.random.between(times) {
                        if round > 0 {
                            out.push(',');
                        }
                        body.write(scene, out);
                        scene.lap += 1;
                    }
                    scene.lap = outer;
                }
            }
        }
    }
}

fn value(name: &str) -> Piece {
    let (name, offset) = name.split_once(':').unwrap_or((name, "0"));
    let kind = Kind::find(name).unwrap_or_else(|| panic!("no value is called `{name}`"));
    // The part after a dot only distinguishes names that are drawn together.
    let root = name.split_once('.').map_or(name, |(root, _)| root);
    let offset = offset.parse().unwrap_or_else(|_| panic!("`{offset}` is not a number"));
    Piece::Value { kind, salt: hash(root), offset }
}

fn repetition(inner: &'static str) -> Piece {
    let parsed = inner.split_once(' ').and_then(|(times, body)| {
        let (low, high) = times.split_once('-')?;
        Some((low.parse().ok()?..=high.parse().ok()?, body))
    });
    let (times, body) = parsed.unwrap_or_else(|| panic!("`{inner}` does not begin with `2-5 `"));
    Piece::Repeat { times, body: Template::compile(body) }
}
