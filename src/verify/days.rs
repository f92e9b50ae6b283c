//! Lists one region folder day by day, in ascending order.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::civil::Date;

use crate::source::{RegionFolder, Source, SourceError, Step, UnreadableFolder};
use crate::trail::layout::{Layout, Selection};
use crate::trail::object::ObjectRef;

/// The objects of a region folder, one day after another.
#[derive(Debug)]
pub(super) struct Days {
    /// The last one is taken next.
    steps: Vec<Box<dyn Step>>,
    listed: VecDeque<ObjectRef>,
    /// The objects of a day folder that is listed whole.
    next: Option<(Date, Vec<ObjectRef>)>,
    pub(super) requests: u64,
    pub(super) unreadable: Vec<UnreadableFolder>,
}

impl Days {
    pub(super) fn new(
        source: &dyn Source,
        folder: &RegionFolder,
        selection: &Arc<Selection>,
    ) -> Self {
        Self {
            steps: vec![source.listing_of(folder, selection)],
            listed: VecDeque::new(),
            next: None,
            requests: 0,
            unreadable: Vec::new(),
        }
    }

    /// Returns the next day that has objects; `None` at the end.
    pub(super) async fn peek(&mut self) -> Result<Option<Date>, SourceError> {
        if self.next.is_none() {
            self.next = self.list_day().await?;
        }
        Ok(self.next.as_ref().map(|(day, _)| *day))
    }

    /// Returns the objects of a day if it is the next one.
    pub(super) async fn take(&mut self, day: Date) -> Result<Vec<ObjectRef>, SourceError> {
        if self.peek().await? == Some(day) {
            return Ok(self.next.take().map(|(_, objects)| objects).unwrap_or_default());
        }
        Ok(Vec::new())
    }

    /// Lists the objects of the next day folder. What is in no day folder is left out: it is neither a
    /// digest nor a log file that CloudTrail delivered.
    async fn list_day(&mut self) -> Result<Option<(Date, Vec<ObjectRef>)>, SourceError> {
        let mut found: Option<(Date, Vec<ObjectRef>)> = None;
        loop {
            while let Some(object) = self.listed.pop_front() {
                let Some(Layout { day, .. }) = Layout::of(&object.location.uri()) else { continue };
                match &mut found {
                    Some((own, objects)) if *own == day => objects.push(object),
                    Some(_) => {
                        self.listed.push_front(object);
                        return Ok(found);
                    }
                    None => found = Some((day, vec![object])),
                }
            }
            let Some(step) = self.steps.pop() else { return Ok(found) };
            let page = step.take(false).await?;
            self.requests += page.requests;
            self.unreadable.extend(page.unreadable);
            self.listed.extend(page.objects);
            self.steps.extend(page.steps.into_iter().rev());
        }
    }
}
