//! The rules of the source code's structure, which no compiler checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex_lite::Regex;

/// Where else than in `import` something may run by itself, what, and why.
const EXCEPTIONS: [(&str, &str, &str); 9] = [
    ("cli/commands/signals.rs", "tokio::spawn", "waits for signals beside the run"),
    ("cli/commands/signals.rs", "watch::channel", "passes a signal on to the run"),
    ("database/sql/post_load.rs", "JoinSet", "builds several indexes at once"),
    ("database/sql/relay.rs", "tokio::spawn", "passes on what a connection sends"),
    ("database/sql/tls_relay.rs", "tokio::spawn", "passes on what a connection sends"),
    ("cli/output/progress_display.rs", "tokio::spawn", "draws beside the run"),
    ("source/folder.rs", "spawn_blocking", "reads files, which only blocks"),
    ("source/stdin.rs", "spawn_blocking", "reads its temporary file, which only blocks"),
    ("source/stdin.rs", "oneshot::", "waits for a thread that nothing can interrupt"),
];

/// A file below `src/`.
struct Source {
    /// Its path below `src/`.
    path: String,
    /// The module of `lib.rs` that it is or belongs to.
    module: String,
    text: String,
}

impl Source {
    /// Returns its lines with their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.map(|(n, line)| (n + 1, line.split("//").next().unwrap_or_default()))
    }

    /// Returns the lines whose code matches, for people.
    fn matches(&self, pattern: &str) -> Vec<String> {
        let pattern = Regex::new(pattern).unwrap();
        let lines = self.code().filter(|(_, code)| pattern.is_match(code));
        lines.map(|(n, code)| format!("src/{}:{n}: {}", self.path, code.trim())).collect()
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

/// Reads every Rust file of the library.
fn sources() -> Vec<Source> {
    let files = walkdir::WalkDir::new(root()).sort_by_file_name();
    let mut sources = Vec::new();
    let is_rust = |file: &walkdir::DirEntry| file.path().extension().is_some_and(|it| it == "rs");
    for file in files.into_iter().map(Result::unwrap).filter(is_rust) {
        let path = file.path().strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let module = path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        sources.push(Source { path, module, text: fs::read_to_string(file.path()).unwrap() });
    }
    assert!(sources.len() > 40, "only {} files were found", sources.len());
    sources
}

/// Returns the modules in the order of `lib.rs`.
fn modules() -> Vec<String> {
    let lib = fs::read_to_string(root().join("lib.rs")).unwrap();
    let declared = Regex::new(r"(?m)^(?:pub )?mod (\w+);").unwrap();
    let modules: Vec<String> = declared.captures_iter(&lib).map(|it| it[1].to_owned()).collect();
    assert_eq!(
        modules,
        ["retry", "trail", "source", "database", "import", "verify", "answers", "cli", "fuzzing"]
    );
    modules
}

fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn a_module_imports_only_those_declared_above_it() {
    let modules = modules();
    let position = |name: &str| modules.iter().position(|module| module == name);
    let import = Regex::new(r"\bcrate::(\w+)").unwrap();
    let (mut upwards, mut imports) = (Vec::new(), 0);
    for source in sources() {
        let Some(own) = position(&source.module) else {
            assert!(["lib", "main"].contains(&&*source.module), "{} is in no module", source.path);
            continue;
        };
        assert_none(&source.matches(r"\bcrate::\{"), "this test reads one import a line");
        for (n, code) in source.code() {
            for name in import.captures_iter(code).map(|found| found[1].to_owned()) {
                imports += 1;
                // Another name is that of a macro, which stands where it is defined.
                if position(&name).is_some_and(|other| other > own) {
                    upwards.push(format!("src/{}:{n}: {name}", source.path));
                }
            }
        }
    }
    assert!(imports > 100, "only {imports} imports were found");
    assert_none(&upwards, "reading order is import order");
}

#[test]
fn only_the_sql_store_knows_sql_drivers_and_only_the_sources_on_aws_its_sdk() {
    let (mut drivers, mut sdks) = (0, 0);
    for source in sources() {
        let sqlx = source.matches(r"\bsqlx\b.*[:;{]|\bsqlx::");
        let aws = source.matches(r"\baws_(config|sdk|smithy|types|credential)\w*(::|;)");
        if source.path.starts_with("database/sql") {
            drivers += sqlx.len();
        } else {
            assert_none(&sqlx, "only `database/sql` knows SQL drivers");
        }
        // Public keys are listed by CloudTrail, with the credentials of `source::s3`.
        if source.path.starts_with("source/s3") || source.path == "source/public_keys.rs" {
            sdks += aws.len();
        } else {
            assert_none(&aws, "only `source::s3` and `source::public_keys` know the AWS SDK");
        }
    }
    assert!(drivers > 10 && sdks > 10, "{drivers} uses of sqlx, {sdks} of the AWS SDK");
}

#[test]
fn sources_and_databases_never_meet() {
    for source in sources() {
        match &*source.module {
            "source" => {
                assert_none(&source.matches(r"\bcrate::database\b"), "sources know no database");
            }
            "database" => {
                assert_none(&source.matches(r"\bcrate::source\b"), "databases know no source");
            }
            _ => {}
        }
    }
}

/// Returns the modules that a file declares, in order.
fn modules_of(source: &Source) -> Vec<String> {
    let declared = Regex::new(r"(?m)^(?:pub |pub\(\w+\) )?mod (\w+);").unwrap();
    declared.captures_iter(&source.text).map(|it| it[1].to_owned()).collect()
}

/// Returns the module of `own`'s path and the module it names, both declared in the file of the
/// innermost folder that holds the two; `None` if one holds the other.
fn siblings<'a>(own: &'a [&str], target: &'a [&str]) -> Option<(String, &'a str, &'a str)> {
    let shared = own.iter().zip(target).take_while(|(own, target)| own == target).count();
    Some((own[..shared].join("/"), own.get(shared)?, target.get(shared)?))
}

#[test]
fn a_module_imports_only_siblings_declared_above_it() {
    let sources = sources();
    let import = Regex::new(r"\b(crate|super(?:::super)*)((?:::[a-z_0-9]+)+)").unwrap();
    let modules = |path: &str| {
        let file = sources.iter().find(|it| it.path == format!("{path}.rs"));
        file.map(modules_of).unwrap_or_default()
    };
    let (mut upwards, mut imports, mut folders) = (Vec::new(), 0, BTreeSet::new());
    for source in sources.iter().filter(|it| it.path.contains('/') && !is_test(&it.path)) {
        let own: Vec<&str> = source.path.trim_end_matches(".rs").split('/').collect();
        // The tests at the end of a file may use all that they test.
        let tests = source.text.lines().position(|line| line == "mod tests {");
        for (n, code) in source.code().take(tests.unwrap_or(usize::MAX)) {
            for found in import.captures_iter(code) {
                let above = match &found[1] {
                    "crate" => own.len(),
                    supers => supers.split("::").count(),
                };
                let names = found[2].split("::").skip(1);
                let target: Vec<&str> =
                    own[..own.len() - above].iter().copied().chain(names).collect();
                let Some((folder, from, to)) = siblings(&own, &target) else { continue };
                let modules = modules(&folder);
                let position = |name: &str| modules.iter().position(|module| module == name);
                let Some((from, to)) = position(from).zip(position(to)) else { continue };
                imports += 1;
                if to > from {
                    upwards.push(format!("src/{}:{n}: {}", source.path, &found[0]));
                }
                folders.insert(folder);
            }
        }
    }
    assert_none(&upwards, "reading order is import order in every folder");
    assert!(imports > 100 && folders.len() > 8, "only {imports} imports in {folders:?} were found");
}

#[test]
fn the_modules_of_the_s3_source_do_not_import_the_file_that_imports_them_all() {
    for source in sources().iter().filter(|it| it.path.starts_with("source/s3/")) {
        if !is_test(&source.path) {
            assert_none(&source.matches(r"^use super::(\{|[A-Z])"), "`s3.rs` imports its modules");
        }
    }
}

#[test]
fn a_module_with_files_of_its_own_is_named_after_its_folder() {
    for source in sources() {
        assert!(!source.path.ends_with("mod.rs"), "src/{}: use NAME.rs", source.path);
    }
}

#[test]
fn channels_and_tasks_are_in_the_import_room_and_the_listed_exceptions() {
    let words = [
        "tokio::spawn",
        "thread::spawn",
        "spawn_blocking",
        "JoinSet",
        "mpsc::",
        "watch::channel",
        "broadcast::",
        "oneshot::",
    ];
    let mut used = BTreeSet::new();
    let is_free =
        |path: &str| path.split('/').next().unwrap().starts_with("import") || is_test(path);
    for source in sources().iter().filter(|source| !is_free(&source.path)) {
        for word in words {
            let found = source.matches(&format!(r"\b{word}"));
            let exception =
                EXCEPTIONS.iter().find(|(path, what, _)| *path == source.path && *what == word);
            match exception {
                Some(exception) if !found.is_empty() => drop(used.insert(exception)),
                _ => assert_none(&found, "only `import` has channels and tasks"),
            }
        }
    }
    for exception in &EXCEPTIONS {
        assert!(used.contains(exception), "{exception:?} is an exception no longer");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for source in sources().iter().filter(|source| !is_test(&source.path)) {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! "), "src/{} begins without a doc", source.path);
    }
}
