//! The result of `index`.

use std::time::Duration;

use serde::Serialize;

use super::format::duration;
use super::table::Table;
use super::{Report, to_json};
use crate::database::BuiltIndexes;
use crate::database::indexes::Index;

/// What the post-load step did.
#[derive(Debug)]
pub(crate) struct IndexReport {
    /// The indexes that were built.
    pub(crate) built: Vec<BuiltIndexes>,
    /// How long the update of the statistics took, if there was one.
    pub(crate) statistics_took: Option<Duration>,
}

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
        let mut table = Table::new(["time"]);
        for built in &self.built {
            for (n, index) in built.indexes.iter().enumerate() {
                let is_last = n + 1 == built.indexes.len();
                table.row("", index.name, [is_last.then(|| duration(built.took))]);
            }
        }
        if let Some(took) = self.statistics_took {
            table.row("", "statistics", [Some(duration(took))]);
        }
        let mut text = table.to_string();
        if self.built.is_empty() {
            text.push_str("every index exists\n");
        }
        text
    }

    fn json(&self) -> String {
        to_json(&self.built.iter().map(BuiltJson::from).collect::<Vec<_>>())
    }
}
