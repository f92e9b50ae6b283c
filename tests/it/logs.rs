//! Log files made for a test, as small as they can be.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Returns a log file of one record for each event ID, as JSON.
pub fn log_json(event_ids: &[&str]) -> Vec<u8> {
    let records: Vec<String> = event_ids.iter().map(|id| record(id)).collect();
    wrapper(&records)
}

/// Returns the same, compressed.
pub fn log_gz(event_ids: &[&str]) -> Vec<u8> {
    gz(&log_json(event_ids))
}

/// Returns a log file of these records, which may be anything.
pub fn wrapper(records: &[impl AsRef<str>]) -> Vec<u8> {
    let records: Vec<&str> = records.iter().map(AsRef::as_ref).collect();
    format!("{{\"Records\":[{}]}}", records.join(",")).into_bytes()
}

/// Returns one record.
pub fn record(event_id: &str) -> String {
    record_with(event_id, "\"readOnly\":true")
}

/// Returns one record that ends in these fields.
pub fn record_with(event_id: &str, fields: &str) -> String {
    let quoted = serde_json::to_string(event_id).unwrap();
    let event_id = &quoted[1..quoted.len() - 1];
    format!(
        "{{\"eventVersion\":\"1.08\",\"userIdentity\":{{\"type\":\"IAMUser\",\"userName\":\"alice\"}},\
         \"eventTime\":\"2023-07-10T11:00:00Z\",\"eventSource\":\"s3.amazonaws.com\",\
         \"eventName\":\"GetObject\",\"awsRegion\":\"us-east-1\",\
         \"sourceIPAddress\":\"198.51.100.7\",\"userAgent\":\"aws-cli/2.13\",\
         \"requestParameters\":{{\"key\":\"of {event_id}\"}},\"responseElements\":null,\
         \"requestID\":\"request of {event_id}\",\"eventID\":\"{event_id}\",\
         \"eventType\":\"AwsApiCall\",\"recipientAccountId\":\"111122223333\",{fields}}}"
    )
}

/// Returns one gzip member.
pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
