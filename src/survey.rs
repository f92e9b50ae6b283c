//! The dry run: lists and triages, and writes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::error::RunError;
use crate::layout::Layout;
use crate::ledger::{Verdict, judge};
use crate::object::{ObjectId, ObjectRef};
use crate::progress::Count;
use crate::sink::Sink;
use crate::source::Source;

/// What a run would find.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Per account, region and day; `None` gathers objects that are laid out otherwise.
    pub groups: BTreeMap<Option<Group>, Found>,
}

/// What objects are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The account, 12 digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// The day folder, `YYYY-MM-DD`.
    pub day: String,
}

/// Objects and stored bytes, by what a run would do with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// It would load them, or find out that they are no logs.
    pub new: Count,
    /// It would try them again.
    pub again: Count,
    /// They are in, or known to be no logs.
    pub known: Count,
}

impl Survey {
    /// Returns the sums over all groups.
    pub fn total(&self) -> Found {
        let mut total = Found::default();
        for found in self.groups.values() {
            for (sum, part) in [
                (&mut total.new, found.new),
                (&mut total.again, found.again),
                (&mut total.known, found.known),
            ] {
                sum.objects += part.objects;
                sum.bytes += part.bytes;
            }
        }
        total
    }

    fn count(&mut self, object: &ObjectRef, verdict: &Verdict) {
        let group = Layout::of(&object.location.uri()).map(|layout| Group {
            account: layout.account,
            region: layout.region,
            day: layout.day,
        });
        let found = self.groups.entry(group).or_default();
        let count = match verdict {
            Verdict::New => &mut found.new,
            Verdict::Again | Verdict::MaybeChanged { .. } => &mut found.again,
            Verdict::AlreadyLoaded | Verdict::AlreadySkipped(_) => &mut found.known,
        };
        count.objects += 1;
        count.bytes += object.size_bytes;
    }
}

/// Lists every source and asks the ledger, if there is one, about every page.
pub async fn survey(
    sources: &[Arc<dyn Source>],
    ledger: Option<&dyn Sink>,
) -> Result<Survey, RunError> {
    let mut survey = Survey::default();
    for source in sources {
        let mut pages = source.pages();
        while let Some(page) = pages.next_page().await? {
            let ids: Vec<ObjectId> = page.iter().map(|object| object.location.id()).collect();
            let lines = match ledger {
                Some(ledger) => ledger.seen(&ids).await?,
                None => HashMap::new(),
            };
            for (object, id) in page.iter().zip(ids) {
                survey.count(object, &judge(object, lines.get(&id)));
            }
        }
    }
    Ok(survey)
}
