use clap::error::ErrorKind;

use super::*;
use crate::cli::config::{
    ConfigError, Database, FETCHERS, ImportSettings, MEMORY_BYTES, Prices, SourceSpec, StatusPart,
    WRITERS,
};
use crate::database::LoadMethod;
use crate::source::s3::S3Options;
use crate::trail::layout::Selection;
use crate::trail::object::Shard;

fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
    let program = std::iter::once("cloudtrail2sql");
    Cli::from_args(program.chain(args.iter().copied()).map(OsString::from))
}

/// Returns what `import` means for the database that `--database` names, or the default.
fn import(args: &[&str]) -> Result<ImportSettings, ConfigError> {
    let cli = parse(&[&["import"], args].concat()).unwrap();
    let Command::Import(import) = cli.command else { panic!("`import` was typed") };
    import.settings(cli.global.database(&Environment::new([], "/nowhere"))?)
}

fn told(args: &[&str]) -> String {
    let error = import(args).unwrap_err();
    format!("{error}; {}", error.hint().unwrap_or_default())
}

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn what_is_not_typed_has_its_default() {
    let settings = import(&["logs"]).unwrap();
    assert_eq!(
        settings,
        ImportSettings {
            database: Database::resolve(None, None, &Environment::new([], "/nowhere")).unwrap(),
            sources: vec![SourceSpec::Path("logs".into())],
            s3: S3Options::default(),
            selection: Selection::default(),
            shard: Shard::WHOLE,
            listers: 4,
            fetchers: None,
            writers: 1,
            batch_rows_max: 10_000,
            batch_bytes_max: 16 << 20,
            memory_bytes: 80 << 20,
            object_bytes_max: 256 << 20,
            load_method: LoadMethod::Insert,
            builds_indexes: true,
            is_dry_run: false,
            prices: Prices { list: 0.005, get: 0.0004 },
            upgrades_table: false,
        }
    );
}

#[test]
fn what_is_typed_arrives() {
    let args = "--database postgres://db/logs --profile p --region r --endpoint-url http://h:1 \
                --no-sign-request --request-payer --fetchers 7 --writers 5 --batch-rows 11 \
                --batch-bytes 1MB --memory 17MiB --max-object-size 3m --load-method insert \
                --no-index --upgrade-table s3://acme/x logs";
    let settings = import(&args.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert_eq!(settings.database.url.expose(), "postgres://db/logs");
    let sources: Vec<_> = settings.sources.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["s3://acme/x", "logs"]);
    assert_eq!(
        settings.s3,
        S3Options {
            profile: Some("p".into()),
            region: Some("r".into()),
            endpoint_url: Some("http://h:1".parse().unwrap()),
            no_sign_request: true,
            request_payer: true,
            ..S3Options::default()
        }
    );
    assert_eq!((settings.fetchers, settings.writers), (Some(7), 5));
    assert_eq!((settings.batch_rows_max, settings.batch_bytes_max), (11, 1_000_000));
    assert_eq!((settings.memory_bytes, settings.object_bytes_max), (17 << 20, 3 << 20));
    assert_eq!(settings.load_method, LoadMethod::Insert);
    assert!(!settings.builds_indexes && !settings.is_dry_run && settings.upgrades_table);
    assert!(import(&["--dry-run", "logs"]).unwrap().is_dry_run);
}

#[test]
fn each_kind_of_database_has_its_own_number_of_writers_and_way_to_load() {
    for (url, writers, method) in [
        ("x.db", 1, LoadMethod::Insert),
        ("postgres://db", 2, LoadMethod::Copy),
        ("mysql://db", 3, LoadMethod::Insert),
        ("mariadb://db", 3, LoadMethod::Insert),
    ] {
        let settings = import(&["--database", url, "logs"]).unwrap();
        assert_eq!((settings.writers, settings.load_method), (writers, method), "{url}");
    }
}

#[test]
fn a_second_writer_on_sqlite_is_refused() {
    assert_eq!(
        told(&["--writers", "2", "logs"]),
        "`--writers 2` with SQLite, which lets one connection write at a time; leave `--writers` out"
    );
    assert!(import(&["--writers", "1", "logs"]).is_ok());
}

#[test]
fn copy_is_refused_for_any_database_but_postgresql() {
    let copy = ["--load-method", "copy", "logs", "--database"];
    for (url, engine) in [("x.db", "SQLite"), ("mysql://db", "MySQL or MariaDB")] {
        assert_eq!(
            told(&[&copy[..], &[url]].concat()),
            format!(
                "`--load-method copy` is for PostgreSQL, and the database is {engine}; leave \
                 `--load-method` out: the fastest way is the default"
            )
        );
    }
    let settings = import(&[&copy[..], &["postgres://db"]].concat()).unwrap();
    assert_eq!(settings.load_method, LoadMethod::Copy);
}

#[test]
fn each_number_and_size_is_refused_by_the_name_of_its_flag() {
    for (flag, value) in [
        ("--fetchers", "0"),
        ("--fetchers", "257"),
        ("--writers", "0"),
        ("--writers", "65"),
        ("--batch-rows", "0"),
        ("--batch-rows", "1000001"),
        ("--batch-bytes", "1KiB"),
        ("--batch-bytes", "2GiB"),
        ("--memory", "1MiB"),
        ("--memory", "2TiB"),
        ("--max-object-size", "1"),
        ("--max-object-size", "2GiB"),
    ] {
        let told = told(&["--database", "postgres://db", flag, value, "logs"]);
        assert!(
            told.starts_with(&format!("`{flag} {value}` is out of range; it takes ")),
            "{told}"
        );
    }
    for flag in ["--batch-bytes", "--memory", "--max-object-size"] {
        let told = told(&[flag, "x", "logs"]);
        assert!(told.starts_with(&format!("`{flag} x` is not a size; ")), "{told}");
    }
}

#[test]
fn the_defaults_are_in_range_and_their_help_is_true() {
    let help = Cli::command().find_subcommand_mut("import").unwrap().render_help().to_string();
    let spoken =
        |range: &std::ops::RangeInclusive<usize>| format!("{} to {}", range.start(), range.end());
    assert!(help.contains(&format!("at once, {}", spoken(&FETCHERS))), "{help}");
    assert!(help.contains(&format!("at once, {}", spoken(&WRITERS))), "{help}");
    assert!(MEMORY_BYTES.contains(&(256 << 20)));
}

#[test]
fn an_empty_profile_or_region_is_refused() {
    for flag in ["--profile", "--region"] {
        let told = told(&[flag, "", "logs"]);
        assert_eq!(told, format!("`{flag}` is empty; give `{flag}` a value, or leave it out"));
    }
    assert!(told(&["--endpoint-url", "x", "logs"]).starts_with("`--endpoint-url` is no plain"));
}

#[test]
fn a_source_that_is_none_is_refused() {
    assert!(told(&["logs", "-"]).starts_with("cannot import from `-`; "));
    let error = parse(&["import"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
}

#[test]
fn request_payer_takes_the_word_of_the_aws_cli_or_nothing_and_never_a_source() {
    for (args, pays, sources) in [
        (&["logs"][..], false, 1),
        (&["--request-payer", "logs"], true, 1),
        (&["--request-payer", "requester", "logs"], true, 1),
        (&["--request-payer=requester", "logs"], true, 1),
        (&["logs", "--request-payer", "requester"], true, 1),
        (&["logs", "--request-payer"], true, 1),
        (&["--request-payer", "--", "requester"], true, 1),
        (&["logs", "--", "--request-payer", "requester"], false, 3),
    ] {
        let settings = import(args).unwrap();
        assert_eq!(settings.s3.request_payer, pays, "{args:?}");
        assert_eq!(settings.sources.len(), sources, "{args:?}");
    }
    let error = parse(&["import", "--request-payer=me", "logs"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
}

#[test]
fn options_of_every_command_stand_before_or_after_it() {
    for args in [
        &["--output", "json", "--log-format", "json", "--color", "never", "-vv", "index"][..],
        &["index", "--output", "json", "--log-format", "json", "--color", "never", "-vv"],
    ] {
        let cli = parse(args).unwrap();
        assert_eq!((cli.global.output, cli.global.log_format), (Form::Json, Form::Json));
        assert_eq!((cli.global.color, cli.global.verbose), (Color::Never, 2));
    }
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    for args in [
        &["-q", "-v", "index"][..],
        &["import", "--dry-run", "--upgrade-table", "logs"],
        &["status", "--failed", "--runs"],
        &["status", "--failed", "--rejected"],
    ] {
        assert_eq!(parse(args).unwrap_err().kind(), ErrorKind::ArgumentConflict, "{args:?}");
    }
}

#[test]
fn status_shows_what_was_asked_for() {
    let status = |args: &[&str]| {
        let cli = parse(&[&["status"], args].concat()).unwrap();
        let Command::Status(status) = cli.command else { panic!("`status` was typed") };
        status.settings(cli.global.database(&Environment::new([], "/nowhere"))?)
    };
    for (args, part, lines_max) in [
        (&[][..], StatusPart::Totals, 20),
        (&["--failed"], StatusPart::Failed, 20),
        (&["--rejected", "--limit", "7"], StatusPart::Rejected, 7),
        (&["--runs"], StatusPart::Runs, 20),
    ] {
        let settings = status(args).unwrap();
        assert_eq!((settings.part, settings.lines_max), (part, lines_max), "{args:?}");
    }
    let error = status(&["--limit", "0"]).unwrap_err();
    assert_eq!(error.to_string(), "`--limit 0` is out of range");
}

#[test]
fn colour_is_for_terminals_whose_user_has_not_declined() {
    let plain = Environment::default();
    let no_color = Environment::new([("NO_COLOR", "1")], "");
    let empty = Environment::new([("NO_COLOR", "")], "");
    let dumb = Environment::new([("TERM", "dumb")], "");
    assert!(Color::Auto.is_on(true, &plain) && Color::Auto.is_on(true, &empty));
    assert!(!Color::Auto.is_on(false, &plain));
    assert!(!Color::Auto.is_on(true, &no_color) && !Color::Auto.is_on(true, &dumb));
    assert!(Color::Always.is_on(false, &no_color));
    assert!(!Color::Never.is_on(true, &plain));
}

#[test]
fn no_debug_shows_a_password_that_was_typed() {
    let args = [
        "--database",
        "mysql://u:hunter2@h",
        "import",
        "--endpoint-url",
        "http://u:hunter2@h",
        "x",
    ];
    let shown = format!("{:?}", parse(&args).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn help_has_exit_codes_and_examples_and_each_flag_a_heading() {
    for path in [&[][..], &["import"]] {
        let mut command = Cli::command();
        let command = path
            .iter()
            .fold(&mut command, |command, name| command.find_subcommand_mut(name).unwrap());
        let help = command.render_long_help().to_string();
        for part in ["Exit codes:", "130  interrupted", "Examples:", "  cloudtrail2sql import "] {
            assert!(help.contains(part), "{path:?}: {part}");
        }
        let headless: Vec<_> = command
            .get_arguments()
            .filter(|arg| !arg.is_positional() && arg.get_help_heading().is_none())
            .map(|arg| arg.get_id().as_str().to_owned())
            .filter(|id| !["help", "version"].contains(&id.as_str()))
            .collect();
        assert!(headless.is_empty(), "{headless:?}");
    }
}

#[test]
fn every_example_in_the_help_is_valid() {
    for line in [EXAMPLES, IMPORT_EXAMPLES].concat().lines() {
        let Some(args) = line.trim().strip_prefix("cloudtrail2sql ") else { continue };
        let cli = parse(&args.split(' ').collect::<Vec<_>>()).unwrap();
        let database = cli.global.database(&Environment::new([], "/nowhere")).unwrap();
        if let Command::Import(import) = cli.command {
            import.settings(database).unwrap();
        }
    }
}

#[test]
fn there_is_a_completion_script_for_every_shell() {
    for shell in Shell::value_variants() {
        let mut script = Vec::new();
        write_completions(*shell, &mut script).unwrap();
        let script = String::from_utf8(script).unwrap();
        assert!(script.contains("max-object-size"), "{shell}");
    }
}
