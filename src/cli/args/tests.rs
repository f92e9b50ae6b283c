use clap::error::ErrorKind;

use super::*;
use crate::cli::config::{
    CommandSettings, ConfigError, DatabaseSettings, Environment, ImportSettings, Prices, Settings,
    SourceSpec, StatusPart,
};
use crate::database::LoadMethod;
use crate::database::url::Engine;
use crate::source::s3::S3Options;
use crate::trail::filter::RecordFilter;
use crate::trail::layout::Selection;

fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
    let program = std::iter::once("cloudtrail2sql");
    Cli::from_args(program.chain(args.iter().copied()).map(OsString::from))
}

/// Resolves a whole command line in an empty environment.
fn settings(args: &[&str]) -> Result<Settings, ConfigError> {
    parse(args).unwrap().settings(&Environment::new([], "/nowhere"))
}

/// Resolves the arguments of `import`.
fn import(args: &[&str]) -> Result<ImportSettings, ConfigError> {
    match settings(&[&["import"], args].concat())?.command {
        CommandSettings::Import(import) => Ok(*import),
        other => panic!("{other:?}"),
    }
}

fn refusal(args: &[&str]) -> String {
    let error = import(args).unwrap_err();
    format!("{error}; {}", error.hint().unwrap_or_default())
}

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn an_option_that_is_not_typed_has_its_default() {
    let settings = import(&["logs"]).unwrap();
    assert_eq!(
        settings,
        ImportSettings {
            database: DatabaseSettings::resolve(None, None, &Environment::new([], "/nowhere"))
                .unwrap(),
            sources: vec![SourceSpec::Path("logs".into())],
            s3: S3Options::default(),
            follows_links: false,
            selection: Selection::default(),
            filter: RecordFilter::default(),
            shard: None,
            listers: 4,
            fetchers: cores(),
            writers: 1,
            batch_rows_max: 10_000,
            batch_bytes_max: 16 << 20,
            memory_bytes: 80 << 20,
            object_bytes_max: 256 << 20,
            load_method: LoadMethod::Insert,
            keeps_other_fields: true,
            replaces_changed: false,
            builds_indexes: true,
            prices: Prices { list: 0.005, get: 0.0004 },
            upgrades_table: false,
            exits_zero_on_losses: false,
            verifies: false,
            public_keys: Vec::new(),
        }
    );
}

/// Returns the number of cores.
fn cores() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

#[test]
fn the_default_number_of_fetchers_is_128_from_s3_and_the_cores_from_disk() {
    for (sources, expected) in [
        (&["logs"][..], cores()),
        (&["s3://acme"], cores().max(128)),
        (&["logs", "s3://acme"], cores().max(128)),
    ] {
        assert_eq!(import(sources).unwrap().fetchers, expected, "{sources:?}");
    }
}

#[test]
fn threads_that_block_follow_the_fetchers_that_were_asked_for() {
    let least = cores().max(4);
    for (args, expected) in [
        (&["index"][..], least),
        (&["import", "s3://acme"], least),
        (&["import", "--fetchers", "1", "logs"], least),
        (&["import", "--fetchers", "200", "logs"], least.max(200)),
    ] {
        assert_eq!(settings(args).unwrap().blocking_threads, expected, "{args:?}");
    }
}

#[test]
fn one_of_several_shards_builds_no_indexes() {
    for (shard, builds_indexes) in [("1/1", true), ("1/2", false), ("auto/3", false)] {
        let cli = parse(&["import", "--shard", shard, "logs"]).unwrap();
        let environment = Environment::new([("NOMAD_ALLOC_INDEX", "2")], "/nowhere");
        let CommandSettings::Import(settings) = cli.settings(&environment).unwrap().command else {
            panic!("another command")
        };
        assert_eq!(settings.builds_indexes, builds_indexes, "{shard}");
        let variable = (shard == "auto/3").then_some(("NOMAD_ALLOC_INDEX", 2));
        assert_eq!(settings.shard.unwrap().variable, variable);
    }
    assert!(parse(&["import", "--job", "x", "logs"]).is_err(), "a job without shards");
    let cli = parse(&["import", "--shard", "auto", "--job", "mine", "logs"]).unwrap();
    let variables = [("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "2"), ("CI_PIPELINE_ID", "9")];
    let settings = cli.settings(&Environment::new(variables, "/nowhere")).unwrap();
    let CommandSettings::Import(settings) = settings.command else { panic!("another command") };
    assert_eq!(settings.shard.unwrap().job.as_deref(), Some("mine"));
    let error = refusal(&["--shard", "3/2", "logs"]);
    assert!(error.starts_with("cannot use `--shard 3/2`; write it as `K/N`: "), "{error}");
}

#[test]
fn an_option_that_is_typed_is_in_the_settings() {
    let args = "--database postgres://db/logs --profile p --region r --endpoint-url http://h:1 \
                --no-sign-request --request-payer --fetchers 7 --writers 5 --batch-rows 11 \
                --batch-bytes 1MB --memory 17MiB --max-object-size 3m --load-method insert \
                --no-index --exit-zero-on-losses --no-other-fields --replace-changed --upgrade-table --follow-links s3://acme/x logs";
    let resolved = import(&args.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert_eq!(resolved.database.url.expose(), "postgres://db/logs");
    let sources: Vec<_> = resolved.sources.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["s3://acme/x", "logs"]);
    assert_eq!(
        resolved.s3,
        S3Options {
            profile: Some("p".into()),
            region: Some("r".into()),
            endpoint_url: Some("http://h:1".parse().unwrap()),
            no_sign_request: true,
            request_payer: true,
            ..S3Options::default()
        }
    );
    assert_eq!((resolved.fetchers, resolved.writers), (7, 5));
    assert_eq!((resolved.batch_rows_max, resolved.batch_bytes_max), (11, 1_000_000));
    assert_eq!((resolved.memory_bytes, resolved.object_bytes_max), (17 << 20, 3 << 20));
    assert_eq!(resolved.load_method, LoadMethod::Insert);
    assert!(!resolved.builds_indexes && resolved.upgrades_table && resolved.follows_links);
    assert!(!resolved.keeps_other_fields && resolved.replaces_changed);
    assert!(resolved.exits_zero_on_losses);
}

#[test]
fn a_dry_run_is_a_command_of_its_own() {
    let resolved = settings(&["import", "--dry-run", "logs"]).unwrap();
    assert!(matches!(resolved.command, CommandSettings::DryRun(_)), "{resolved:?}");
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
        refusal(&["--writers", "2", "logs"]),
        "`--writers 2` is not possible with SQLite, which allows one writer; omit `--writers`"
    );
    assert!(import(&["--writers", "1", "logs"]).is_ok());
}

#[test]
fn copy_is_refused_for_any_database_but_postgresql() {
    let copy = ["--load-method", "copy", "logs", "--database"];
    for (url, engine) in [("x.db", "SQLite"), ("mysql://db", "MySQL or MariaDB")] {
        assert_eq!(
            refusal(&[&copy[..], &[url]].concat()),
            format!(
                "`--load-method copy` needs PostgreSQL, but the database is {engine}; omit \
                 `--load-method`: the default is the fastest method"
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
        let refusal = refusal(&["--database", "postgres://db", flag, value, "logs"]);
        assert!(
            refusal.starts_with(&format!("`{flag} {value}` is out of range; use ")),
            "{refusal}"
        );
    }
    for flag in ["--batch-bytes", "--memory", "--max-object-size"] {
        let refusal = refusal(&[flag, "x", "logs"]);
        assert!(refusal.starts_with(&format!("`{flag} x` is not a size; ")), "{refusal}");
    }
}

#[test]
fn the_defaults_are_in_range_and_their_help_is_true() {
    let help = Cli::command().find_subcommand_mut("import").unwrap().render_help().to_string();
    for part in [
        "list at once, 1 to 64 [default: 4]",
        "fetch at once, 1 to 256 [default: 128 from S3, the number of cores from disk]",
        "write at once, 1 to 64 [default: 2 PostgreSQL, 3 MySQL/MariaDB, 1 SQLite]",
        "[default: 10000]",
        "[default: 16MiB]",
        "[default: 80MiB]",
        "[default: 256MiB]",
    ] {
        assert!(
            help.split_whitespace().collect::<Vec<_>>().join(" ").contains(part),
            "{part}: {help}"
        );
    }
    assert!(defaults::LISTERS_RANGE.contains(&defaults::LISTERS));
    assert!(defaults::FETCHERS_RANGE.contains(&defaults::FETCHERS_S3));
    assert!(defaults::WRITERS_RANGE.contains(&defaults::writers(Engine::Mysql)));
    assert!(defaults::BATCH_ROWS_RANGE.contains(&defaults::BATCH_ROWS));
    assert!(defaults::BATCH_BYTES_RANGE.contains(&defaults::BATCH_BYTES));
    assert!(defaults::MEMORY_BYTES_RANGE.contains(&defaults::MEMORY_BYTES));
    assert!(defaults::MEMORY_BYTES_RANGE.contains(&(256 << 20)));
    assert!(defaults::OBJECT_BYTES_RANGE.contains(&defaults::OBJECT_BYTES));
    assert!(defaults::STATUS_LINES_RANGE.contains(&defaults::STATUS_LINES));
}

#[test]
fn an_empty_profile_or_region_is_refused() {
    for flag in ["--profile", "--region"] {
        let refusal = refusal(&[flag, "", "logs"]);
        assert_eq!(refusal, format!("`{flag}` is empty; give `{flag}` a value, or omit it"));
    }
    assert!(
        refusal(&["--endpoint-url", "x", "logs"]).starts_with("`--endpoint-url` is not a plain")
    );
}

#[test]
fn a_source_that_is_not_valid_is_refused() {
    assert!(refusal(&["-", "-"]).starts_with("standard input can only be read once; "));
    assert!(refusal(&["-", "--shard=1/2"]).starts_with("`--shard` cannot divide standard input"));
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
        assert_eq!(cli.global.color, Color::Never);
        let console = cli.settings(&Environment::new([], "/nowhere")).unwrap().console;
        assert_eq!((console.output, console.log.form), (Form::Json, Form::Json));
        assert_eq!((console.log.is_coloured, console.log.verbosity), (false, 2));
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
    let status = |args: &[&str]| match settings(&[&["status"], args].concat())?.command {
        CommandSettings::Status(status) => Ok(status),
        other => panic!("{other:?}"),
    };
    for (args, part, lines_max) in [
        (&[][..], StatusPart::Totals, 20),
        (&["--failed"], StatusPart::Failed, 20),
        (&["--rejected", "--limit", "7"], StatusPart::Rejected, 7),
        (&["--skipped"], StatusPart::Skipped, 20),
        (&["--runs"], StatusPart::Runs, 20),
    ] {
        let settings = status(args).unwrap();
        assert_eq!((settings.part, settings.lines_max), (part, lines_max), "{args:?}");
    }
    let error: ConfigError = status(&["--limit", "0"]).unwrap_err();
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
        settings(&args.split(' ').collect::<Vec<_>>()).unwrap();
    }
}

#[test]
fn there_is_a_completion_script_for_every_shell() {
    for shell in Shell::value_variants() {
        let script = completion_script(*shell);
        assert!(script.contains("max-object-size"), "{shell}");
    }
}
