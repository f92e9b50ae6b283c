//! docs/answers.md has every question.

use cloudtrail2sql::answers::questions;

use super::pages::page;

#[test]
fn every_question_is_on_the_page_under_its_family() {
    let page = page("docs/answers.md");
    for question in questions() {
        let heading = format!("question of `{}`", question.family);
        let rows = page.table(&[&heading, "answers"]);
        let row = rows.iter().find(|row| row[0] == format!("`{}`", question.name));
        let row = row.unwrap_or_else(|| panic!("{} is not on the page", question.name));
        assert!(row[1].contains(question.text) && row[1].contains(question.reason), "{row:?}");
        let needs = question.needs.map(|flag| format!("Needs `{}`.", flag.as_str()));
        assert_eq!(row[1].contains("Needs"), needs.is_some(), "{row:?}");
    }
}
