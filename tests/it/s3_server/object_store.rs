//! Buckets in memory, which the server reads.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use md5::{Digest, Md5};
use s3s::dto::{
    CommonPrefix, ETag, ETagCondition, EncodingType, GetBucketLocationInput,
    GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object, StreamingBlob,
};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};

// S3: ListObjectsV2 returns at most 1,000 keys, even if more are requested.
const PAGE_KEYS_MAX: i32 = 1_000;

type Bucket = BTreeMap<String, Stored>;

/// An object. Its `ETag` is computed when it is put, because that is slow in a debug build.
#[derive(Debug, Clone)]
struct Stored {
    bytes: Bytes,
    e_tag: ETag,
    metadata: HashMap<String, String>,
}

impl Stored {
    fn new(bytes: Vec<u8>, metadata: HashMap<String, String>) -> Self {
        let hash = Md5::digest(&bytes);
        let e_tag = hash.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        Self { bytes: bytes.into(), e_tag: ETag::Strong(e_tag), metadata }
    }

    fn size_bytes(&self) -> i64 {
        i64::try_from(self.bytes.len()).unwrap()
    }
}

/// All buckets.
#[derive(Debug, Clone, Default)]
pub(super) struct ObjectStore {
    buckets: Arc<Mutex<BTreeMap<String, Bucket>>>,
    ignores_if_match: Arc<AtomicBool>,
    order: Arc<Mutex<Order>>,
}

/// The order in which objects are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// That of S3.
    #[default]
    Ascending,
    Descending,
    /// After the last page, the first one comes again.
    Circle,
}

impl ObjectStore {
    pub(super) fn make_bucket(&self, bucket: &str) {
        self.buckets.lock().unwrap().entry(bucket.to_owned()).or_default();
    }

    pub(super) fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: Vec<u8>,
        metadata: HashMap<String, String>,
    ) {
        let stored = Stored::new(bytes, metadata);
        let mut buckets = self.buckets.lock().unwrap();
        buckets.entry(bucket.to_owned()).or_default().insert(key.to_owned(), stored);
    }

    pub(super) fn clear(&self) {
        self.buckets.lock().unwrap().clear();
    }

    pub(super) fn remove(&self, bucket: &str, key: &str) {
        self.buckets.lock().unwrap().get_mut(bucket).unwrap().remove(key).unwrap();
    }

    pub(super) fn ignore_if_match(&self) {
        self.ignores_if_match.store(true, Ordering::Relaxed);
    }

    pub(super) fn set_order(&self, order: Order) {
        *self.order.lock().unwrap() = order;
    }

    /// Gives all objects a new `ETag` that looks like an MD5.
    pub(super) fn set_opaque_e_tags(&self) {
        for bucket in self.buckets.lock().unwrap().values_mut() {
            for stored in bucket.values_mut() {
                let ETag::Strong(e_tag) = &mut stored.e_tag else { unreachable!() };
                *e_tag = e_tag.chars().rev().collect();
            }
        }
    }

    fn read<T>(&self, bucket: &str, read: impl FnOnce(&Bucket) -> S3Result<T>) -> S3Result<T> {
        match self.buckets.lock().unwrap().get(bucket) {
            Some(bucket) => read(bucket),
            None => Err(s3_error!(NoSuchBucket)),
        }
    }

    fn get(&self, bucket: &str, key: &str, if_match: Option<&ETagCondition>) -> S3Result<Stored> {
        let stored = self
            .read(bucket, |bucket| bucket.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey)))?;
        match if_match {
            Some(ETagCondition::ETag(wanted)) if *wanted != stored.e_tag => {
                Err(s3_error!(PreconditionFailed))
            }
            _ => Ok(stored),
        }
    }
}

#[async_trait::async_trait]
impl S3 for ObjectStore {
    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.read(&request.input.bucket, |_| Ok(S3Response::new(HeadBucketOutput::default())))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let stored = self.get(&request.input.bucket, &request.input.key, None)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(stored.size_bytes()),
            e_tag: Some(stored.e_tag),
            ..HeadObjectOutput::default()
        }))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, if_match, range, .. } = request.input;
        let is_heeded = !self.ignores_if_match.load(Ordering::Relaxed);
        let if_match = if_match.as_ref().filter(|_| is_heeded);
        let stored = self.get(&bucket, &key, if_match)?;
        let whole = stored.bytes.len();
        // Answers `InvalidRange` to a range that begins beyond the end, as S3 does.
        let range = range.map(|range| range.check(whole as u64)).transpose()?;
        let content_range =
            range.as_ref().map(|range| format!("bytes {}-{}/{whole}", range.start, range.end - 1));
        let bytes = range.map_or(stored.bytes.clone(), |range| {
            let index = |at: u64| usize::try_from(at).unwrap();
            stored.bytes.slice(index(range.start)..index(range.end))
        });
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(i64::try_from(bytes.len()).unwrap()),
            content_range,
            e_tag: Some(stored.e_tag),
            metadata: Some(stored.metadata),
            body: Some(StreamingBlob::from(Body::from(bytes))),
            ..GetObjectOutput::default()
        }))
    }

    /// Answers as in `us-east-1`, which has no name here.
    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.read(&request.input.bucket, |_| {
            Ok(S3Response::new(GetBucketLocationOutput { location_constraint: None }))
        })
    }

    /// Lists as the AWS CLI still does.
    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let ListObjectsInput { bucket, prefix, marker, max_keys, encoding_type, .. } =
            request.input;
        assert!(request.input.delimiter.is_none(), "no test needs folders in this listing");
        let listed = self.read(&bucket, |objects| {
            let input = ListObjectsV2Input {
                bucket: bucket.clone(),
                prefix,
                start_after: marker,
                max_keys,
                encoding_type,
                ..ListObjectsV2Input::default()
            };
            Ok(list(objects, input))
        })?;
        Ok(S3Response::new(ListObjectsOutput {
            name: listed.name,
            prefix: listed.prefix,
            is_truncated: listed.is_truncated,
            max_keys: listed.max_keys,
            encoding_type: listed.encoding_type,
            contents: listed.contents,
            ..ListObjectsOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let bucket = request.input.bucket.clone();
        let order = *self.order.lock().unwrap();
        self.read(&bucket, |bucket| {
            let mut output = list(bucket, request.input);
            match order {
                Order::Ascending => {}
                Order::Descending => output.contents.iter_mut().for_each(|all| all.reverse()),
                Order::Circle if output.is_truncated == Some(true) => {}
                Order::Circle => {
                    output.is_truncated = Some(true);
                    output.next_continuation_token = Some("!".into());
                }
            }
            Ok(S3Response::new(output))
        })
    }
}

fn list(bucket: &Bucket, input: ListObjectsV2Input) -> ListObjectsV2Output {
    let is_encoded =
        input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
    let shown = |key: &str| if is_encoded { encoded(key) } else { key.to_owned() };
    let prefix = input.prefix.clone().unwrap_or_default();
    let max_keys = input.max_keys.unwrap_or(PAGE_KEYS_MAX).clamp(0, PAGE_KEYS_MAX);
    let after = input.continuation_token.as_deref().map(decoded).or(input.start_after.clone());
    let start = after.clone().map_or(Bound::Unbounded, Bound::Excluded);

    let mut output = ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(shown(&prefix)),
        max_keys: Some(max_keys),
        delimiter: input.delimiter.clone(),
        encoding_type: input.encoding_type,
        is_truncated: Some(false),
        ..ListObjectsV2Output::default()
    };
    let (mut contents, mut rolled) = (Vec::new(), Vec::<String>::new());
    let mut last = None;
    for (key, stored) in bucket.range::<String, _>((start, Bound::Unbounded)) {
        let Some(rest) = key.strip_prefix(&prefix) else { continue };
        let roll = input.delimiter.as_deref().and_then(|delimiter| {
            rest.find(delimiter).map(|at| key[..prefix.len() + at + delimiter.len()].to_owned())
        });
        // All of a rolled-up prefix counts once, on this page or on the one before.
        if roll.is_some() && (rolled.last() == roll.as_ref() || after == roll) {
            continue;
        }
        if i32::try_from(contents.len() + rolled.len()).unwrap() == max_keys {
            output.is_truncated = Some(true);
            output.next_continuation_token = last.as_deref().map(encoded);
            break;
        }
        last = Some(roll.clone().unwrap_or_else(|| key.clone()));
        match roll {
            Some(roll) => rolled.push(roll),
            None => contents.push(Object {
                key: Some(shown(key)),
                size: Some(stored.size_bytes()),
                e_tag: Some(stored.e_tag.clone()),
                ..Object::default()
            }),
        }
    }
    output.key_count = Some(i32::try_from(contents.len() + rolled.len()).unwrap());
    output.contents = Some(contents);
    let common = |prefix: &String| CommonPrefix { prefix: Some(shown(prefix)) };
    output.common_prefixes = Some(rolled.iter().map(common).collect());
    output
}

/// Writes a key as S3 does in listings: a space is `+`, a slash stays.
fn encoded(key: &str) -> String {
    key.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b' ' => text.push('+'),
            b'/' | b'-' | b'_' | b'.' | b'*' => text.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => text.push(byte.into()),
            _ => write!(text, "%{byte:02X}").unwrap(),
        }
        text
    })
}

/// Reads a key in a path, or a token of ours.
pub(super) fn decoded(text: &str) -> String {
    // As a form's value; `&` ends one, and both writers escape it.
    let form = format!("k={text}");
    let (_, key) = url::form_urlencoded::parse(form.as_bytes()).next().unwrap();
    key.into_owned()
}
