//! The list of questions.

use serde::Serialize;

use super::{Report, to_json};
use crate::answers::Question;

/// The questions that can be asked.
#[derive(Debug)]
pub(crate) struct QuestionList(pub(crate) Vec<Question>);

/// A question for programs.
#[derive(Serialize)]
struct QuestionJson {
    name: &'static str,
    family: &'static str,
    question: &'static str,
    needs: Option<&'static str>,
    limit: Option<u32>,
    reason: &'static str,
    source: &'static str,
}

impl Report for QuestionList {
    fn text(&self) -> String {
        let width = self.0.iter().map(|it| it.name.len()).max().unwrap_or(0);
        let (mut text, mut family) = (String::new(), "");
        for question in &self.0 {
            if question.family != family {
                let gap = if family.is_empty() { "" } else { "\n" };
                family = question.family;
                text.push_str(&format!("{gap}{family}\n"));
            }
            let needs = question.needs.map(|flag| format!(" [{}]", flag.as_str()));
            text.push_str(&format!(
                "  {:width$}  {}{}\n",
                question.name,
                question.text,
                needs.unwrap_or_default()
            ));
        }
        text.push_str(
            "\n`cloudtrail2sql query NAME` answers a question, `query --help` has the filters.\n",
        );
        text
    }

    fn json(&self) -> String {
        let questions = self.0.iter().map(|it| QuestionJson {
            name: it.name,
            family: it.family,
            question: it.text,
            needs: it.needs.map(crate::answers::Flag::as_str),
            limit: it.limit,
            reason: it.reason,
            source: it.source,
        });
        to_json(&questions.collect::<Vec<_>>())
    }
}
