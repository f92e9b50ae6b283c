//! Where output goes, and what happens if nothing reads it.

use std::process::Stdio;

use super::small_tree;
use crate::binary::{Place, closed_pipe};
use crate::logs::log_gz;
use crate::s3_server::{ACCESS_KEY, Op, S3Server, SECRET_KEY};

#[test]
fn a_reader_that_goes_away_changes_nothing_but_the_output() {
    for (broken, code) in [(false, 0), (true, 3)] {
        let place = small_tree();
        if broken {
            place.write("AWSLogs/broken.json", "{");
        }
        // As in `cloudtrail2sql import AWSLogs | head -0`.
        let output = place.command(&["import", "AWSLogs"]).stdout(closed_pipe()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("Broken pipe"), "{stderr}");
        let run = place.run(&["status", "--output", "json"]).expect(0);
        assert_eq!(run.json()["totals"]["rows"], 7, "{}", run.shown());
    }
    let place = Place::new();
    for args in [&["completions", "bash"][..], &["--help"]] {
        let output = place.command(args).stdout(closed_pipe()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn a_log_that_nobody_reads_does_not_stop_the_import() {
    for log_format in ["text", "json"] {
        let place = small_tree();
        place.write("AWSLogs/broken.json", "{");
        // As in `cloudtrail2sql import AWSLogs 2>&1 | head -0`.
        let args = ["-v", "--log-format", log_format, "import", "AWSLogs"];
        let status = place.command(&args).stdout(Stdio::null()).stderr(closed_pipe()).status();
        assert_eq!(status.unwrap().code(), Some(3));
        let run = place.run(&["status", "--output", "json"]).expect(0);
        assert_eq!(run.json()["totals"]["rows"], 7, "{}", run.shown());
    }
}

#[test]
fn an_error_that_nobody_reads_still_has_its_exit_code() {
    let place = Place::new();
    let status = place.command(&["import", "nowhere"]).stderr(closed_pipe()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn nothing_is_coloured_unless_asked_for() {
    let mut place = small_tree();
    place.write("AWSLogs/broken.json", "{");
    let is_coloured = |place: &Place, args: &[&str]| {
        let run = place.run(&[args, &["import", "AWSLogs"]].concat()).expect(3);
        assert!(!run.stdout.contains('\x1b'), "{:?}", run.stdout);
        run.stderr.contains('\x1b')
    };
    assert!(!is_coloured(&place, &[]), "colours in a pipe");
    assert!(is_coloured(&place, &["--color", "always"]), "no colours, although asked for");
    place.set("NO_COLOR", "1");
    assert!(!is_coloured(&place, &[]));
    assert!(!is_coloured(&place, &["--color", "never"]));
}

#[test]
fn a_long_run_logs_its_progress_without_a_terminal() {
    let server = S3Server::start();
    for n in 0..41 {
        server.put("trail", &format!("{n}.json.gz"), log_gz(&["a", "b"]));
    }
    let mut place = Place::new();
    place.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    place.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    // The run is as long as it takes: no object comes before the line.
    let hold = server.hold(|call| call.op == Op::GetObject);
    let endpoint_url = server.endpoint_url();
    let args = ["import", "--fetchers", "1", "--endpoint-url", &endpoint_url, "s3://trail"];
    let mut running = place.start(&args);
    assert!(running.reaches(" of 41 objects · "), "{}", running.end().shown());
    drop(hold);
    running.end().expect(0);
}
