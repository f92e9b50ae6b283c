//! The result of `forget`.

use serde::Serialize;

use super::format::{count, counted};
use super::table::Table;
use super::{Report, to_json};
use crate::cli::escape::visible;
use crate::database::forget::Forgotten;

/// What was removed, and what was not.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ForgetReport {
    /// Whether nothing was removed, only counted.
    #[serde(rename = "dry_run")]
    pub(crate) is_dry_run: bool,
    /// What was removed, or would be.
    pub(crate) forgotten: Forgotten,
    /// Objects that the next import loads again, because `dedupe` kept their duplicates in those that were
    /// removed.
    pub(crate) loaded_again: u64,
    /// Objects that version 0.1.0 loaded.
    pub(crate) left: Forgotten,
    /// Sources that no object of the ledger belongs to.
    pub(crate) not_found: Vec<String>,
}

impl Report for ForgetReport {
    fn text(&self) -> String {
        let mut table = Table::new(["objects", "rows", "rejected"]);
        let counts = |it: &Forgotten| [it.objects, it.rows, it.rejects].map(|n| Some(count(n)));
        let name = if self.is_dry_run { "would be removed" } else { "removed" };
        table.row("", name, counts(&self.forgotten));
        if self.left.objects > 0 {
            table.row("", "left", counts(&self.left));
        }
        let mut text = table.to_string();
        if self.left.objects > 0 {
            let objects = counted(self.left.objects, "object");
            text.push_str(&format!(
                "\nwarning: {objects} cannot be removed: version 0.1.0 loaded them, whose rows do not \
                 name their object\n"
            ));
        }
        if self.loaded_again > 0 {
            let objects = counted(self.loaded_again, "object");
            text.push_str(&format!(
                "\nwarning: the next import loads {objects} again: `dedupe` kept rows of them in those \
                 that were removed (`cloudtrail2sql status --failed` lists them)\n"
            ));
        }
        for source in &self.not_found {
            text.push_str(&format!("\nwarning: nothing is loaded from {}\n", visible(source)));
        }
        text
    }

    fn json(&self) -> String {
        to_json(self)
    }
}
