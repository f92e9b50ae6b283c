use super::*;
use crate::trail::record::{CellRules, Log, ParseLimits, parse, rebuild};

/// A record with what makes unwrapping difficult: quotes, escapes, a surrogate pair, a nested JSON string.
const A: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","userName":"Al \"A\" é😀"},"eventTime":"2023-07-10T12:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","requestParameters":{"policy":"{\"Version\":\"2012\",\"S\":[\"\\u00e9\\n\"]}"},"eventID":"a","readOnly":true}"#;
const B: &str = r#"{"eventVersion":"1.08","eventTime":"2023-07-10T12:00:01Z","eventName":"ListBuckets","eventID":"b"}"#;

fn read(bytes: &[u8]) -> Result<Log, ParseError> {
    parse(bytes, &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES)
}

fn records(bytes: &[u8]) -> Vec<String> {
    let log = read(bytes).unwrap_or_else(|error| panic!("{error}: {}", bytes.escape_ascii()));
    assert!(log.rejects.is_empty(), "{:?}", log.rejects);
    log.rows.iter().map(|row| rebuild(&row.cells, row.other_fields)).collect()
}

/// Asserts that an export has the rows of the records in a plain log, but for the members added.
fn assert_holds(export: &str, records_with_added: &[(&str, Option<&str>)]) {
    let plain: Vec<String> = records_with_added
        .iter()
        .map(|(record, added)| match added {
            Some(added) => format!("{},{added}}}", &record[..record.len() - 1]),
            None => (*record).to_owned(),
        })
        .collect();
    let plain = records(format!(r#"{{"Records":[{}]}}"#, plain.join(",")).as_bytes());
    for mark in ["", "\u{feff}"] {
        for export in [export, &export.replace('\n', "\r\n")] {
            assert_eq!(records(format!("{mark}{export}").as_bytes()), plain, "{export}");
        }
    }
}

fn event(record: &str, resources: &str) -> String {
    format!(
        r#"{{"EventId":"x","EventName":"GetObject","ReadOnly":"true","AccessKeyId":"AKIA","EventTime":"2022-02-08 09:23:37+11:00","EventSource":"s3.amazonaws.com","Username":"al","Resources":{resources},"CloudTrailEvent":{}}}"#,
        quoted(record)
    )
}

const RESOURCES: &str = r#"[{"ResourceType":"AWS::S3::Bucket","ResourceName":"b"}]"#;
const ADDED_RESOURCES: &str =
    r#""lookupResources":[{"ResourceType":"AWS::S3::Bucket","ResourceName":"b"}]"#;

#[test]
fn lookup_events_in_each_of_its_shapes() {
    let (a, b) = (event(A, RESOURCES), event(B, "[]"));
    let both = [(A, Some(ADDED_RESOURCES)), (B, None)];
    assert_holds(&format!("{{\n \"Events\": [{a},\n{b}],\n \"NextToken\": \"t\"\n}}"), &both);
    // Pages one after another, lines, and an array of events.
    let pages = format!("{{\"Events\":[{a}],\"NextToken\":\"t\"}}\n{{\"Events\":[{b}]}}\n");
    for export in [pages, format!("{a}\n{b}\n"), format!("[{a},\n{b}]")] {
        assert_holds(&export, &both);
    }
    // `--query 'Events[].CloudTrailEvent'`, as an array and as lines.
    let (a, b) = (quoted(A), quoted(B));
    for export in [format!("[\n  {a},\n  {b}\n]"), format!("{a}\n{b}\n")] {
        assert_holds(&export, &[(A, None), (B, None)]);
    }
}

#[test]
fn events_of_eventbridge() {
    let event = |record: &str| {
        format!(
            r#"{{"version":"0","id":"i","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","account":"111122223333","time":"2023-07-10T12:00:00Z","region":"us-east-1","resources":[],"detail":{record}}}"#
        )
    };
    let added = r#""eventBridge":{"version":"0","id":"i","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","account":"111122223333","time":"2023-07-10T12:00:00Z","region":"us-east-1","resources":[]}"#;
    let (a, b, both) = (event(A), event(B), [(A, Some(added)), (B, Some(added))]);
    assert_holds(&a, &both[..1]);
    // Firehose puts nothing between them.
    for export in [format!("{a}\n{b}\n"), format!("{a}{b}"), format!("[{a},{b}]")] {
        assert_holds(&export, &both);
    }
}

#[test]
fn messages_of_cloudwatch_logs() {
    let event = |record: &str| {
        let message = quoted(record);
        format!(r#"{{"id":"3","timestamp":1688990400000,"message":{message}}}"#)
    };
    let (a, b) = (event(A), event(B));
    let subscription = |events: &str| {
        format!(
            r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["f"],"logEvents":[{events}]}}"#
        )
    };
    let group = r#""owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["f"]"#;
    let own = r#""id":"3","timestamp":1688990400000"#;
    let added = format!(r#""cloudWatchLogs":{{{group},{own}}}"#);
    let both = [(A, Some(&*added)), (B, Some(&*added))];
    let control = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}"#;
    assert_holds(&subscription(&format!("{a},{b}")), &both);
    assert_holds(&format!("{control}{}{}", subscription(&a), subscription(&b)), &both);
    assert_eq!(skipped_as(control), Kind::CloudWatchLogs);

    let answer = format!(r#"{{"events":[{a},{b}],"searchedLogStreams":[],"nextToken":"t"}}"#);
    let added = format!(r#""cloudWatchLogs":{{{own}}}"#);
    assert_holds(&answer, &[(A, Some(&added)), (B, Some(&added))]);

    let row = |record: &str| {
        let message = quoted(record);
        format!(
            r#"[{{"field":"@timestamp","value":"2023"}},{{"field":"@message","value":{message}}},{{"field":"@ptr","value":"p"}}]"#
        )
    };
    let answer =
        format!(r#"{{"results":[{},{}],"statistics":{{}},"status":"Complete"}}"#, row(A), row(B));
    let added = r#""cloudWatchLogs":{"@timestamp":"2023","@ptr":"p"}"#;
    assert_holds(&answer, &[(A, Some(added)), (B, Some(added))]);

    let lines = format!("2023-07-10T12:00:00.000Z {A}\n2023-07-10T12:00:01.000Z {B}\n");
    let added =
        [0, 1].map(|n| format!(r#""cloudWatchLogs":{{"timestamp":"2023-07-10T12:00:0{n}.000Z"}}"#));
    assert_holds(&lines, &[(A, Some(&added[0])), (B, Some(&added[1]))]);
    // The message of the first one has ends of lines.
    assert_holds(
        &lines.replace(",\"event", ",\n\"event"),
        &[(A, Some(&added[0])), (B, Some(&added[1]))],
    );
}

#[test]
fn results_of_queries_of_cloudtrail_lake() {
    let (a, b) = (quoted(A), quoted(B));
    let answer = format!(
        r#"{{"QueryStatus":"FINISHED","QueryStatistics":{{"BytesScanned":1}},"QueryResultRows":[[{{"eventJson":{a}}}],[{{"EVENTJSON":{b}}}]]}}"#
    );
    assert_holds(&answer, &[(A, None), (B, None)]);
    let answer =
        format!(r#"{{"QueryResultRows":[[{{"n":"1"}},{{"eventJson":{a}}},{{"addendum":null}}]]}}"#);
    assert_holds(&answer, &[(A, Some(r#""queryResult":{"n":"1","addendum":null}"#))]);

    let cell = |record: &str| format!("\"{}\"", record.replace('"', "\"\""));
    let (a, b) = (cell(A), cell(B));
    assert_holds(&format!("eventJson\n{a}\n{b}\n"), &[(A, None), (B, None)]);
    let saved = format!("\"n\",\"eventJson\"\n\"1\",{a}\n2,{b}");
    let added = [r#""queryResult":{"n":"1"}"#, r#""queryResult":{"n":"2"}"#];
    assert_holds(&saved, &[(A, Some(added[0])), (B, Some(added[1]))]);

    for without in [
        "eventVersion,eventTime,eventName\n1,2,3\n",
        r#"{"QueryResultRows":[[{"eventName":"x"},{"n":"1"}]]}"#,
    ] {
        let error = read(without.as_bytes()).unwrap_err();
        assert!(matches!(error, ParseError::NoEventJson), "{error:?}");
    }
    for empty in ["eventJson\n", r#"{"QueryStatus":"RUNNING","QueryResultRows":[]}"#] {
        assert_eq!(skipped_as(empty), Kind::QueryResult);
    }
}

#[test]
fn the_event_history_as_csv_with_both_headers() {
    let recent = "User name,AWS access key,Event time,Event source,Event name,AWS region,\
        Source IP address,User agent,Error code,Resources,Request ID,Event ID,Read-only,Event type,\
        Recipient Account Id,Event category\n\
        al,AKIA,2021-11-30T10:21:43Z,s3.amazonaws.com,GetObject,us-east-1,192.0.2.1,\
        \"[aws-cli/2, \"\"x\"\"]\",AccessDenied,\
        \"[{\"\"resourceType\"\":\"\"AWS::S3::Bucket\"\",\"\"resourceName\"\":\"\"b\"\"}]\",r,a,true,\
        AwsApiCall,111122223333,Management\n";
    let record = r#"{"eventTime":"2021-11-30T10:21:43Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.1","userAgent":"[aws-cli/2, \"x\"]","errorCode":"AccessDenied","requestID":"r","eventID":"a","eventType":"AwsApiCall","recipientAccountId":"111122223333","userIdentity":{"userName":"al","accessKeyId":"AKIA"},"readOnly":true,"eventCategory":"Management"}"#;
    let resources = r#""lookupResources":[{"resourceType":"AWS::S3::Bucket","resourceName":"b"}]"#;
    assert_holds(recent, &[(record, Some(resources))]);
    let early = "Event ID,Event time,User name,Event name,Resource type,Resource name,\
        AWS access key,AWS region,Error code,Source IP address,Event source\n\
        b,2020-03-01T10:21:43Z,root,ConsoleLogin,,,,us-east-1,,192.0.2.1,signin.amazonaws.com\n\
        c,2020-03-01T10:21:44Z,,PutObject,AWS::S3::Bucket,b,,,,,\n";
    let records = [
        r#"{"eventTime":"2020-03-01T10:21:43Z","eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.1","eventID":"b","userIdentity":{"userName":"root"}}"#,
        r#"{"eventTime":"2020-03-01T10:21:44Z","eventName":"PutObject","eventID":"c"}"#,
    ];
    let added = r#""eventHistory":{"Resource type":"AWS::S3::Bucket","Resource name":"b"}"#;
    assert_holds(early, &[(records[0], None), (records[1], Some(added))]);
}

fn skipped_as(export: &str) -> Kind {
    match read(export.as_bytes()) {
        Err(ParseError::NotALog(kind)) => kind,
        other => panic!("{export}: {other:?}"),
    }
}

#[test]
fn exports_of_other_events_are_skipped_by_their_kind() {
    for (export, kind) in [
        (
            r#"{"detail-type":"EC2 Instance State-change Notification","detail":{"state":"running"}}"#,
            Kind::EventBridge,
        ),
        (
            r#"{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","timestamp":1,"message":"2 111 eni-1 REJECT OK"}]}"#,
            Kind::CloudWatchLogs,
        ),
        (r#"{"events":[{"timestamp":1,"message":"START RequestId: 1"}]}"#, Kind::CloudWatchLogs),
        ("2023-07-10T12:00:00.000Z {\"level\":\"info\"}\n", Kind::CloudWatchLogs),
        // Not exports of AWS at all.
        (r#"{"Events":[{"SourceIdentifier":"db","Message":"m"}]}"#, Kind::OtherJson),
        (r#"{"events":[{"type":"click"}]}"#, Kind::OtherJson),
        (r#"{"results":[{"id":1}],"status":"ok"}"#, Kind::OtherJson),
        (r#"["a","{\"b\":1}"]"#, Kind::OtherJson),
        (r#"{"detail":{"eventVersion":"1","eventID":"a"}}"#, Kind::OtherJson),
    ] {
        assert_eq!(skipped_as(export), kind, "{export}");
    }
}

#[test]
fn what_is_no_record_is_rejected_with_its_place_in_the_export() {
    let (a, b) = (event(A, "[]"), event(B, RESOURCES));
    let (json_a, json_b) = (quoted(A), quoted(B));
    let cell = format!("\"{}\"", A.replace('"', "\"\""));
    // The text of a reject; what stands at its place in the export, if that is another text.
    let cases = [
        (
            format!("{{\"Events\":[{a},17,{{\"EventId\":\"x\"}},{b}]}}"),
            vec!["17", r#"{"EventId":"x"}"#],
            2,
        ),
        (format!("{json_a}\n{json_b}\n\"no record\"\n"), vec![r#""no record""#], 2),
        (
            format!("2023-07-10T12:00:00.000Z {A}\r\n2023-07-10T12:00:01.000Z START \"x\"\r\n"),
            vec!["2023-07-10T12:00:01.000Z START \"x\""],
            1,
        ),
        (format!("n,eventJson\r\n1,{cell}\r\n2,\"none\"\r\n3\r\n"), vec!["2,\"none\"", "3"], 1),
    ];
    for (export, texts, rows) in cases {
        for (mark, damage) in [("", ""), ("\u{feff}", ""), ("", "\u{fffd}")] {
            let mut bytes =
                format!("{mark}{}", export.replace('é', &format!("é{damage}"))).into_bytes();
            if !damage.is_empty() {
                // One byte that is not UTF-8 for each U+FFFD, which has three.
                while let Some(at) = bytes.windows(3).position(|it| it == "\u{fffd}".as_bytes()) {
                    bytes.splice(at..at + 3, [0xff]);
                }
            }
            let log = read(&bytes).unwrap();
            assert_eq!((log.rows.len(), log.replaced_chars > 0), (rows, !damage.is_empty()));
            let found: Vec<&str> = log.rejects.iter().map(|it| &*it.text).collect();
            assert_eq!(found, texts);
            for reject in &log.rejects {
                let start = usize::try_from(reject.offset_bytes).unwrap();
                assert!(bytes[start..].starts_with(reject.text.as_bytes()), "{reject:?}");
            }
        }
    }
    // An object that is none is shown without the escapes of the string around it.
    let other = r#"{"x":1}"#;
    let export = format!("[{a},{}]", event(other, "[]"));
    let log = read(export.as_bytes()).unwrap();
    assert_eq!(log.rejects[0].text, other);
    assert_eq!(log.rejects[0].offset_bytes, export.find(&quoted(other)).unwrap() as u64);
}

#[test]
fn an_envelope_among_records_is_rejected_and_not_dropped() {
    let log = read(format!("{A}\n{}\n", event(B, "[]")).as_bytes()).unwrap();
    assert_eq!((log.rows.len(), log.rejects.len()), (1, 1));
    assert_eq!(log.rejects[0].reason, RejectReason::NotARecord);
}

#[test]
fn an_export_that_is_cut_off_fails() {
    let export = format!("{{\"Events\":[{}]}}", event(A, "[]"));
    for at in 1..export.len() {
        if export.is_char_boundary(at) {
            let error = read(&export.as_bytes()[..at]).unwrap_err();
            assert!(matches!(error, ParseError::CutOff { .. }), "{at}: {error:?}");
        }
    }
    let lines = format!("{}\n{}", quoted(A), &quoted(B)[..20]);
    assert!(matches!(read(lines.as_bytes()), Err(ParseError::CutOff { .. })));
}

/// What the copy takes counts, too, and what other JSON takes is nothing.
#[test]
fn an_export_stays_within_its_limit() {
    let with = |bytes_max: usize, export: &str| {
        parse(export.as_bytes(), &CellRules::ANY, ParseLimits { bytes_max, rejects_max: 10 })
    };
    let events = vec![event(A, RESOURCES); 2_003].join(",");
    let export = format!("{{\"Events\":[{events}]}}");
    assert!(matches!(with(export.len(), &export), Err(ParseError::OutOfRoom { .. })));
    assert_eq!(with(3 * export.len(), &export).unwrap().rows.len(), 2_003);

    let other = format!("[{}1]", "1,".repeat(100_000));
    assert!(matches!(with(1_000, &other), Err(ParseError::NotALog(Kind::OtherJson))));
    let commas = format!("eventJson\n{}", ",".repeat(10_000));
    assert!(matches!(with(20_000, &commas), Err(ParseError::OutOfRoom { .. })));
    // The group is repeated for each message.
    let group = "g".repeat(10_000);
    let messages = vec![r#"{"message":"{}"}"#; 1_000].join(",");
    let large = format!(
        r#"{{"messageType":"DATA_MESSAGE","logGroup":"{group}","logEvents":[{messages}]}}"#
    );
    assert!(matches!(with(1_000_000, &large), Err(ParseError::OutOfRoom { .. })));
}

#[test]
fn hostile_exports_never_panic() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let many = "\"k\":0,".repeat(1_000);
    let shapes = [
        event(A, "[]"),
        format!("{{\"Events\":[{}]}}", event(B, &deep(20_000))),
        format!("{{{many}\"CloudTrailEvent\":{}}}", quoted(A)),
        format!(r#"{{"detail-type":{},"detail":{A}}}"#, deep(20_000)),
        format!(r#"{{"results":[[{{"field":"@message","value":{}}}]]}}"#, quoted(A)),
        format!(r#"{{"QueryResultRows":[[{{"eventJson":{}}}]]}}"#, quoted(&deep(20_000))),
        format!(
            "2023-07-10T12:00:00.000Z {A}\n2023-07-10T12:00:00.000Z\n2023-07-10T12:00:00.000Z \n"
        ),
        "eventJson\n\"{}\"\n\"\n".to_owned(),
        "User name,Event time,Event source,Event name,Event ID\n,,,,\n\"\"\"\r\r\n".to_owned(),
        r#"{"CloudTrailEvent":"\ud800{\"eventID\":1}"}"#.to_owned(),
        r#"{"Events":[{"CloudTrailEvent":null},{"CloudTrailEvent":1}]}"#.to_owned(),
        "\"{\\\"eventID\\\":1,\\\"eventTime\\\":1}\" 17 x".to_owned(),
    ];
    let mut random = fastrand::Rng::with_seed(7);
    for shape in shapes {
        drop(read(shape.as_bytes()));
        for _ in 0..if shape.len() > 5_000 { 20 } else { 2_000 } {
            let mut bytes = shape.clone().into_bytes();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..bytes.len());
                match random.u8(..3) {
                    0 => bytes[at] = *random.choice(b"\"\\{}[]:,1\n \xff").unwrap(),
                    1 if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            drop(read(&bytes));
        }
    }
}

/// Linear in the text: 16 times the lines take 16 times as long, not 256 times.
#[cfg(target_os = "linux")]
#[test]
fn the_work_is_linear_in_the_export() {
    use nix::sys::time::TimeValLike;
    use nix::time::{ClockId, clock_gettime};

    // Not `getrusage`: where it counts ticks, a short work takes no time at all.
    let thread_cpu = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let cpu_us = || clock_gettime(thread_cpu).unwrap().num_microseconds();
    let cell = format!("\"{}\"\n", B.replace('"', "\"\""));
    for (head, line) in [
        ("", format!("2023-07-10T12:00:00.000Z {B}\n")),
        ("", event(B, "[]") + "\n"),
        ("", quoted(B) + "\n"),
        ("eventJson\n", cell),
    ] {
        let read_us = |lines: usize| {
            let export = head.to_owned() + &line.repeat(lines);
            let took_us = (0..3).map(|_| {
                let begun_us = cpu_us();
                assert_eq!(read(export.as_bytes()).unwrap().rows.len(), lines);
                cpu_us() - begun_us
            });
            took_us.min().unwrap().max(1)
        };
        let (few_us, many_us) = (read_us(500), read_us(8_000));
        assert!(many_us < few_us * 64, "{line}: {few_us} and {many_us} us");
    }
}
