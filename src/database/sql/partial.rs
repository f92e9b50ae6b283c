//! The filters of imports in the ledger: what is loaded of objects of which not all is.

use super::connection::CellType;
use super::schema::{OBJECTS, RUNS};
use super::{SqlStore, lines};
use crate::database::DatabaseError;
use crate::database::status::PartlyLoaded;
use crate::database::url::Engine;
use crate::trail::filter::FilterSet;

const READ_LEDGER: &str = "read the ledger";

impl SqlStore {
    /// Returns what is loaded only in part; `None` if there is no such object.
    pub(super) async fn select_partly_loaded(&self) -> Result<Option<PartlyLoaded>, DatabaseError> {
        // There are few runs, and perhaps millions of objects.
        if !self.has_filtered_runs().await? {
            return Ok(None);
        }
        let integer = if self.driver.engine() == Engine::Mysql { "SIGNED" } else { "BIGINT" };
        let query = format!(
            "SELECT COUNT(*), CAST(COALESCE(SUM(filtered_count), 0) AS {integer}), MIN(filters), \
             MAX(filters) FROM import_objects WHERE filters IS NOT NULL"
        );
        let types = [CellType::Int, CellType::Int, CellType::Text, CellType::Text];
        let rows = self.query(READ_LEDGER, &query, &[], &types).await?;
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let [objects, filtered, least, greatest] =
            <[_; 4]>::try_from(row).expect("the query selects four columns");
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let (objects, filtered) = (count(objects.into_int()), count(filtered.into_int()));
        let (least, greatest) = (least.into_optional_text(), greatest.into_optional_text());
        let filters = match least {
            Some(least) if Some(&least) == greatest.as_ref() => {
                Some(FilterSet::from_column(Some(&least)).map_err(lines::unknown_filter)?)
            }
            _ => None,
        };
        Ok((objects > 0).then_some(PartlyLoaded { objects, filtered, filters }))
    }

    /// Returns whether an import had filters. Earlier versions of the program had none.
    async fn has_filtered_runs(&self) -> Result<bool, DatabaseError> {
        if self.lacking_columns(OBJECTS.name).await?.contains(&"filters")
            || self.lacking_columns(RUNS.name).await?.contains(&"selection")
        {
            return Ok(false);
        }
        let query = "SELECT COUNT(*) FROM import_runs WHERE selection LIKE '%\"filter\":{%'";
        let rows = self.query(READ_LEDGER, query, &[], &[CellType::Int]).await?;
        Ok(rows.into_iter().flatten().any(|count| count.into_int() > 0))
    }
}
