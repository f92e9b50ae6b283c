//! docs/answers.md lists every question, and docs/questions/ has a page for each family of them, with
//! the answers of the sample.

use cloudtrail2sql::answers::{Flag, Question, questions};

use super::blesses;
use super::examples::{folder_like_a_clone, shown};
use super::pages::{page, root};

/// The largest number of rows that a page shows.
const ROWS_MAX: &str = "5";

#[test]
fn every_question_is_on_the_page_under_its_family() {
    let page = page("docs/answers.md");
    for question in questions() {
        let heading = format!("question of [{}]({})", question.family, path_of(question.family));
        let rows = page.table(&[&heading, "answers"]);
        let row = rows.iter().find(|row| row[0] == format!("`{}`", question.name));
        let row = row.unwrap_or_else(|| panic!("{} is not on the page", question.name));
        assert!(row[1].contains(question.text) && row[1].contains(question.reason), "{row:?}");
        let needs = question.needs.map(|flag| format!("Needs `{}`.", flag.as_str()));
        assert_eq!(row[1].contains("Needs"), needs.is_some(), "{row:?}");
    }
}

#[test]
fn every_question_has_an_example_with_the_answer_of_the_sample() {
    let folder = folder_like_a_clone();
    shown(folder.path(), &["--quiet", "import", "tests/sample"], 0);
    let questions = questions();
    for of_family in questions.chunk_by(|one, next| one.family == next.family) {
        let family = of_family[0].family;
        let mut expected = format!("# {family}\n\n[All questions](../answers.md)\n");
        for question in of_family {
            let args = arguments(question);
            let answer = shown(folder.path(), &[&["--quiet"], &args[..]].concat(), 0);
            let Question { name, text, reason, source, .. } = question;
            expected.push_str(&format!(
                "\n## {name}\n\n{text} {reason} (Source: {source}.)\n\n\
                 ```console\n$ cloudtrail2sql {}\n{answer}```\n",
                args.join(" ")
            ));
        }
        let path = format!("docs/{}", path_of(family));
        if blesses() {
            std::fs::write(root().join(&path), expected).unwrap();
        } else {
            assert_eq!(page(&path).text, expected, "{path}");
        }
    }
    let pages = std::fs::read_dir(root().join("docs/questions")).unwrap().count();
    assert_eq!(pages, questions.chunk_by(|one, next| one.family == next.family).count());
}

fn path_of(family: &str) -> String {
    format!("questions/{}.md", family.to_lowercase().replace(' ', "-"))
}

/// Returns the command of an example, about something that is in the sample.
fn arguments(question: &Question) -> Vec<&'static str> {
    let mut args = vec!["query", question.name];
    if let Some(flag) = question.needs {
        let value = match flag {
            Flag::Username => "GitHubActions-1768435204",
            Flag::AccessKeyId => "ASIAYLIPRKT6Q5TRETXZ",
            Flag::SourceIp => "198.18.66.53",
            Flag::ResourceName => "billing-backup-sandbox",
            Flag::Since => "2026-01-15T01:30:00Z",
            Flag::Limit | Flag::By => unreachable!("no question needs it"),
        };
        args.extend([flag.as_str(), value]);
    }
    if question.limit.is_some() {
        args.extend(["--limit", ROWS_MAX]);
    }
    args
}
