//! The store's requests, each repeated while it may succeed later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::connection::CellType;
use super::{SqlStore, post_load, retried};
use crate::database::answer::{RowSink, Statement};
use crate::database::dedupe::{Cursor, Duplicates, IdPage};
use crate::database::forget::{KnownObject, UriScope};
use crate::database::indexes::Index;
use crate::database::integrity::{LedgerObject, Named, NewContentHash, StoredDay};
use crate::database::status::{
    FailedObject, PartlyLoaded, RejectedRecord, RunLine, RunStart, RunTotals, SkippedObject,
    StoredRecord,
};
use crate::database::{BuiltIndexes, DatabaseError, Store, UpgradePolicy};
use crate::trail::integrity::verdict::RememberedDigest;
use crate::trail::object::ObjectId;

#[async_trait]
impl Store for SqlStore {
    async fn prepare(&self, policy: UpgradePolicy) -> Result<bool, DatabaseError> {
        let is_created = retried!(self, self.create_if_missing())?;
        retried!(self, self.prepare_schema(policy))?;
        retried!(self, self.prepare_view())?;
        Ok(is_created)
    }

    async fn has_ledger(&self) -> Result<bool, DatabaseError> {
        retried!(self, self.find_ledger())
    }

    async fn begin_run(&self, start: &RunStart) -> Result<i64, DatabaseError> {
        self.insert_run(start).await
    }

    async fn finish_run(
        &self,
        run_id: i64,
        outcome: &str,
        totals: &RunTotals,
    ) -> Result<(), DatabaseError> {
        retried!(self, self.update_run(run_id, outcome, totals))
    }

    async fn missing_indexes(&self) -> Result<Vec<Index>, DatabaseError> {
        retried!(self, self.find_missing_indexes())
    }

    async fn build_missing_indexes(self: Arc<Self>) -> Result<Vec<BuiltIndexes>, DatabaseError> {
        post_load::build_missing(self).await
    }

    async fn build_progress(&self) -> Option<String> {
        let query = self.driver.build_progress_sql()?;
        let doing = "read the progress of the index builds";
        let rows = self.query(doing, query, &[], &[CellType::Text]).await.ok()?;
        rows.into_iter().flatten().next()?.into_optional_text()
    }

    async fn cancel_statements(&self) {
        self.cancel_cancellable().await;
    }

    async fn ledger_totals(&self) -> Result<RunTotals, DatabaseError> {
        retried!(self, self.select_ledger_totals())
    }

    async fn runs(&self, lines_max: u32) -> Result<Vec<RunLine>, DatabaseError> {
        retried!(self, self.select_runs(lines_max))
    }

    async fn failed_objects(&self, lines_max: u32) -> Result<Vec<FailedObject>, DatabaseError> {
        retried!(self, self.select_failed_objects(lines_max))
    }

    async fn skipped_objects(&self, lines_max: u32) -> Result<Vec<SkippedObject>, DatabaseError> {
        retried!(self, self.select_skipped_objects(lines_max))
    }

    async fn rejected_records(&self, lines_max: u32) -> Result<Vec<RejectedRecord>, DatabaseError> {
        retried!(self, self.select_rejected_records(lines_max))
    }

    async fn records(&self, event_id: &str) -> Result<Vec<StoredRecord>, DatabaseError> {
        retried!(self, self.select_records(event_id))
    }

    async fn known_objects(
        &self,
        scope: &UriScope,
        after: Option<ObjectId>,
        objects_max: usize,
    ) -> Result<Vec<KnownObject>, DatabaseError> {
        retried!(self, self.select_known_objects(scope, after, objects_max))
    }

    async fn forget(&self, objects: &[KnownObject]) -> Result<u64, DatabaseError> {
        retried!(self, self.delete_objects(objects))
    }

    async fn check_duplicates(&self, removes: bool) -> Result<(), DatabaseError> {
        retried!(self, self.check_duplicates_once(removes))
    }

    async fn duplicated_ids(&self, cursor: &Cursor) -> Result<IdPage, DatabaseError> {
        retried!(self, self.select_duplicated_ids(cursor))
    }

    async fn duplicates(&self, ids: &[String]) -> Result<Duplicates, DatabaseError> {
        retried!(self, self.select_duplicates(ids))
    }

    async fn remove_duplicates(&self, ids: &[String]) -> Result<Duplicates, DatabaseError> {
        self.delete_duplicates(ids).await
    }

    async fn duplicates_removed(&self) -> Result<u64, DatabaseError> {
        retried!(self, self.sum_duplicates())
    }

    async fn partly_loaded(&self) -> Result<Option<PartlyLoaded>, DatabaseError> {
        retried!(self, self.select_partly_loaded())
    }

    async fn names(
        &self,
        named: Named,
        below: &str,
        after: Option<ObjectId>,
    ) -> Result<Vec<(ObjectId, String)>, DatabaseError> {
        retried!(self, self.select_names(named, below, after))
    }

    async fn ledger_objects(&self, folder: &str) -> Result<Vec<LedgerObject>, DatabaseError> {
        retried!(self, self.select_ledger_objects(folder))
    }

    async fn remembered_digests(
        &self,
        folder: &str,
    ) -> Result<Vec<RememberedDigest>, DatabaseError> {
        retried!(self, self.select_digests(folder))
    }

    async fn store_content_hashes(&self, hashes: &[NewContentHash]) -> Result<(), DatabaseError> {
        retried!(self, self.update_content_hashes(hashes))
    }

    async fn store_day(&self, day: &StoredDay<'_>) -> Result<(), DatabaseError> {
        retried!(self, self.replace_day(day))
    }

    async fn missing_for_answers(&self) -> Result<Vec<&'static str>, DatabaseError> {
        retried!(self, self.find_missing_for_answers())
    }

    async fn answer(
        &self,
        statement: &Statement,
        sink: &mut dyn RowSink,
    ) -> Result<(), DatabaseError> {
        self.stream(statement, sink).await
    }

    async fn rows_of_first_schema(&self) -> Result<u64, DatabaseError> {
        retried!(self, self.count_rows_of_first_schema())
    }

    async fn update_statistics(self: Arc<Self>) -> Result<Duration, DatabaseError> {
        post_load::update_statistics(self).await
    }

    async fn close(&self) {
        self.close_idle().await;
    }
}
