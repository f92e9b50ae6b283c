//! What a verification reads and stores: log files, digests, and what is proven of each day.

use super::connection::{Cell, CellType, Value};
use super::lines::visible_nul;
use super::schema::{COVERAGE, DIGESTS, placeholders};
use super::write::{LISTED_MAX, id_list};
use super::{SqlStore, without_data};
use crate::database::DatabaseError;
use crate::database::integrity::{
    LedgerObject, NAMES_MAX, Named, NewContentHash, StoredDay, name_of,
};
use crate::database::url::Engine;
use crate::trail::integrity::hash::ContentHash;
use crate::trail::integrity::verdict::{
    Coverage, DigestState, DigestVerdict, FileProof, LedgerFile, LedgerOutcome, RememberedDigest,
};
use crate::trail::object::ObjectId;
use crate::trail::time::EventTime;

const READ: &str = "read what was verified earlier";
const STORE: &str = "store what was verified";

/// How many columns `import_digests` has.
const DIGESTS_WIDTH: usize = DIGESTS.columns.len();

/// How many columns `import_coverage` has.
const COVERAGE_WIDTH: usize = COVERAGE.columns.len();

impl SqlStore {
    /// Returns some of the URIs that begin with `below`, in the order of their ids, from the first one
    /// after `after`: at most [`NAMES_MAX`].
    pub(super) async fn select_names(
        &self,
        named: Named,
        below: &str,
        after: Option<ObjectId>,
    ) -> Result<Vec<(ObjectId, String)>, DatabaseError> {
        let table = match named {
            Named::Objects => "import_objects",
            Named::Digests => "import_digests",
        };
        let query = format!(
            "SELECT id, uri FROM {table} WHERE id > ?id AND SUBSTR(uri, 1, ?int) = ? ORDER BY id \
             LIMIT {NAMES_MAX}"
        );
        let query = self.with_length(&query);
        let after = after.unwrap_or(ObjectId([0; 32]));
        let length = below.chars().count() as u64;
        let values = [Value::Id(&after), Value::count(length), Value::Text(Some(below))];
        let types = [CellType::Bytes, CellType::Text];
        let rows = self.query(READ, &query, &values, &types).await?;
        let read = |row: Vec<Cell>| {
            let [id, uri] = <[_; 2]>::try_from(row).expect("the query selects two columns");
            Some((ObjectId(id.into_bytes().try_into().ok()?), uri.into_text()))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Returns the objects of a folder that the ledger has.
    pub(super) async fn select_ledger_objects(
        &self,
        folder: &str,
    ) -> Result<Vec<LedgerObject>, DatabaseError> {
        let query = "SELECT id, uri, outcome, kind, reason, digest, content_sha256 \
             FROM import_objects WHERE id >= ?id AND id <= ?id";
        let query = placeholders(self.driver.engine(), query);
        let (first, last) = ObjectId::range_of_folder(folder);
        let mut types = [CellType::Text; 7];
        types[0] = CellType::Bytes;
        let rows = self.query(READ, &query, &[Value::Id(&first), Value::Id(&last)], &types).await?;
        let objects = rows.into_iter().filter_map(ledger_object);
        // Another folder may have the same hash of eight bytes.
        let is_inside = |uri: &str| uri.rsplit_once('/').is_some_and(|(own, _)| own == folder);
        Ok(objects.filter(|it| is_inside(&it.file.uri)).collect())
    }

    /// Returns the digests of a folder that earlier verifications stored.
    pub(super) async fn select_digests(
        &self,
        folder: &str,
    ) -> Result<Vec<RememberedDigest>, DatabaseError> {
        let query = "SELECT uri, state, start_time, content_sha256, signature, previous_bucket, \
             previous_key, proofs, reason, named_count, proven_count FROM import_digests \
             WHERE id >= ?id AND id <= ?id";
        let query = placeholders(self.driver.engine(), query);
        let (first, last) = ObjectId::range_of_folder(folder);
        let mut types = [CellType::Text; 11];
        types[9..].fill(CellType::Int);
        let rows = self.query(READ, &query, &[Value::Id(&first), Value::Id(&last)], &types).await?;
        Ok(rows.into_iter().map(remembered_digest).collect())
    }

    /// Stores hashes of contents that were loaded without them.
    pub(super) async fn update_content_hashes(
        &self,
        hashes: &[NewContentHash],
    ) -> Result<(), DatabaseError> {
        let update = "UPDATE import_objects SET content_sha256 = ? WHERE id = ?id AND digest = ?";
        let update = placeholders(self.driver.engine(), update);
        let mut pooled = self.connection(STORE).await?;
        let session = pooled.connection.session();
        let storing = async {
            let connection = &mut *pooled.connection;
            connection.begin().await?;
            for hash in hashes {
                let content = hash.content.to_string();
                let stored = Value::Text(Some(&hash.stored_sha256));
                let values = [Value::Text(Some(&content)), Value::Id(&hash.id), stored];
                connection.execute(&update, &values).await?;
            }
            connection.run("COMMIT").await
        };
        let outcome = self.in_time(STORE, session, self.statement_limit(), storing).await;
        self.put_back(pooled, outcome).map_err(|error| without_data(error, STORE))
    }

    /// Stores the verdict on a day, in place of an earlier one.
    pub(super) async fn replace_day(&self, day: &StoredDay<'_>) -> Result<(), DatabaseError> {
        let mut pooled = self.connection(STORE).await?;
        let session = pooled.connection.session();
        let storing = async {
            let connection = &mut *pooled.connection;
            connection.begin().await?;
            let digests: Vec<(ObjectId, Texts, &DigestVerdict)> =
                day.digests.iter().map(|it| (name_of(&it.uri), Texts::of(it), *it)).collect();
            let engine = self.driver.engine();
            let ids: Vec<ObjectId> = digests.iter().map(|(id, ..)| *id).collect();
            let coverage_id = [name_of(&day.folder)];
            let lines = ids.chunks(LISTED_MAX).map(|ids| ("import_digests", ids));
            for (table, ids) in lines.chain([("import_coverage", &coverage_id[..])]) {
                let (list, values) = id_list(ids);
                let delete = format!("DELETE FROM {table} WHERE id IN ({list})");
                connection.execute(&placeholders(engine, &delete), &values).await?;
            }
            let verified_at = day.verified_at.to_string();
            let mut lines = digests
                .iter()
                .map(|(id, texts, verdict)| digest_line(id, texts, verdict, &verified_at));
            self.insert(connection, &DIGESTS, &mut lines).await?;
            let date = day.coverage.day.to_string();
            let line = coverage_line(
                &coverage_id[0],
                &day.account_folder,
                &date,
                day.coverage,
                &verified_at,
            );
            self.insert(connection, &COVERAGE, &mut std::iter::once(line)).await?;
            let missing = "UPDATE import_digests SET missing_since = ? \
                 WHERE id = ?id AND missing_since IS NULL";
            let missing = placeholders(engine, missing);
            for uri in day.deleted {
                let values = [Value::Text(Some(&verified_at)), Value::Id(&name_of(uri))];
                connection.execute(&missing, &values).await?;
            }
            connection.run("COMMIT").await
        };
        let outcome = self.in_time(STORE, session, self.statement_limit(), storing).await;
        self.put_back(pooled, outcome).map_err(|error| without_data(error, STORE))
    }

    /// Returns a query whose placeholder `?int` is the third argument of SUBSTR: PostgreSQL has none with a
    /// bigint.
    fn with_length(&self, query: &str) -> String {
        let integer = if self.driver.engine() == Engine::Postgres { "?::int" } else { "?" };
        placeholders(self.driver.engine(), &query.replace("?int", integer))
    }
}

fn ledger_object(row: Vec<Cell>) -> Option<LedgerObject> {
    let [id, uri, outcome, kind, reason, stored_sha256, content] =
        <[_; 7]>::try_from(row).expect("the query selects seven columns");
    let content = content.into_optional_text().and_then(|it| ContentHash::parse(&it));
    let outcome = match &*outcome.into_text() {
        "loaded" | "changed" => LedgerOutcome::Loaded(content),
        "skipped" => LedgerOutcome::Skipped(kind.into_optional_text().unwrap_or_default()),
        _ => LedgerOutcome::Failed(reason.into_optional_text().unwrap_or_default()),
    };
    Some(LedgerObject {
        id: ObjectId(id.into_bytes().try_into().ok()?),
        stored_sha256: stored_sha256.into_text(),
        file: LedgerFile { uri: uri.into_text(), outcome },
    })
}

fn remembered_digest(row: Vec<Cell>) -> RememberedDigest {
    let [uri, state, start, sha256, signature, bucket, key, proofs, reason, named, proven] =
        <[_; 11]>::try_from(row).expect("the query selects eleven columns");
    let is_proven = state.into_text() == "proven";
    let proofs = FileProof::parse_all(&proofs.into_optional_text().unwrap_or_default());
    let (named, proven) = (named.into_int(), proven.into_int());
    RememberedDigest {
        uri: uri.into_text(),
        is_proven,
        start: start.into_optional_text().and_then(|it| EventTime::parse(&it)),
        sha256: sha256.into_optional_text().and_then(|it| ContentHash::parse(&it)),
        signature: signature.into_optional_text(),
        previous: bucket.into_optional_text().zip(key.into_optional_text()),
        is_replaced: is_proven && reason.into_optional_text().is_some(),
        is_all_proven: is_proven && named == proven && usize::try_from(named) == Ok(proofs.len()),
        proofs,
    }
}

/// The texts of a line that are made from a verdict.
struct Texts {
    account: String,
    region: String,
    trail: Option<String>,
    home_region: Option<String>,
    start: Option<String>,
    end: Option<String>,
    verified_by: Option<&'static str>,
    reason: Option<String>,
    sha256: Option<String>,
    proofs: Option<String>,
}

impl Texts {
    fn of(verdict: &DigestVerdict) -> Self {
        let chain = verdict.name.as_ref().map(|name| &name.chain);
        let time = |time: EventTime| format!("{}Z", time.to_string().replace(' ', "T"));
        let (verified_by, reason) = match &verdict.state {
            DigestState::Proven(by) => {
                let replaced = verdict.replaced_by();
                let reason = |by| format!("another content or signature is named by {by}");
                (Some(by.name()), replaced.map(|by| visible_nul(&reason(by))))
            }
            DigestState::Unreadable(reason) => (None, Some(visible_nul(reason))),
            _ => (None, None),
        };
        let proofs = FileProof::write_all(&verdict.proofs);
        Self {
            account: chain.map(|it| it.account.clone()).unwrap_or_default(),
            region: chain.map(|it| it.region.clone()).unwrap_or_default(),
            trail: chain.map(|it| visible_nul(&it.trail)),
            home_region: chain.map(|it| visible_nul(&it.home_region)),
            start: verdict.start.map(time),
            end: verdict.name.as_ref().map(|name| time(name.end)),
            verified_by,
            reason,
            sha256: verdict.sha256.map(|it| it.to_string()),
            proofs: Some(proofs).filter(|it| !it.is_empty()),
        }
    }
}

fn digest_line<'v>(
    id: &'v ObjectId,
    texts: &'v Texts,
    verdict: &'v DigestVerdict,
    verified_at: &'v str,
) -> [Value<'v>; DIGESTS_WIDTH] {
    let text = |text: &'v Option<String>| Value::Text(text.as_deref());
    let previous = verdict.previous.as_ref();
    let is_backfill = verdict.name.as_ref().is_some_and(|name| name.chain.is_backfill);
    let files = &verdict.files;
    [
        Value::Id(id),
        Value::Text(Some(&verdict.uri)),
        Value::Text(Some(&texts.account)),
        Value::Text(Some(&texts.region)),
        text(&texts.trail),
        text(&texts.home_region),
        Value::Int(i64::from(is_backfill)),
        text(&texts.start),
        text(&texts.end),
        Value::Text(Some(verdict.state.name())),
        Value::Text(texts.verified_by),
        text(&texts.reason),
        text(&texts.sha256),
        text(&verdict.signature),
        Value::Text(previous.map(|(bucket, _)| &**bucket)),
        Value::Text(previous.map(|(_, key)| &**key)),
        Value::count(files.named),
        Value::count(files.proven),
        Value::count(files.changed),
        Value::count(files.not_loaded),
        Value::count(files.not_imported),
        Value::count(files.gone),
        Value::count(files.not_hashed),
        text(&texts.proofs),
        Value::Text(Some(verified_at)),
        Value::Text(None),
    ]
}

fn coverage_line<'v>(
    id: &'v ObjectId,
    account_folder: &'v str,
    day: &'v str,
    coverage: &'v Coverage,
    verified_at: &'v str,
) -> [Value<'v>; COVERAGE_WIDTH] {
    let Coverage { account, region, digests, files, unnamed, .. } = coverage;
    [
        Value::Id(id),
        Value::Text(Some(account_folder)),
        Value::Text(Some(account)),
        Value::Text(Some(region)),
        Value::Text(Some(day)),
        Value::Int(i64::from(coverage.seconds)),
        Value::Int(i64::from(coverage.proven_seconds)),
        Value::count(digests.found),
        Value::count(digests.proven),
        Value::count(digests.unproven),
        Value::count(digests.wrong),
        Value::count(digests.unreadable),
        Value::count(digests.deleted),
        Value::count(files.named),
        Value::count(files.proven),
        Value::count(files.changed),
        Value::count(files.not_loaded),
        Value::count(files.not_imported),
        Value::count(files.gone),
        Value::count(files.not_hashed),
        Value::count(unnamed.pending),
        Value::count(unnamed.unproven),
        Value::count(unnamed.unexpected),
        Value::count(unnamed.other_families),
        Value::Text(Some(verified_at)),
    ]
}
