//! The key layout: what the selection has is found by walking from folder to folder.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::Choices;
use crate::trail::layout::{Layout, Place, Selection, Visit, folder_of};

/// Walks to the object whose key is the bytes, or is generated from them.
///
/// # Panics
/// If a folder on the way to a selected object is not entered, or if the layout that is read is not
/// the one in the key.
pub fn layout(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let mut choices = Choices::new(rest);
    let selection = selection(&mut choices);
    let key = match mode & 1 {
        0 => choices.text(rest.len()),
        _ => key(&mut choices),
    };

    let found = Layout::of(&key);
    if let Some(Layout { account, family, region, day }) = &found {
        let folder = format!("{account}/{family}/{region}/{}/", folder_of(*day));
        let names: Vec<&str> = key.split('/').filter(|name| !name.is_empty()).collect();
        let is_file_named = !key.ends_with('/');
        let names = names.join("/") + if is_file_named { "" } else { "/" };
        assert!(names.contains(&folder), "{folder} is not in {key:?}");
    }
    let is_selected = selection.has(&key);
    assert!(!is_selected || selection.is_all() || found.is_some(), "{key:?}");

    // Only the last `AWSLogs` counts, and a walk cannot know that another one follows.
    if key.split('/').filter(|name| *name == "AWSLogs").count() > 1 {
        return;
    }
    let mut above = 0;
    for (end, _) in key.match_indices('/') {
        let visit = Place::of(&key[..above]).visit(&key[above..end], &selection);
        match visit {
            Visit::Enter(level) => {
                assert_eq!(level, Place::of(&key[..=end]).level, "{key:?} to {end}");
            }
            Visit::FilteredOut => {
                assert!(!is_selected, "{key:?} is selected, but not found: {selection:?}");
                return;
            }
            Visit::NoLogs => return,
        }
        above = end + 1;
    }
}

fn selection(choices: &mut Choices<'_>) -> Selection {
    let mut selection = Selection::default();
    for bound in [&mut selection.from, &mut selection.to] {
        if choices.once_in(2) {
            let year = choices.one_of(&[2026, 2025, 2027, 0, 1, 9999]);
            let month = choices.one_of(&[1, 2, 12]);
            let day = choices.one_of(&[15, 1, 14, 16, 28, 31]);
            *bound = Date::new(year, month, day).ok();
        }
    }
    let mut some = |names: &[&str]| -> BTreeSet<String> {
        let chosen = choices.up_to(4).saturating_sub(2);
        (0..chosen).map(|_| choices.one_of(names).to_owned()).collect()
    };
    selection.accounts = some(&["111122223333", "444455556666"]);
    selection.regions = some(&["us-east-1", "eu-west-1", ""]);
    selection
}

/// Returns a key, in most cases one that nearly has the layout.
fn key(choices: &mut Choices<'_>) -> String {
    const LEVELS: [&[&str]; 10] = [
        &["p", "", "s3://b", "AWSLogs"],
        &["AWSLogs", "awslogs", "AWSLogs/o-abc", "AWSLogs/o-"],
        &["111122223333", "444455556666", "11112222333", "AWSLogs", ""],
        &["CloudTrail", "CloudTrail-Insight", "CloudTrail-Digest", "CloudTrailX", "Config", ""],
        &["us-east-1", "eu-west-1", "o-abc", "AWSLogs", ""],
        &["2026", "2025", "9999", "0000", "026", "20266", "+026"],
        &["01", "12", "13", "00", "1", "", "+1"],
        &["15", "14", "31", "32", "00", "5", "\u{661}"],
        &["x.json.gz", "", "16", "x"],
        &["", "y"],
    ];
    let mut names = Vec::new();
    for level in LEVELS {
        match choices.up_to(15) {
            0 => {}
            1 => names.push(choices.text(12)),
            2..6 => names.push(choices.one_of(level).to_owned()),
            _ => names.push(level[0].to_owned()),
        }
    }
    names.join("/")
}
