//! Hashes the contents of objects that were loaded without it.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt as _};

use super::VerifyError;
use super::shared::Shared;
use crate::database::integrity::{LedgerObject, NewContentHash};
use crate::database::ledger::sha256_hex;
use crate::source::Source;
use crate::trail::gzip::decode;
use crate::trail::integrity::hash::ContentHash;
use crate::trail::integrity::verdict::LedgerOutcome;
use crate::trail::object::{ObjectId, ObjectRef};

/// Objects that are read again at once, in one account and region. Each takes its stored and its decoded
/// bytes.
const REREAD_MAX: usize = 4;

/// Hashes that are stored in one transaction.
const STORED_MAX: usize = 256;

/// Hashes the contents that were not hashed when they were loaded, and stores the hashes. An object is
/// hashed only if its stored bytes are those that were loaded. Returns how many were read.
pub(super) async fn hash_contents(
    shared: &Shared<'_>,
    source: &dyn Source,
    ledger: &mut [LedgerObject],
    listed: &[ObjectRef],
) -> Result<u64, VerifyError> {
    let missing: Vec<usize> = (0..ledger.len())
        .filter(|at| matches!(ledger[*at].file.outcome, LedgerOutcome::Loaded(None)))
        .collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let objects: HashMap<ObjectId, &ObjectRef> =
        listed.iter().map(|object| (object.location.id(), object)).collect();
    let mut read = 0;
    for part in missing.chunks(STORED_MAX) {
        let reads = part.iter().map(|at| {
            let line = &ledger[*at];
            let object = objects.get(&line.id).copied();
            async move {
                let content = match object {
                    Some(object) => hash_content(shared, source, line, object).await?,
                    None => None,
                };
                Ok::<_, VerifyError>((*at, content))
            }
        });
        let hashed: Vec<_> = stream::iter(reads).buffered(REREAD_MAX).collect().await;
        let mut new = Vec::new();
        for hashed in hashed {
            let (at, Some(content)) = hashed? else { continue };
            read += 1;
            let line = &mut ledger[at];
            let (id, stored_sha256) = (line.id, line.stored_sha256.clone());
            new.push(NewContentHash { id, stored_sha256, content });
            line.file.outcome = LedgerOutcome::Loaded(Some(content));
        }
        if !new.is_empty() {
            shared.store.store_content_hashes(&new).await?;
        }
    }
    Ok(read)
}

/// Returns the hash of an object's content; `None` if it cannot be read, or has other bytes than those
/// that were loaded.
async fn hash_content(
    shared: &Shared<'_>,
    source: &dyn Source,
    line: &LedgerObject,
    object: &ObjectRef,
) -> Result<Option<ContentHash>, VerifyError> {
    let _permit = shared.fetch_permit().await;
    let stored = match source.fetch(object).await {
        Ok(fetched) => fetched.bytes,
        Err(error) if error.is_fatal() => return Err(error.into()),
        Err(error) => {
            tracing::warn!(cause = %error, "cannot read {} again", object.location);
            return Ok(None);
        }
    };
    if sha256_hex(&stored) != line.stored_sha256 {
        return Ok(None);
    }
    let content = decode(&stored, shared.plan.object_bytes_max).ok();
    Ok(content.map(|content| ContentHash::of(&content)))
}
