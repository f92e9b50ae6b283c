use super::*;
use crate::trail::fields::{COLUMNS, FIELDS, Field, Form, column};

fn log(json: &str) -> Log {
    parse(json.as_bytes(), &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES).unwrap()
}

fn kind(json: &str) -> Kind {
    match parse(json.as_bytes(), &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES) {
        Err(ParseError::NotALog(kind)) => kind,
        other => panic!("{other:?}"),
    }
}

fn values<'a>(log: &'a Log, name: &str) -> Vec<Option<&'a str>> {
    log.rows.iter().map(|row| row.cells[column(name)]).collect()
}

fn value<'a>(log: &'a Log, name: &str) -> Option<&'a str> {
    assert_eq!(log.rows.len(), 1);
    values(log, name)[0]
}

#[test]
fn every_column_comes_from_the_field_of_its_name() {
    let fields = COLUMNS.map(|column| format!(r#""{column}":"{column} value""#)).join(",");
    let log = log(&format!(r#"{{"Records":[{{{fields},"readOnly":true}}]}}"#));
    for Field { name, form, .. } in FIELDS {
        let expected = match form {
            Form::Json => format!("\"{name} value\""),
            Form::Text => format!("{name} value"),
        };
        assert_eq!(value(&log, name), Some(&*expected));
    }
}

#[test]
fn json_columns_hold_the_text_as_it_stands_in_the_file() {
    let log = log(
        r#"{"Records":[{"eventVersion":"1","eventID":"a","userIdentity":{ "b" :1.0, "a":"\u00e9\ud83d\ude00"},
        "requestParameters":null,"responseElements":[true]}]}"#,
    );
    let text = r#"{ "b" :1.0, "a":"\u00e9\ud83d\ude00"}"#;
    assert_eq!(value(&log, "userIdentity"), Some(text));
    assert_eq!(value(&log, "requestParameters"), None);
    assert_eq!(value(&log, "responseElements"), Some("[true]"));
    assert_eq!(log.replaced_chars, 0);
}

#[test]
fn values_of_unexpected_types_are_kept_as_json_text() {
    let log =
        log(r#"[{"eventVersion":"1","eventID":{"x":[1]},"eventName":false,"eventVersion":1.10,
        "requestID":18446744073709551616000,"errorCode":[],"awsRegion":null}]"#);
    assert_eq!(value(&log, "eventID"), Some(r#"{"x":[1]}"#));
    assert_eq!(value(&log, "eventName"), Some("false"));
    assert_eq!(value(&log, "eventVersion"), Some("1.10"));
    assert_eq!(value(&log, "requestID"), Some("18446744073709551616000"));
    assert_eq!(value(&log, "errorCode"), Some("[]"));
    assert_eq!(value(&log, "awsRegion"), None);
}

#[test]
fn the_three_shapes_and_their_mixtures_are_logs() {
    let ids = ["a", "b", "c"].map(Some);
    for json in [
        r#"{"Records":[{"eventVersion":"1","eventID":"a"},{"eventVersion":"1","eventID":"b"},{"eventVersion":"1","eventID":"c"}]}"#,
        r#" [{"eventVersion":"1","eventID":"a"},{"eventVersion":"1","eventID":"b"},{"eventVersion":"1","eventID":"c"}] "#,
        "{\"eventVersion\":\"1\",\"eventID\":\"a\"}\n{\"eventVersion\":\"1\",\"eventID\":\"b\"}\r\n{\"eventVersion\":\"1\",\"eventID\":\"c\"}\n",
        "{\"Records\":[{\"eventVersion\":\"1\",\"eventID\":\"a\"}]}\n{\"Records\":[{\"eventVersion\":\"1\",\"eventID\":\"b\"},{\"eventVersion\":\"1\",\"eventID\":\"c\"}]}",
        r#"{"Records":[{"eventVersion":"1","eventID":"a"}],"note":"x","Records":[{"eventVersion":"1","eventID":"b"},{"eventVersion":"1","eventID":"c"}]}"#,
        "\u{feff}[{\"eventVersion\":\"1\",\"eventID\":\"a\"}][{\"eventVersion\":\"1\",\"eventID\":\"b\"}]{\"eventVersion\":\"1\",\"eventID\":\"c\"}",
    ] {
        assert_eq!(values(&log(json), "eventID"), ids, "{json}");
    }
}

#[test]
fn a_file_without_records_is_a_log_with_no_rows() {
    let log = log(r#"{"Records":[]}"#);
    assert_eq!((log.records(), log.rows.len()), (0, 0));
}

#[test]
fn a_record_that_is_no_object_is_rejected_alone_with_its_place_and_text() {
    let json = r#"{"Records":[{"eventVersion":"1","eventID":"a"}, 42, {"eventVersion":"1","eventID":"b"},["x"],null,"\ud800"]}"#;
    let log = log(json);
    assert_eq!(values(&log, "eventID"), [Some("a"), Some("b")]);
    assert_eq!(log.records(), 6);
    let rejects: Vec<_> = log.rejects.iter().map(|it| (it.index, it.reason, &*it.text)).collect();
    let not_an_object = RejectReason::NotAnObject;
    assert_eq!(
        rejects,
        [
            (1, not_an_object("a number"), "42"),
            (3, not_an_object("an array"), r#"["x"]"#),
            (4, not_an_object("null"), "null"),
            (5, not_an_object("a string"), r#""\ud800""#),
        ]
    );
    for reject in &log.rejects {
        let offset = usize::try_from(reject.offset_bytes).unwrap();
        assert!(json[offset..].starts_with(&reject.text));
    }
}

#[test]
fn a_line_that_is_no_object_is_rejected_alone() {
    let log = log(
        "{\"eventVersion\":\"1\",\"eventID\":\"a\"}\n17\n{\"eventVersion\":\"1\",\"eventID\":\"b\"}\n",
    );
    assert_eq!((log.rows.len(), log.rejects.len()), (2, 1));
}

#[test]
fn the_last_of_duplicate_keys_wins() {
    let log = log(
        r#"[{"eventVersion":"1","eventID":"first","eventID":"last","eventName":"x","eventName":null}]"#,
    );
    assert_eq!(value(&log, "eventID"), Some("last"));
    assert_eq!(value(&log, "eventName"), None);
}

#[test]
fn a_key_with_escapes_is_the_key_it_spells() {
    let log = log(r#"[{"event\u0049D":"a","\ud800":1,"eventName":"x"}]"#);
    assert_eq!(value(&log, "eventID"), Some("a"));
}

#[test]
fn insight_records_take_source_name_and_error_from_their_details() {
    let log = log(
        r#"{"Records":[{"eventVersion":"1","eventID":"i","eventType":"AwsCloudTrailInsight",
        "insightDetails":{"state":"Start","eventSource":"ssm.amazonaws.com",
        "eventName":"UpdateInstanceInformation","errorCode":"Denied"}},
        {"eventVersion":"1","eventID":"j","eventName":"kept","insightDetails":{"eventName":"not this"}},
        {"eventVersion":"1","eventID":"k","insightDetails":[1]},
        {"eventVersion":"1","eventID":"l","eventName":null,"insightDetails":{"eventName":"of a null"}}]}"#,
    );
    assert_eq!(values(&log, "eventSource"), [Some("ssm.amazonaws.com"), None, None, None]);
    let names = [Some("UpdateInstanceInformation"), Some("kept"), None, Some("of a null")];
    assert_eq!(values(&log, "eventName"), names);
    assert_eq!(values(&log, "errorCode"), [Some("Denied"), None, None, None]);
}

#[test]
fn aggregated_records_take_id_and_account_from_their_own_fields() {
    let log = log(r#"[{"eventVersion":"1.0","accountId":"111122223333","eventId":"g",
        "eventCategory":"Aggregated","eventType":"AwsAggregatedEvent"},
        {"eventVersion":"1","eventID":"n","accountId":"not a recipient"}]"#);
    assert_eq!(values(&log, "eventID"), [Some("g"), Some("n")]);
    assert_eq!(values(&log, "recipientAccountId"), [Some("111122223333"), None]);
}

#[test]
fn foreign_json_is_told_by_its_content() {
    for (json, expected) in [
        (r#"{"digestS3Object":"x","digestEndTime":"y","logFiles":[]}"#, Kind::Digest),
        (
            r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put"}]}"#,
            Kind::S3Notification,
        ),
        (r#"{"Records":[{"eventSource":"aws:kinesis","eventID":"x"}]}"#, Kind::LambdaEvent),
        (r#"{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0"}]}"#, Kind::LambdaEvent),
        (r#"{"fileVersion":"1.0","configurationItems":[{}]}"#, Kind::ConfigItems),
        (r#"{"name":"package","version":"1"}"#, Kind::OtherJson),
        (r#"{"Events":[{"EventId":"x","EventName":"y"}]}"#, Kind::OtherJson),
        (r#"{"EventId":"x","EventSource":"s3.amazonaws.com"}"#, Kind::OtherJson),
        ("[1,2,3]", Kind::OtherJson),
        ("[]", Kind::OtherJson),
        ("{}", Kind::OtherJson),
    ] {
        assert_eq!(kind(json), expected, "{json}");
    }
}

#[test]
fn another_services_event_among_records_is_rejected() {
    let log = log(
        r#"{"Records":[{"eventVersion":"1","eventID":"a"},{"eventSource":"aws:s3"},{"eventVersion":"1","eventID":"b"}]}"#,
    );
    assert_eq!((log.rows.len(), log.rejects.len(), log.rejects[0].index), (2, 1, 1));
}

#[test]
fn an_object_without_any_field_of_cloudtrail_is_rejected_in_every_shape() {
    for json in [
        r#"{"Records":[{"eventVersion":"1","eventID":"a"},{},{"Records":[{"eventVersion":"1","eventID":"inner"}]},{"eventID":null}]}"#,
        r#"[{"eventVersion":"1","eventID":"a"},{},{"Records":[{"eventVersion":"1","eventID":"inner"}]},{"eventID":null}]"#,
        "{\"eventVersion\":\"1\",\"eventID\":\"a\"}\n{}\n{\"foo\":1}\n{\"eventID\":null}",
    ] {
        let log = log(json);
        assert_eq!(values(&log, "eventID"), [Some("a")], "{json}");
        let reasons: Vec<_> = log.rejects.iter().map(|it| (it.index, it.reason)).collect();
        assert_eq!(reasons, [1, 2, 3].map(|index| (index, RejectReason::NotARecord)), "{json}");
    }
}

#[test]
fn offsets_are_those_of_the_decoded_bytes() {
    let records: [&[u8]; 3] = [
        b"{\"eventVersion\":\"1\",\"eventID\":\"\xff\xfe\"},",
        b"42,",
        b"{\"eventVersion\":\"1\",\"eventID\":\"a\xe2\x82\"}",
    ];
    let text = [b" [17,", &*records.concat(), b",null]"].concat();
    for mark in [&b""[..], b"\xef\xbb\xbf"] {
        let json = [mark, &text].concat();
        let log = parse(&json, &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES).unwrap();
        assert_eq!((log.rows.len(), log.replaced_chars), (2, 3));
        let found: Vec<&str> = log.rejects.iter().map(|it| &*it.text).collect();
        assert_eq!(found, ["17", "42", "null"]);
        for reject in &log.rejects {
            let start = usize::try_from(reject.offset_bytes).unwrap();
            assert!(json[start..].starts_with(reject.text.as_bytes()), "{reject:?}");
        }
    }
}

#[test]
fn more_rejects_than_are_kept_fail_the_object_with_their_number() {
    let limits = ParseLimits { rejects_max: 3, ..ParseLimits::UNBOUNDED_BYTES };
    let json = |rejects: usize| {
        format!(r#"[{{"eventVersion":"1","eventID":"a"}}{}]"#, ",1".repeat(rejects))
    };
    assert_eq!(parse(json(3).as_bytes(), &CellRules::ANY, limits).unwrap().rejects.len(), 3);
    let error = parse(json(4).as_bytes(), &CellRules::ANY, limits).unwrap_err();
    let expected = "4 of its 5 records are rejected, the first because it is not an object, but a \
                    number";
    assert_eq!(error.to_string(), expected);
    // What is not a log at all is not a failure, however many elements it has.
    let error = parse(b"[1,1,1,1,{}]", &CellRules::ANY, limits).unwrap_err();
    assert!(matches!(error, ParseError::NotALog(Kind::OtherJson)), "{error:?}");
}

#[test]
fn rows_beyond_the_limit_are_not_made() {
    let json = format!(
        "[{}{{\"eventVersion\":\"1\",\"eventID\":1}}]",
        "{\"eventVersion\":\"1\",\"eventID\":1},".repeat(100)
    );
    let row_bytes = log(&json).rows.as_copy_bytes().len();
    for json in [json.clone(), format!("{json} {json}"), json.replace("[{", "[1,{")] {
        let limits = ParseLimits { bytes_max: row_bytes - 1, ..ParseLimits::UNBOUNDED_BYTES };
        let error = parse(json.as_bytes(), &CellRules::ANY, limits).unwrap_err();
        assert!(matches!(error, ParseError::OutOfRoom { .. }), "{error:?}");
    }
    let limits = ParseLimits { bytes_max: row_bytes, ..ParseLimits::UNBOUNDED_BYTES };
    assert_eq!(parse(json.as_bytes(), &CellRules::ANY, limits).unwrap().rows.len(), 101);
    // A copy of text that is not UTF-8 counts, too.
    let bad = [b"[{\"eventVersion\":\"1\",\"eventID\":\"", &[0xff; 1_000][..], b"\"}]"].concat();
    for (bytes_max, is_enough) in [(3_000, false), (6_500, true)] {
        let limits = ParseLimits { bytes_max, ..ParseLimits::UNBOUNDED_BYTES };
        assert_eq!(parse(&bad, &CellRules::ANY, limits).is_ok(), is_enough, "{bytes_max}");
    }
}

/// Issue 11: after each line the exact pass counted the lines of the whole text.
#[cfg(target_os = "linux")]
#[test]
fn the_work_for_odd_lines_is_linear_in_the_text() {
    use nix::sys::time::TimeValLike;
    use nix::time::{ClockId, clock_gettime};

    // The time of this thread's CPU, which other programs do not change.
    // Not `getrusage`: where it counts ticks, a short work takes no time at all.
    let thread_cpu = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let cpu_us = || clock_gettime(thread_cpu).unwrap().num_microseconds();
    let parse_us = |lines: usize, odd: &str| {
        let json = "{\"eventVersion\":\"1\",\"eventID\":\"a\"}\n".repeat(lines) + odd;
        let took_us = (0..3).map(|_| {
            let begun_us = cpu_us();
            let log = parse(json.as_bytes(), &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES);
            assert_eq!(log.is_ok(), odd.ends_with('}'), "{odd}");
            cpu_us() - begun_us
        });
        took_us.min().unwrap().max(1)
    };
    for odd in ["{\"foo\":1}", "{\"event\\u0049D\":\"b\"}", "{\"eventI"] {
        let (few_us, many_us) = (parse_us(2_000, odd), parse_us(32_000, odd));
        // 16 times the lines. Quadratic work takes 256 times as long.
        assert!(many_us < few_us * 64, "{odd}: {few_us} and {many_us} us");
    }
}

#[test]
fn a_value_that_nests_too_deep_is_stored_as_a_string() {
    for (depth, replaced) in [(29, 0), (30, 1), (31, 2), (200, 2), (10_000, 2)] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let record = format!(
            r#"{{"Records":[{{"eventVersion":"1","eventID":"a","requestParameters":{{"x":{deep}}},"other":{deep}}}]}}"#
        );
        let log = log(&record);
        assert_eq!(log.replaced_chars, replaced, "{depth}");
        let parameters = value(&log, "requestParameters").unwrap();
        let text = format!(r#"{{"x":{deep}}}"#);
        let expected = if depth < 30 { text } else { serde_json::to_string(&text).unwrap() };
        assert_eq!(parameters, expected);
        let others = log.rows.iter().next().unwrap().other_fields.unwrap();
        assert_eq!(others.starts_with(r#"{"other":["#), depth <= 30, "{depth}");
    }
}

#[test]
fn what_the_columns_do_not_show_is_in_the_other_fields() {
    let log = log(
        r#"[{"eventVersion":"1","eventID":"a","readOnly":true,"errorCode":null,"apiVersion":"1",
        "eventVersion":1.08,"eventTime":"2026-01-15T09:30:00Z","userIdentity":{"type":"Root"}},
        {"eventVersion":"1","eventID":"b","eventTime":"now","userIdentity":{"type":"Root"}},
        {"eventVersion":"1","eventID":"c","userIdentity":null}]"#,
    );
    let rows: Vec<_> = log.rows.iter().collect();
    let others = r#"{"readOnly":true,"apiVersion":"1","eventVersion":1.08,"errorCode":null}"#;
    assert_eq!(rows[0].other_fields.map(str::len), Some(others.len()));
    assert!(rows[0].other_fields.unwrap().starts_with(r#"{"readOnly":true,"apiVersion":"1","#));
    assert_eq!(rows[1].other_fields, None);
    assert_eq!(rows[2].other_fields, Some(r#"{"userIdentity":null}"#));
    let times = rows.iter().map(|row| row.event_at.map(|it| it.to_string()));
    assert_eq!(times.collect::<Vec<_>>(), [Some("2026-01-15 09:30:00".to_owned()), None, None]);
    // The two identities are one, and are found at the first of their rows.
    let [identity] = log.identities[..] else { panic!("{:?}", log.identities) };
    let ids: Vec<_> = rows.iter().map(|row| row.identity_id).collect();
    assert_eq!(ids, [Some(identity.id), Some(identity.id), None]);
    assert_eq!(log.rows.row_at(identity.row_at_byte), rows[0]);

    let rules = CellRules { keeps_other_fields: false, ..CellRules::ANY };
    let json = br#"[{"eventVersion":"1","eventID":"a","readOnly":true}]"#;
    let log = parse(json, &rules, ParseLimits::UNBOUNDED_BYTES).unwrap();
    assert_eq!(log.rows.iter().next().unwrap().other_fields, None);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_and_counted() {
    let mut json = br#"{"Records":[{"eventVersion":"1","eventID":"a","userAgent":"x"#.to_vec();
    json.extend(b"\xff\xfe");
    json.extend(br#""}]}"#);
    let log = parse(&json, &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES).unwrap();
    assert_eq!(value(&log, "userAgent"), Some("x\u{fffd}\u{fffd}"));
    assert_eq!(log.replaced_chars, 2);
}

#[test]
fn what_cannot_be_read_says_why() {
    for (json, expected) in [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        (" 42 ", "JSON, but a number instead of an object or an array"),
        ("null", "JSON, but null instead of an object or an array"),
        ("PK\u{3}\u{4}", "not JSON, but a zip archive (unpack it, and import the files inside)"),
        ("hello, world, hello", "neither gzip nor JSON: starts with `hello, world`"),
        (r#"{"Records":[{"eventID":"a"},{"eventI"#, "the JSON is cut off after 36 bytes"),
        (r#"{"Records":[{"eventID":"a"}"#, "the JSON is cut off after 27 bytes"),
        ("{\"eventID\":\"a\"}\n{\"even", "the JSON is cut off after 22 bytes"),
        (r#"{"Records":[{"eventID":"a"}]} trailing"#, "not valid JSON"),
        (r#"{"Records":[{"eventID":"a" "b"}]}"#, "not valid JSON"),
        (r#"{"Records":{"eventID":"a"}}"#, "`Records` is an object, not an array"),
        (r#"{"Records":null}"#, "`Records` is null, not an array"),
    ] {
        let error =
            parse(json.as_bytes(), &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES).unwrap_err();
        assert_eq!(error.to_string(), expected, "{json}");
    }
}

#[test]
fn a_record_too_long_for_its_column_is_rejected_alone() {
    let mut rules = CellRules::ANY;
    rules.limits[column("eventName")] = CellLimit::Chars(3);
    rules.limits[column("eventID")] = CellLimit::Bytes(3);
    let json = r#"[{"eventVersion":"1","eventID":"abc"},{"eventTime":"t","eventName":"éééé"},{"eventTime":"t","eventName":"ééé"},{"eventVersion":"1","eventID":"éé"}]"#;
    let log = parse(json.as_bytes(), &rules, ParseLimits::UNBOUNDED_BYTES).unwrap();
    assert_eq!(log.rows.len(), 2);
    let reasons: Vec<_> = log.rejects.iter().map(|it| (it.index, it.reason)).collect();
    let expected = [(1, RejectReason::TooLong("eventName")), (3, RejectReason::TooLong("eventID"))];
    assert_eq!(reasons, expected);
}

#[test]
fn foreign_json_among_records_is_rejected_not_dropped() {
    let log = log(
        "{\"eventVersion\":\"1\",\"eventID\":\"a\"}\n{\"name\":\"x\"}\n[{\"eventSource\":\"aws:s3\"}]\n",
    );
    assert_eq!((log.rows.len(), log.rejects.len(), log.records()), (1, 2, 3));
}

/// What the fast pass accepts, the exact one reads in the same way.
#[test]
fn the_two_passes_agree() {
    const TEXTS: [&str; 5] = [
        r#"{"Records":[{"eventVersion":"1","eventID":"a","eventName":"b","requestParameters":{"x":[1,{}]}},{"eventVersion":"1","eventID":"c"}]}"#,
        r#"{"eventVersion":"1","eventID":"a","accountId":"1","eventCategory":"Aggregated"} {"Records":[]}"#,
        r#"[{"eventVersion":"1","insightDetails":{"eventName":"n"}},{"eventSource":"aws:s3","s3":{}}]"#,
        r#"{"digestEndTime":"x"}{"configurationItems":[]} {"eventTime":"\u00e9\ud800"}"#,
        r#"{"Records":[{"eventVersion":"1","eventID":"a"}],"Records":[{"EventSource":"x","Sns":null},{"eventVersion":"1","eventID":"b"}]}"#,
    ];
    const PARTS: [&str; 14] = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "1",
        "\\",
        "null",
        "Records",
        "eventID",
        "eventSource",
        "x",
    ];
    let mut random = fastrand::Rng::with_seed(5);
    let mut agreed = 0;
    for _ in 0..100_000 {
        let mut text = (*random.choice(&TEXTS).unwrap()).to_owned();
        for _ in 0..random.usize(..3) {
            let at = random.usize(..text.len());
            let end = (at + random.usize(..4)).min(text.len());
            text.replace_range(at..end, random.choice(PARTS).unwrap());
        }
        let is_read = assert_passes_agree(&text, &CellRules::ANY, ParseLimits::UNBOUNDED_BYTES);
        agreed += u32::from(is_read);
    }
    assert!(agreed > 10_000, "{agreed}");
}

/// What other services and other clouds write, after true samples. Some have one or two of CloudTrail's
/// names.
#[test]
fn events_that_look_like_records_stay_out() {
    for foreign in [
        // Azure: an activity log, an answer of Graph.
        r#"{"data":{},"version":"1","eventId":"x","eventType":"Microsoft.Resources"}"#,
        r#"{"id":"x","eventName":"Delete","activityDateTime":"2023","category":"UserManagement"}"#,
        // A query's answer, two rule catalogues, Windows, web analytics, an application's log.
        r#"{"took":1,"eventName":"q","hits":{"total":1}}"#,
        r#"{"eventName":"StopLogging","eventSource":"cloudtrail.amazonaws.com","mitreAttackTactics":[]}"#,
        r#"{"details":{"eventVersion":"1","eventID":"a"},"eventName":"x","eventSource":"s"}"#,
        r#"{"eventId":4624,"channel":"Security","computer":"dc1","EventRecordID":1}"#,
        r#"{"eventName":"page_view","userId":"u","properties":{}}"#,
        r#"{"eventTime":"2023-07-10T12:00:00Z","message":"started","level":"info"}"#,
        // Alibaba Cloud's ActionTrail.
        r#"{"eventId":"x","eventVersion":"1","eventSource":"ecs.aliyuncs.com","eventName":"StartInstance","eventTime":"2023","eventType":"ApiCall","acsRegion":"cn","requestId":"r","userIdentity":{}}"#,
        // SES, VPC Lattice, GuardDuty, WAF, Route 53 Resolver, AWS Config, EKS.
        r#"{"eventType":"Delivery","mail":{"messageId":"m"},"delivery":{}}"#,
        r#"{"startTime":"2023","serviceNetworkArn":"a","requestMethod":"GET","responseCode":200}"#,
        r#"{"schemaVersion":"2.0","accountId":"1","id":"i","type":"Recon:EC2","service":{"eventFirstSeen":"2023"}}"#,
        r#"{"timestamp":1,"formatVersion":1,"webaclId":"w","action":"BLOCK","httpRequest":{}}"#,
        r#"{"version":"1.100000","account_id":"1","query_name":"a.example.","query_timestamp":"2023"}"#,
        r#"{"configurationItemVersion":"1.3","configurationItemCaptureTime":"2023","resourceType":"t"}"#,
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","verb":"get"}"#,
        // Okta, Google Cloud, OCSF, Macie, AWS Health, streams of DynamoDB.
        r#"{"uuid":"u","eventType":"user.session.start","published":"2023","actor":{}}"#,
        r#"{"insertId":"i","logName":"l","protoPayload":{"methodName":"m"},"timestamp":"2023"}"#,
        r#"{"class_uid":3005,"metadata":{"uid":"u","version":"1.1.0"},"time":1}"#,
        r#"{"id":"i","type":"Policy:IAMUser","category":"POLICY","severity":{},"schemaVersion":"1.0"}"#,
        r#"{"eventArn":"a","service":"EC2","eventTypeCode":"c","eventTypeCategory":"issue","startTime":"2023"}"#,
        r#"{"eventID":"1","eventName":"INSERT","eventVersion":"1.0","eventSource":"aws:dynamodb","dynamodb":{}}"#,
        // Events of S3 and SNS in their wrappers.
        r#"{"eventVersion":"2.1","eventSource":"aws:s3","eventTime":"2023","eventName":"ObjectCreated:Put","s3":{}}"#,
        r#"{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"Message":"m"}}"#,
    ] {
        for document in
            [foreign.to_owned(), format!("[{foreign}]"), format!("{foreign}\n{foreign}")]
        {
            kind(&document);
        }
    }
}

/// The categories of CloudTrail's records, each with the fields that all of its category have.
#[test]
fn records_of_every_category_are_records() {
    for record in [
        r#"{"eventVersion":"1.08","eventTime":"2023","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventID":"a","managementEvent":true,"eventCategory":"Management"}"#,
        r#"{"eventVersion":"1.08","eventTime":"2023","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventID":"a","managementEvent":false,"eventCategory":"Data"}"#,
        r#"{"eventVersion":"1.09","eventTime":"2023","eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventID":"a","eventCategory":"NetworkActivity","vpcEndpointId":"v"}"#,
        r#"{"eventVersion":"1.07","eventTime":"2023","awsRegion":"us-east-1","eventID":"a","eventType":"AwsCloudTrailInsight","insightDetails":{"state":"Start"},"eventCategory":"Insight"}"#,
        r#"{"eventVersion":"1.0","accountId":"1","eventId":"g","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","timeWindow":{}}"#,
        // Before June 2013 there was no `eventID`.
        r#"{"eventVersion":"1.0","eventTime":"2013-05-01T00:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"StopInstances"}"#,
    ] {
        assert_eq!(log(record).rows.len(), 1, "{record}");
    }
}
