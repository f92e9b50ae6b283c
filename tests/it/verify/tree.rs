//! A trail's objects, as CloudTrail delivers them.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::label::label;
use super::signing::{DigestPlan, SignedDigest, Signer, sha256};
use crate::logs::{gz, log_json};
use crate::s3_server::S3Server;

/// What most scenarios have.
pub const BUCKET: &str = "trail";
pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "eu-central-1";
pub const TRAIL: &str = "main";

/// The first digest ends here: eight hours reach over midnight.
const FIRST_END: &str = "2026-01-15T20:57:31Z";

/// The hours of most scenarios.
pub const HOURS: i64 = 8;

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub bytes: Vec<u8>,
    /// Without the `x-amz-meta-` of the HTTP header.
    pub metadata: Vec<(&'static str, String)>,
}

/// Objects by bucket and key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    pub objects: BTreeMap<(String, String), Object>,
}

impl Tree {
    /// A trail of eight hours, signed with the first key.
    pub fn trail() -> Self {
        let mut tree = Self::default();
        tree.deliver(&Signer::first(), &hours(HOURS));
        tree
    }

    /// Delivers digests, each naming the one before, and the log files that they name.
    pub fn deliver(&mut self, signer: &Signer, plans: &[DigestPlan]) {
        let mut previous = None;
        for plan in plans {
            previous = Some(self.deliver_after(signer, plan, previous.as_ref()));
        }
    }

    /// Delivers a digest that follows `previous`.
    pub fn deliver_after(
        &mut self,
        signer: &Signer,
        plan: &DigestPlan,
        previous: Option<&SignedDigest>,
    ) -> SignedDigest {
        let digest = signer.digest(plan, previous);
        for (key, _) in &plan.files {
            self.put(&plan.bucket, key, gz(&content_of(key)));
        }
        self.put_digest(plan, &digest);
        digest
    }

    /// Delivers a digest without its log files.
    pub fn put_digest(&mut self, plan: &DigestPlan, digest: &SignedDigest) {
        let mut metadata = vec![
            ("signature", digest.signature.clone()),
            ("signature-algorithm", "SHA256withRSA".to_owned()),
        ];
        if !plan.suffix.is_empty() {
            metadata.push(("backfill-generation-timestamp", "2026-01-16T05:00:00Z".to_owned()));
        }
        let object = Object { bytes: gz(digest.content.as_bytes()), metadata };
        self.objects.insert((digest.bucket.clone(), digest.key.clone()), object);
    }

    /// Puts an object without metadata.
    pub fn put(&mut self, bucket: &str, key: &str, bytes: Vec<u8>) {
        let object = Object { bytes, metadata: vec![] };
        self.objects.insert((bucket.to_owned(), key.to_owned()), object);
    }

    /// Puts a log file that no digest names.
    pub fn put_log(&mut self, time: &str, unique: &str) {
        let key = log_key(&DigestPlan::hour(FIRST_END), time, unique);
        self.put(BUCKET, &key, gz(&content_of(&key)));
    }

    /// Returns the bucket and key of the file with this label.
    pub fn place_of(&self, of: &str) -> (String, String) {
        let mut places = self.objects.keys().filter(|(_, key)| label(key) == of);
        let place = places.next().unwrap_or_else(|| panic!("no {of}")).clone();
        assert!(places.next().is_none(), "{of} is not unique");
        place
    }

    pub fn get(&mut self, of: &str) -> &mut Object {
        let place = self.place_of(of);
        self.objects.get_mut(&place).unwrap()
    }

    pub fn delete(&mut self, of: &str) -> Object {
        let place = self.place_of(of);
        self.objects.remove(&place).unwrap()
    }

    /// Changes the content of a digest and keeps its signature.
    pub fn edit_digest(&mut self, of: &str, edit: impl Fn(&mut String)) {
        let object = self.get(of);
        let mut content = String::from_utf8(unpacked(&object.bytes)).unwrap();
        let before = content.clone();
        edit(&mut content);
        assert_ne!(content, before, "{of} was not changed");
        object.bytes = gz(content.as_bytes());
    }

    /// Takes the metadata away, as a copy to a disk does.
    pub fn strip(&mut self) {
        self.objects.values_mut().for_each(|object| object.metadata.clear());
    }

    /// Moves everything to another bucket and below another prefix.
    pub fn move_to(&mut self, bucket: &str, prefix: &str) {
        let objects = std::mem::take(&mut self.objects).into_iter();
        self.objects = objects
            .map(|((_, key), object)| ((bucket.to_owned(), format!("{prefix}{key}")), object))
            .collect();
    }

    /// Puts all objects into a server.
    pub fn put_into(&self, server: &S3Server) {
        for ((bucket, key), object) in &self.objects {
            let metadata = object.metadata.iter().map(|(name, value)| (*name, &**value));
            server.put_with_metadata(bucket, key, object.bytes.clone(), metadata);
        }
    }
}

/// Returns digests of `count` hours after each other, with a log file in the middle of each hour and two
/// around midnight.
pub fn hours(count: i64) -> Vec<DigestPlan> {
    hours_of(&DigestPlan::hour(FIRST_END), count)
}

/// Returns the same of another trail, account or region, of which `first` is the first digest.
pub fn hours_of(first: &DigestPlan, count: i64) -> Vec<DigestPlan> {
    let plans = (0..count).map(|hour| {
        let mut plan = first.after(hour * 3_600);
        let middle = plan.end - SignedDuration::from_secs(1_951);
        // Two trails in one bucket share a folder.
        let unique = if plan.trail == TRAIL { "a" } else { "b" };
        let mut keys = vec![log_key(&plan, &middle.to_string(), unique)];
        let end = plan.end.to_string();
        if end.contains("15T23") {
            // Delivered before the end, and its name is rounded into the next day.
            keys.push(log_key(&plan, "2026-01-16T00:00:00Z", &format!("up-{unique}")));
        }
        if end.contains("16T00") {
            // Delivered after the end of the digest before, and its name is rounded down.
            keys.push(log_key(&plan, "2026-01-15T23:55:00Z", &format!("down-{unique}")));
        }
        plan.files = keys.into_iter().map(|key| (key.clone(), sha256(&content_of(&key)))).collect();
        plan
    });
    plans.collect()
}

/// Returns the first digest of the usual trail, to be changed to that of another.
pub fn first_hour() -> DigestPlan {
    DigestPlan::hour(FIRST_END)
}

/// Returns the key of a log file beside the digests of `plan`.
fn log_key(plan: &DigestPlan, time: &str, unique: &str) -> String {
    let DigestPlan { prefix, organization, account, region, .. } = plan;
    let day = time[..10].replace('-', "/");
    let time = time.replace(['-', ':'], "");
    format!(
        "{prefix}AWSLogs/{organization}{account}/CloudTrail/{region}/{day}/\
         {account}_CloudTrail_{region}_{}Z_{unique}.json.gz",
        &time[..13]
    )
}

/// Returns the content of a log file: two records of its own.
pub fn content_of(key: &str) -> Vec<u8> {
    let id = &sha256(key.as_bytes())[..32];
    log_json(&[&format!("{id}-1"), &format!("{id}-2")])
}

/// Returns the content of a gzip file.
pub fn unpacked(gzip: &[u8]) -> Vec<u8> {
    cloudtrail2sql::trail::gzip::decode(gzip, 1 << 20).unwrap().into_owned()
}
