//! The logs of a trial: random, but the same for the same seed.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::logs::{gz, log_gz, wrapper};

/// What is in the logs, and the files that are none.
pub(super) struct Files {
    /// Below `logs/`.
    pub(super) by_name: Vec<(String, Vec<u8>)>,
    pub(super) rows: u64,
}

/// One of so many logs is large.
const LARGE_EVERY: usize = 40;

impl Files {
    pub(super) fn draw(random: &mut Rng, objects: usize) -> Self {
        let (mut by_name, mut rows) = (Vec::new(), 0);
        for n in 0..objects {
            let is_large = random.usize(0..LARGE_EVERY) == 0;
            let records = if is_large { random.usize(200..400) } else { random.usize(0..7) };
            rows += records as u64;
            let mut records: Vec<String> = (0..records).map(|m| record(random, n, m)).collect();
            if random.usize(0..10) == 0 {
                records.insert(0, format!("\"no record, but {n}\""));
            }
            let (folder, text) = (n % 3, wrapper(&records));
            // A few are not compressed, so that no checksum protects them.
            by_name.push(match random.usize(0..5) {
                0 => (format!("logs/{folder}/{n:04}.json"), text),
                _ => (format!("logs/{folder}/{n:04}.json.gz"), gz(&text)),
            });
        }
        let digest = r#"{"digestEndTime":"2023-07-10T12:00:00Z"}"#;
        by_name.push(("logs/1/digest.json".to_owned(), digest.into()));
        by_name.push(("logs/1/broken.json.gz".to_owned(), log_gz(&["never"])[..40].into()));
        Self { by_name, rows }
    }
}

/// Returns a record with a value for each of the 16 columns, or `null`.
fn record(random: &mut Rng, object: usize, record: usize) -> String {
    let id = format!("object {object} record {record}");
    let is_error = random.usize(0..4) == 0;
    json!({
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "userName": text(random, 20)},
        "eventTime": format!("2023-07-10T11:{:02}:{:02}Z", random.u8(0..60), random.u8(0..60)),
        "eventSource": "s3.amazonaws.com",
        "eventName": random.choice(["GetObject", "PutObject", "HeadBucket"]),
        "awsRegion": random.choice(["us-east-1", "eu-central-1"]),
        "sourceIPAddress": format!("198.51.100.{}", random.u8(..)),
        "userAgent": text(random, 60),
        "errorCode": is_error.then_some("AccessDenied"),
        "errorMessage": is_error.then(|| text(random, 200)),
        "requestParameters": parameters(random),
        "responseElements": parameters(random),
        "requestID": format!("request of {id}"),
        "eventID": id,
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    })
    .to_string()
}

/// Returns small parameters mostly, sometimes none, and sometimes so large that they fill packets.
fn parameters(random: &mut Rng) -> Value {
    let chars = match random.usize(0..30) {
        0..10 => return Value::Null,
        10 => random.usize(0..20_000),
        _ => random.usize(0..100),
    };
    json!({"key": text(random, chars)})
}

/// Returns random characters of one to four bytes in UTF-8, and those that SQL, COPY and JSON escape.
fn text(random: &mut Rng, chars: usize) -> String {
    const CHARS: [char; 20] = [
        'a', 'b', 'c', 'X', 'Y', '0', '1', ' ', '-', '/', '\\', '\'', '"', '\t', '\n', '%', 'é',
        '€', '語', '😀',
    ];
    (0..chars).map(|_| random.choice(CHARS).unwrap()).collect()
}
