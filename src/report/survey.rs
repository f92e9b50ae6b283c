//! The dry run's report.

use serde::Serialize;

use super::table::Table;
use super::{bytes, count, json};
use crate::progress::Count;
use crate::survey::{Found, Group, Survey};

/// Returns what a run would find, by account, region and day.
pub fn survey_text(survey: &Survey) -> String {
    let mut table = Table::new(["new", "bytes", "again", "already known"]);
    let cells = |found: &Found| {
        [
            Some(count(found.new.objects)),
            Some(bytes(found.new.bytes + found.again.bytes)),
            Some(count(found.again.objects)),
            Some(count(found.known.objects)),
        ]
    };
    for (group, found) in &survey.groups {
        let name = match group {
            Some(Group { account, region, day }) => format!("{account}  {region}  {day}"),
            None => "other places".to_owned(),
        };
        table.row("", &name, cells(found));
    }
    let total = survey.total();
    table.row("", "total", cells(&total));
    let mut text = table.to_string();
    text.push_str("\ndry run: nothing was written\n");
    text
}

/// Returns the same for machines.
pub fn survey_json(survey: &Survey) -> String {
    #[derive(Serialize)]
    struct GroupJson<'s> {
        account: Option<&'s str>,
        region: Option<&'s str>,
        day: Option<&'s str>,
        #[serde(flatten)]
        found: FoundJson,
    }
    #[derive(Serialize)]
    struct FoundJson {
        new: Count,
        again: Count,
        known: Count,
    }
    #[derive(Serialize)]
    struct SurveyJson<'s> {
        dry_run: bool,
        groups: Vec<GroupJson<'s>>,
        total: FoundJson,
    }
    let found = |it: &Found| FoundJson { new: it.new, again: it.again, known: it.known };
    let groups = survey.groups.iter().map(|(group, it)| GroupJson {
        account: group.as_ref().map(|group| &*group.account),
        region: group.as_ref().map(|group| &*group.region),
        day: group.as_ref().map(|group| &*group.day),
        found: found(it),
    });
    json(&SurveyJson { dry_run: true, groups: groups.collect(), total: found(&survey.total()) })
}
