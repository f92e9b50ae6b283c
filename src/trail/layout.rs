//! CloudTrail's key layout, and the selection of objects by it.
//!
//! `[prefix/]AWSLogs/[o-ORG/]ACCOUNT/FAMILY/REGION/YYYY/MM/DD/file` (AWS CloudTrail user guide,
//! "Finding your CloudTrail log files"). The layout serves to skip folders that need not be listed,
//! to select objects, and to report. It does not decide what an object is: the content does.
//!
//! A day here is a **day folder**. CloudTrail delivers late: a file may hold events of earlier days
//! than its folder's.

use std::collections::BTreeSet;

use jiff::civil::Date;

/// The families whose files hold records. `CloudTrail-Digest` and other services' folders do not.
const LOG_FAMILIES: [&str; 4] =
    ["CloudTrail", "CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated"];

/// The family of digests.
pub const DIGEST_FAMILY: &str = "CloudTrail-Digest";

/// What the layout says of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layout {
    /// The account, 12 digits.
    pub account: String,
    /// Such as `CloudTrail`, `CloudTrail-Insight` or `CloudTrail-Digest`.
    pub family: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The day folder.
    pub day: Date,
}

impl Layout {
    /// Reads a key, a path or a URI; `None` if it has another layout.
    pub fn of(uri: &str) -> Option<Self> {
        let (folder, _file) = uri.rsplit_once('/')?;
        let Place { level: Level::Day, names } = Place::of(folder) else { return None };
        let day = names.day()?;
        let [account, family, region] = [names.account?, names.family?, names.region?];
        if !family.starts_with("CloudTrail") {
            return None;
        }
        let [account, family, region] = [account, family, region].map(str::to_owned);
        Some(Self { account, family, region, day })
    }
}

/// How deep in the layout a folder or prefix is, and so what its children are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// No `AWSLogs` yet.
    Above,
    /// `AWSLogs/`: organizations or accounts.
    Logs,
    /// `o-ORG/`: accounts.
    Organization,
    /// `ACCOUNT/`: families.
    Account,
    /// `FAMILY/`: regions.
    Family,
    /// `REGION/`: years.
    Region,
    /// `YYYY/`: months.
    Year,
    /// `MM/`: days.
    Month,
    /// `DD/`: files.
    Day,
    /// Another layout.
    Other,
}

/// What to do with a child of a folder or prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// Look inside, at this level.
    Enter(Level),
    /// Do not look inside: it holds no logs.
    NoLogs,
    /// Do not look inside: the selection excludes it.
    FilteredOut,
}

/// A folder or prefix, interpreted by the layout.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// How deep it is.
    pub level: Level,
    /// The names on the way to it.
    names: Names<'p>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Names<'p> {
    account: Option<&'p str>,
    family: Option<&'p str>,
    region: Option<&'p str>,
    date: [Option<&'p str>; 3],
}

impl<'p> Place<'p> {
    /// Interprets names joined by `/`; a slash at either end does not matter.
    pub fn of(path: &'p str) -> Self {
        let mut parts = path.split('/').filter(|part| !part.is_empty()).rev();
        // The last `AWSLogs` counts.
        let below: Vec<&str> = parts.by_ref().take_while(|part| *part != "AWSLogs").collect();
        let has_logs = path.split('/').any(|part| part == "AWSLogs");
        let mut place = Self {
            level: if has_logs { Level::Logs } else { Level::Above },
            names: Names::default(),
        };
        if has_logs {
            for name in below.into_iter().rev() {
                place = place.child(name);
            }
        }
        place
    }

    /// Returns the place of a child.
    fn child(mut self, name: &'p str) -> Self {
        // As in `of`: a key may have two slashes in a row.
        if name.is_empty() {
            return self;
        }
        let names = &mut self.names;
        let is_number =
            |digits: usize| name.len() == digits && name.bytes().all(|b| b.is_ascii_digit());
        self.level = match self.level {
            Level::Above if name == "AWSLogs" => Level::Logs,
            Level::Above => Level::Above,
            Level::Logs if name.starts_with("o-") => Level::Organization,
            Level::Logs | Level::Organization if is_number(12) => {
                names.account = Some(name);
                Level::Account
            }
            Level::Account => {
                names.family = Some(name);
                Level::Family
            }
            Level::Family => {
                names.region = Some(name);
                Level::Region
            }
            Level::Region if is_number(4) => {
                names.date[0] = Some(name);
                Level::Year
            }
            Level::Year if is_number(2) => {
                names.date[1] = Some(name);
                Level::Month
            }
            Level::Month if is_number(2) => {
                names.date[2] = Some(name);
                Level::Day
            }
            _ => Level::Other,
        };
        self
    }

    /// Returns what to do with a child folder of this name.
    pub fn visit(self, name: &'p str, selection: &Selection) -> Visit {
        self.visit_families(name, selection, |family| LOG_FAMILIES.contains(&family))
    }

    /// Returns what to do with a child folder of this name if digests are looked for, too.
    pub fn visit_with_digests(self, name: &'p str, selection: &Selection) -> Visit {
        self.visit_families(name, selection, has_logs_or_digests)
    }

    /// Returns account, family and region of a folder of digests or log files: that of a region, a
    /// year, a month or a day.
    pub fn region_names(self) -> Option<[&'p str; 3]> {
        let is_dated = matches!(self.level, Level::Year | Level::Month | Level::Day);
        let names = [self.names.account?, self.names.family?, self.names.region?];
        let is_region = self.level == Level::Region || is_dated;
        (is_region && has_logs_or_digests(names[1])).then_some(names)
    }

    /// Returns whether a selected object may be below it.
    pub fn is_selected(self, selection: &Selection) -> bool {
        selection.may_hold(&self.names)
    }

    fn visit_families(
        self,
        name: &'p str,
        selection: &Selection,
        is_visited: fn(&str) -> bool,
    ) -> Visit {
        let child = self.child(name);
        let family = child.names.family.filter(|_| child.level == Level::Family);
        if family.is_some_and(|family| !is_visited(family)) {
            return Visit::NoLogs;
        }
        if selection.may_hold(&child.names) {
            Visit::Enter(child.level)
        } else {
            Visit::FilteredOut
        }
    }
}

fn has_logs_or_digests(family: &str) -> bool {
    family == DIGEST_FAMILY || LOG_FAMILIES.contains(&family)
}

impl Names<'_> {
    fn day(&self) -> Option<Date> {
        let [year, month, day] = self.date;
        Date::new(year?.parse().ok()?, month?.parse().ok()?, day?.parse().ok()?).ok()
    }
}

/// Which objects of a trail a run imports. The default is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The first day folder.
    pub from: Option<Date>,
    /// The last day folder.
    pub to: Option<Date>,
    /// Accounts; empty for all.
    pub accounts: BTreeSet<String>,
    /// Regions; empty for all.
    pub regions: BTreeSet<String>,
    /// The first day folder that may hold a selected record. Objects in another layout may, too.
    pub event_from: Option<Date>,
    /// The last day folder that may hold a selected record.
    pub event_to: Option<Date>,
}

impl Selection {
    /// Returns whether everything is selected.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the selection without the days of events: by account, region and day folder alone.
    #[must_use]
    pub fn without_event_days(&self) -> Self {
        Self { event_from: None, event_to: None, ..self.clone() }
    }

    /// Returns whether objects in another layout are selected.
    fn has_other_layouts(&self) -> bool {
        let Self { from, to, accounts, regions, event_from: _, event_to: _ } = self;
        from.is_none() && to.is_none() && accounts.is_empty() && regions.is_empty()
    }

    /// Returns whether an object is selected. One with another layout is selected only if no day, account
    /// or region is asked for.
    ///
    /// ```
    /// use cloudtrail2sql::trail::layout::Selection;
    ///
    /// let selection = Selection { from: Some("2026-01-15".parse()?), ..Selection::default() };
    /// let trail = "s3://b/AWSLogs/111122223333/CloudTrail/eu-central-1";
    /// assert!(selection.has(&format!("{trail}/2026/01/15/x.json.gz")));
    /// assert!(!selection.has(&format!("{trail}/2026/01/14/x.json.gz")));
    /// assert!(!selection.has("s3://b/x.json.gz"));
    /// # Ok::<(), jiff::Error>(())
    /// ```
    pub fn has(&self, uri: &str) -> bool {
        if self.is_all() {
            return true;
        }
        let Some(layout) = Layout::of(uri) else { return self.has_other_layouts() };
        has(&self.accounts, &layout.account)
            && has(&self.regions, &layout.region)
            && [self.from, self.event_from].iter().flatten().all(|from| *from <= layout.day)
            && [self.to, self.event_to].iter().flatten().all(|to| layout.day <= *to)
    }

    /// Returns whether a folder above the objects may hold a selected object.
    fn may_hold(&self, names: &Names<'_>) -> bool {
        let date: Vec<&str> = names.date.iter().copied().map_while(|part| part).collect();
        let date = date.join("/");
        // As text, years and months compare like days do: all have their full width.
        let reaches = |bound: Option<Date>, is_outside: fn(&str, &str) -> bool| {
            bound.is_none_or(|day| !is_outside(&date, &folder_of(day)[..date.len()]))
        };
        names.account.is_none_or(|it| has(&self.accounts, it))
            && names.region.is_none_or(|it| has(&self.regions, it))
            && [self.from, self.event_from]
                .into_iter()
                .all(|it| reaches(it, |date, from| date < from))
            && [self.to, self.event_to].into_iter().all(|it| reaches(it, |date, to| date > to))
    }
}

fn has(selected: &BTreeSet<String>, name: &str) -> bool {
    selected.is_empty() || selected.contains(name)
}

/// Returns a day's folders: `YYYY/MM/DD`.
pub fn folder_of(day: Date) -> String {
    format!("{:04}/{:02}/{:02}", day.year(), day.month(), day.day())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const TRAIL: &str = "AWSLogs/111122223333/CloudTrail/eu-central-1";

    #[test]
    fn the_layout_is_read_with_and_without_prefix_and_organization() {
        for start in ["s3://b/AWSLogs/", "s3://b/p/q/AWSLogs/o-abc123/", "/data/AWSLogs/"] {
            let uri = format!("{start}111122223333/CloudTrail/eu-central-1/2026/01/15/x.json.gz");
            let layout = Layout::of(&uri).unwrap();
            assert_eq!(layout.account, "111122223333");
            assert_eq!(layout.family, "CloudTrail");
            assert_eq!(layout.region, "eu-central-1");
            assert_eq!(layout.day, date(2026, 1, 15));
        }
    }

    #[test]
    fn another_layout_is_none() {
        for uri in [
            "s3://b/x.json.gz",
            "s3://b/AWSLogs/111122223333/Config/eu-central-1/2026/01/05/ConfigHistory/x.gz",
            "s3://b/AWSLogs/111122223333/Config/eu-central-1/2026/01/05/x.gz",
            "s3://b/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/01/x.json.gz",
            "s3://b/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/02/30/x.json.gz",
        ] {
            assert_eq!(Layout::of(uri), None, "{uri}");
        }
    }

    #[test]
    fn the_names_above_a_folder_determine_its_level() {
        for (path, level) in [
            ("", Level::Above),
            ("exports/", Level::Above),
            ("AWSLogs/", Level::Logs),
            ("a/AWSLogs/o-abc/", Level::Organization),
            ("AWSLogs/111122223333/", Level::Account),
            ("AWSLogs/o-abc/111122223333/CloudTrail/", Level::Family),
            (TRAIL, Level::Region),
            ("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/", Level::Year),
            ("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/01/", Level::Month),
            ("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/01/15/", Level::Day),
            ("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/01/15/x/", Level::Other),
            ("AWSLogs/waf/", Level::Other),
        ] {
            assert_eq!(Place::of(path).level, level, "{path}");
        }
    }

    #[test]
    fn the_days_of_events_leave_out_folders_but_no_object_in_another_layout() {
        let selection = Selection {
            event_from: Some(date(2026, 1, 15)),
            event_to: Some(date(2026, 2, 3)),
            ..Selection::default()
        };
        let region = "AWSLogs/111122223333/CloudTrail/eu-central-1";
        for (folder, is_selected) in [
            ("2026/01/14", false),
            ("2026/01/15", true),
            ("2026/02/03", true),
            ("2026/02/04", false),
        ] {
            assert_eq!(selection.has(&format!("s3://b/{region}/{folder}/x")), is_selected);
            let (month, day) = folder.rsplit_once('/').unwrap();
            let place = format!("{region}/{month}");
            let visit = Place::of(&place).visit(day, &selection);
            assert_eq!(visit == Visit::Enter(Level::Day), is_selected, "{folder}");
        }
        assert!(selection.has("s3://b/export.json"));
        let strict = Selection { from: Some(date(2026, 1, 1)), ..selection };
        assert!(!strict.has("s3://b/export.json"));
        assert!(!strict.has(&format!("s3://b/{region}/2026/01/14/x")));
    }

    #[test]
    fn folders_without_logs_and_folders_not_selected_are_left_out() {
        let selection = Selection {
            from: Some(date(2026, 1, 15)),
            to: Some(date(2026, 2, 3)),
            accounts: ["111122223333".to_owned()].into(),
            regions: ["eu-central-1".to_owned()].into(),
            ..Selection::default()
        };
        let all = Selection::default();
        let account = "AWSLogs/111122223333";
        for (path, name, expected, expected_of_all) in [
            ("", "AWSLogs", Visit::Enter(Level::Logs), None),
            ("", "p", Visit::Enter(Level::Above), None),
            ("AWSLogs", "111122223333", Visit::Enter(Level::Account), None),
            ("AWSLogs", "444455556666", Visit::FilteredOut, Some(Visit::Enter(Level::Account))),
            (account, "CloudTrail", Visit::Enter(Level::Family), None),
            (account, "CloudTrail-Insight", Visit::Enter(Level::Family), None),
            (account, "CloudTrail-Digest", Visit::NoLogs, None),
            (account, "Config", Visit::NoLogs, None),
            (TRAIL, "2026", Visit::Enter(Level::Year), None),
            (TRAIL, "2025", Visit::FilteredOut, Some(Visit::Enter(Level::Year))),
            (TRAIL, "2027", Visit::FilteredOut, Some(Visit::Enter(Level::Year))),
        ] {
            assert_eq!(Place::of(path).visit(name, &selection), expected, "{path} {name}");
            let expected = expected_of_all.unwrap_or(expected);
            assert_eq!(Place::of(path).visit(name, &all), expected, "all of {path} {name}");
        }
        let month = format!("{TRAIL}/2026/01");
        assert_eq!(Place::of(&month).visit("14", &selection), Visit::FilteredOut);
        assert_eq!(Place::of(&month).visit("15", &selection), Visit::Enter(Level::Day));
        let month = format!("{TRAIL}/2026/02");
        assert_eq!(Place::of(&month).visit("03", &selection), Visit::Enter(Level::Day));
        assert_eq!(Place::of(&month).visit("04", &selection), Visit::FilteredOut);
    }

    #[test]
    fn digests_are_visited_on_request_and_other_services_never() {
        let all = Selection::default();
        let account = "AWSLogs/111122223333";
        for (family, is_visited) in
            [("CloudTrail", true), ("CloudTrail-Digest", true), ("Config", false)]
        {
            let visit = Place::of(account).visit_with_digests(family, &all);
            assert_eq!(visit == Visit::Enter(Level::Family), is_visited, "{family}");
            for below in ["eu-central-1/", "eu-central-1/2026/01/15/"] {
                let folder = format!("{account}/{family}/{below}");
                let names = Place::of(&folder).region_names();
                let expected = ["111122223333", family, "eu-central-1"];
                assert_eq!(names, is_visited.then_some(expected), "{folder}");
            }
            let folder = format!("{account}/{family}/eu-central-1/other/");
            assert_eq!(Place::of(&folder).region_names(), None);
            assert_eq!(Place::of(&format!("{account}/{family}")).region_names(), None);
        }
    }

    #[test]
    fn an_object_in_another_layout_is_selected_only_with_all() {
        let some = Selection { from: Some(date(2026, 1, 1)), ..Selection::default() };
        assert!(Selection::default().has("s3://b/x.json.gz"));
        assert!(!some.has("s3://b/x.json.gz"));
        assert!(some.has(&format!("s3://b/{TRAIL}/2026/01/01/x.json.gz")));
        assert!(!some.has(&format!("s3://b/{TRAIL}/2025/12/31/x.json.gz")));
    }
}
