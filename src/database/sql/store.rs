//! The store's requests, each repeated while it may succeed later.

use std::sync::Arc;

use async_trait::async_trait;

use super::{SqlStore, post_load, retried};
use crate::database::status::{FailedObject, RejectedRecord, RunLine, RunTotals};
use crate::database::{BuiltIndexes, DatabaseError, Index, Store, UpgradePolicy};

#[async_trait]
impl Store for SqlStore {
    async fn prepare(&self, policy: UpgradePolicy) -> Result<bool, DatabaseError> {
        let is_created = retried!(self, self.create_if_missing())?;
        retried!(self, self.prepare_schema(policy))?;
        Ok(is_created)
    }

    async fn has_ledger(&self) -> Result<bool, DatabaseError> {
        retried!(self, self.find_ledger())
    }

    async fn begin_run(&self, sources: &str) -> Result<i64, DatabaseError> {
        self.insert_run(sources).await
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

    async fn cancel_index_builds(&self) {
        self.cancel_builds().await;
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

    async fn rejected_records(&self, lines_max: u32) -> Result<Vec<RejectedRecord>, DatabaseError> {
        retried!(self, self.select_rejected_records(lines_max))
    }

    async fn close(&self) {
        self.close_idle().await;
    }
}
