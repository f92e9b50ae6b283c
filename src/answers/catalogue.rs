//! The questions that the program knows, in the order in which they are listed.

use super::question::Question;

/// Embeds a file of `queries/`.
macro_rules! embedded {
    ($($name:literal)+) => {
        &[$(include_str!(concat!("../../queries/", $name, ".sql"))),+]
    };
}

const FILES: &[&str] = embedded! {
    "summary"
    "services"
    "calls"
    "regions"
    "accounts"
    "timeline"
    "hours"
    "principals"
    "source-ips"
    "user-agents"
    "callers"
    "errors"
    "last-errors"
    "denied"
    "throttled"
    "endpoint-denied"
    "by-user"
    "by-key"
    "by-ip"
    "by-resource"
    "writes"
    "console-writes"
    "deletions"
    "access-keys"
    "console-logins"
    "failed-logins"
    "logins-without-mfa"
    "root"
    "assumed-roles"
    "cross-account"
    "iam-changes"
    "new-access-keys"
    "passwords"
    "admin-grants"
    "public-exposure"
    "tampering"
    "security-groups"
    "secrets"
    "s3-objects"
    "old-tls"
    "instances-by-user"
    "launches"
    "new-principals"
    "new-user-agents"
    "new-source-ips"
    "new-calls"
    "duplicates"
    "gaps"
};

/// Returns all questions.
///
/// # Panics
/// If a file is not valid; a test checks all of them.
pub fn questions() -> Vec<Question> {
    let parse = |text: &&'static str| {
        Question::parse(text).unwrap_or_else(|reason| panic!("{reason} in a question:\n{text}"))
    };
    FILES.iter().map(parse).collect()
}

/// Returns the question with this name.
pub fn question(name: &str) -> Option<Question> {
    questions().into_iter().find(|question| question.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::answers::FilterError::{Needed, NotTaken};
    use crate::answers::{Filters, Flag};
    use crate::database::url::Engine;
    use crate::trail::time::EventTime;

    #[test]
    fn every_file_is_a_question_and_listed_once() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/queries");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let files: BTreeSet<String> =
            files.map(|it| it.to_str().unwrap().replace(".sql", "")).collect();
        let questions = questions();
        let names: BTreeSet<String> = questions.iter().map(|it| it.name.to_owned()).collect();
        assert_eq!((names.len(), &names), (questions.len(), &files));
        for question in questions {
            assert!(question.text.ends_with(['?', ')']), "{}", question.name);
        }
    }

    #[test]
    fn every_question_has_sql_for_every_engine_without_a_marker() {
        let time = EventTime::parse("2026-01-15T00:00:00Z");
        let all = Filters {
            since: time,
            until: time,
            username: Some("it's".into()),
            event_name: Some("a".into()),
            event_source: Some("b".into()),
            access_key_id: Some("c".into()),
            resource_name: Some("d%".into()),
            account_id: Some("e".into()),
            region: Some("f".into()),
            source_ip: Some("g".into()),
            ..Filters::default()
        };
        for question in questions() {
            for engine in [Engine::Sqlite, Engine::Postgres, Engine::Mysql] {
                let sql = question.statement(&all, engine).unwrap().for_shell(engine);
                assert!(!sql.contains("{j") && !sql.contains("{each"), "{sql}");
                assert!(sql.contains("user_name = 'it''s'") && sql.contains("'%d!%%'"), "{sql}");
                // Every limited answer has an order.
                assert_eq!(sql.contains("ORDER BY"), sql.contains("LIMIT"), "{sql}");
            }
        }
    }

    #[test]
    fn a_question_names_the_option_that_it_needs() {
        let refused = |name: &str, filters: Filters| {
            question(name).unwrap().statement(&filters, Engine::Sqlite).unwrap_err()
        };
        assert_eq!(refused("by-user", Filters::default()), Needed(Flag::Username));
        assert_eq!(refused("new-calls", Filters::default()), Needed(Flag::Since));
        let limited = Filters { limit: Some(3), ..Filters::default() };
        assert_eq!(refused("summary", limited), NotTaken(Flag::Limit));
        let hourly = Filters { period: Some(crate::answers::Period::Day), ..Filters::default() };
        assert_eq!(refused("errors", hourly), NotTaken(Flag::By));
    }
}
