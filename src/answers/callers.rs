//! The answer of the question `callers`, from which four other answers follow: principals, addresses,
//! tools, and which of them are new.
//!
//! It takes the place of six questions, each of which would read the whole table.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use crate::database::answer::{AnswerCell, RowSink, Rows};
use crate::trail::time::EventTime;

/// The number of a text. [`NULL`] stands for no value.
type TextId = u32;

const NULL: TextId = 0;

/// Who called, from where and with what. It accepts the rows of the question `callers`.
#[derive(Debug, Clone, Default)]
pub struct Callers {
    calls: Vec<Calls>,
    texts: Texts,
}

/// One row of the answer, with numbers for its texts.
#[derive(Debug, Clone, Copy)]
struct Calls {
    user_type: TextId,
    principal: TextId,
    address: TextId,
    tool: TextId,
    events: u64,
    errors: u64,
    first: Option<EventTime>,
    last: Option<EventTime>,
}

/// Texts, each stored once.
#[derive(Debug, Clone, Default)]
struct Texts {
    ids: HashMap<String, TextId>,
    texts: Vec<String>,
}

/// What the rows of one group have together.
#[derive(Debug, Clone, Default)]
struct Sums {
    events: u64,
    errors: u64,
    first: Option<EventTime>,
    last: Option<EventTime>,
    /// The different values of another column.
    others: HashSet<TextId>,
}

/// A text as it is ordered in an answer: no value is last.
type Key = (bool, Option<String>);

impl Texts {
    fn id(&mut self, text: Option<&str>) -> TextId {
        let Some(text) = text else { return NULL };
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        self.texts.push(text.to_owned());
        let id = TextId::try_from(self.texts.len()).expect("an answer has at most u32::MAX texts");
        self.ids.insert(text.to_owned(), id);
        id
    }

    fn text(&self, id: TextId) -> Option<&str> {
        self.texts.get(usize::try_from(id).ok()?.checked_sub(1)?).map(String::as_str)
    }

    fn key(&self, id: TextId) -> Key {
        (id == NULL, self.text(id).map(str::to_owned))
    }
}

impl Sums {
    fn add(&mut self, calls: &Calls, other: TextId) {
        self.events += calls.events;
        self.errors += calls.errors;
        self.first = self.first.into_iter().chain(calls.first).min();
        self.last = self.last.into_iter().chain(calls.last).max();
        if other != NULL {
            self.others.insert(other);
        }
    }
}

impl RowSink for Callers {
    fn columns(&mut self, _names: &[String]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn row(&mut self, cells: &[AnswerCell]) -> ControlFlow<()> {
        let [user_type, principal, address, tool, events, errors, first, last] = cells else {
            unreachable!("the question has eight columns")
        };
        let number = |cell: &AnswerCell| cell.text().and_then(|it| it.parse().ok()).unwrap_or(0);
        let time = |cell: &AnswerCell| cell.text().and_then(EventTime::parse);
        self.calls.push(Calls {
            user_type: self.texts.id(user_type.text()),
            principal: self.texts.id(principal.text()),
            address: self.texts.id(address.text()),
            tool: self.texts.id(tool.text()),
            events: number(events),
            errors: number(errors),
            first: time(first),
            last: time(last),
        });
        ControlFlow::Continue(())
    }
}

impl Callers {
    /// Returns the number of rows accepted.
    pub fn rows(&self) -> usize {
        self.calls.len()
    }

    /// Returns the answer of the question `principals`.
    pub fn principals(&self, rows_max: usize) -> Rows {
        let is_service = |calls: &&Calls| {
            let principal = self.texts.text(calls.principal).unwrap_or_default();
            self.texts.text(calls.user_type) == Some("AWSService")
                || principal.contains(":role/aws-service-role/")
        };
        let calls = self.calls.iter().filter(|calls| !is_service(calls));
        let groups = grouped(calls, |it| Some((it.user_type, it.principal)), |it| it.address);
        let keyed = groups
            .into_iter()
            .map(|((kind, name), sums)| ((self.texts.key(kind), self.texts.key(name)), sums));
        let columns =
            ["user_type", "principal_arn", "n", "errors", "addresses", "first_seen", "last_seen"];
        rows(&columns, &by_events(keyed.collect(), rows_max), |((_, kind), (_, name)), sums| {
            let numbers = [sums.events, sums.errors, others(sums)].map(number);
            let times = [time(sums.first), time(sums.last)];
            [text(kind.as_deref()), text(name.as_deref())]
                .into_iter()
                .chain(numbers)
                .chain(times)
                .collect()
        })
    }

    /// Returns the answer of the question `source-ips`.
    pub fn addresses(&self, rows_max: usize) -> Rows {
        let is_service = |address: &str| {
            address.ends_with(".amazonaws.com") || address.starts_with("AWS Internal")
        };
        let calls = self.calls.iter().filter(|calls| {
            self.texts.text(calls.address).is_some_and(|address| !is_service(address))
        });
        let columns = ["source_ip", "n", "principals", "errors", "first_seen", "last_seen"];
        let groups = self.keyed(grouped(calls, |it| Some(it.address), |it| it.principal));
        rows(&columns, &by_events(groups, rows_max), |(_, address), sums| {
            let numbers = [sums.events, others(sums), sums.errors].map(number);
            let times = [time(sums.first), time(sums.last)];
            [text(address.as_deref())].into_iter().chain(numbers).chain(times).collect()
        })
    }

    /// Returns the answer of the question `user-agents`.
    pub fn tools(&self, rows_max: usize) -> Rows {
        let columns = ["user_agent", "n", "principals", "first_seen", "last_seen"];
        let groups = self.keyed(grouped(self.calls.iter(), |it| Some(it.tool), |it| it.principal));
        rows(&columns, &by_events(groups, rows_max), |(_, tool), sums| {
            let numbers = [sums.events, others(sums)].map(number);
            let times = [time(sums.first), time(sums.last)];
            [text(tool.as_deref())].into_iter().chain(numbers).chain(times).collect()
        })
    }

    /// Returns the answer of the question `new-principals`, if the rows are of all events.
    pub fn new_principals(&self, since: EventTime, rows_max: usize) -> Rows {
        let columns = ["principal", "first_seen", "n", "addresses"];
        self.new_ones(&columns, since, rows_max, |it| it.principal, |it| it.address)
    }

    /// Returns the answer of the question `new-source-ips`, if the rows are of all events.
    pub fn new_addresses(&self, since: EventTime, rows_max: usize) -> Rows {
        let columns = ["address", "first_seen", "n", "principals"];
        self.new_ones(&columns, since, rows_max, |it| it.address, |it| it.principal)
    }

    /// Returns the answer of the question `new-user-agents`, if the rows are of all events.
    pub fn new_tools(&self, since: EventTime, rows_max: usize) -> Rows {
        let columns = ["agent", "first_seen", "n", "principals"];
        self.new_ones(&columns, since, rows_max, |it| it.tool, |it| it.principal)
    }

    fn new_ones(
        &self,
        columns: &[&str; 4],
        since: EventTime,
        rows_max: usize,
        key: impl Fn(&Calls) -> TextId,
        other: impl Fn(&Calls) -> TextId,
    ) -> Rows {
        let key = |calls: &Calls| Some(key(calls)).filter(|id| *id != NULL);
        let groups = self.keyed(grouped(self.calls.iter(), key, other));
        let is_new = |sums: &Sums| sums.first.is_some_and(|first| first >= since);
        let mut groups: Vec<_> = groups.into_iter().filter(|(_, sums)| is_new(sums)).collect();
        groups.sort_by(|(name, sums), (other_name, other)| {
            (sums.first, name).cmp(&(other.first, other_name))
        });
        groups.truncate(rows_max);
        rows(columns, &groups, |(_, name), sums| {
            vec![text(name.as_deref()), time(sums.first), number(sums.events), number(others(sums))]
        })
    }

    fn keyed(&self, groups: BTreeMap<TextId, Sums>) -> Vec<(Key, Sums)> {
        groups.into_iter().map(|(id, sums)| (self.texts.key(id), sums)).collect()
    }
}

/// Sums up rows by a key. Rows without a key are left out.
fn grouped<'c, K: Ord>(
    calls: impl Iterator<Item = &'c Calls>,
    key: impl Fn(&Calls) -> Option<K>,
    other: impl Fn(&Calls) -> TextId,
) -> BTreeMap<K, Sums> {
    let mut groups: BTreeMap<K, Sums> = BTreeMap::new();
    for calls in calls {
        if let Some(key) = key(calls) {
            groups.entry(key).or_default().add(calls, other(calls));
        }
    }
    groups
}

/// Returns the groups with most events, then by key.
fn by_events<K: Ord>(mut groups: Vec<(K, Sums)>, rows_max: usize) -> Vec<(K, Sums)> {
    groups.sort_by(|(key, sums), (other_key, other)| {
        other.events.cmp(&sums.events).then_with(|| key.cmp(other_key))
    });
    groups.truncate(rows_max);
    groups
}

fn rows<K>(
    columns: &[&str],
    groups: &[(K, Sums)],
    row: impl Fn(&K, &Sums) -> Vec<AnswerCell>,
) -> Rows {
    Rows {
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        rows: groups.iter().map(|(key, sums)| row(key, sums)).collect(),
    }
}

fn others(sums: &Sums) -> u64 {
    sums.others.len() as u64
}

fn text(text: Option<&str>) -> AnswerCell {
    text.map_or(AnswerCell::Null, |text| AnswerCell::Text(text.to_owned()))
}

fn number(number: u64) -> AnswerCell {
    AnswerCell::Number(number.to_string())
}

fn time(time: Option<EventTime>) -> AnswerCell {
    text(time.map(|time| time.to_string()).as_deref())
}
