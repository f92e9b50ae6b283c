//! The result of `index`.

use serde::Serialize;

use super::format::duration;
use super::table::Table;
use super::{Report, to_json};
use crate::database::{BuiltIndexes, Index};

/// The indexes that were built.
#[derive(Debug)]
pub(crate) struct IndexReport(pub(crate) Vec<BuiltIndexes>);

/// Indexes that one statement built, for programs.
#[derive(Serialize)]
pub(super) struct BuiltJson {
    indexes: Vec<&'static str>,
    seconds: f64,
}

impl From<&BuiltIndexes> for BuiltJson {
    fn from(built: &BuiltIndexes) -> Self {
        Self { indexes: names(&built.indexes), seconds: built.took.as_secs_f64() }
    }
}

pub(super) fn names(indexes: &[Index]) -> Vec<&'static str> {
    indexes.iter().map(|index| index.name).collect()
}

impl Report for IndexReport {
    fn text(&self) -> String {
        if self.0.is_empty() {
            return "nothing to do: every index exists\n".to_owned();
        }
        let mut table = Table::new(["time"]);
        for built in &self.0 {
            for (n, index) in built.indexes.iter().enumerate() {
                let is_last = n + 1 == built.indexes.len();
                table.row("", index.name, [is_last.then(|| duration(built.took))]);
            }
        }
        table.to_string()
    }

    fn json(&self) -> String {
        to_json(&self.0.iter().map(BuiltJson::from).collect::<Vec<_>>())
    }
}
