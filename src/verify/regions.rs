//! Finds the accounts and regions to verify: those of the sources, of the ledger, and of earlier
//! verifications.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;

use super::VerifyError;
use super::outcome::Verified;
use crate::database::Store;
use crate::database::integrity::Named;
use crate::source::{RegionFolder, Source};
use crate::trail::layout::{DIGEST_FAMILY, LOG_FAMILIES, Layout, Selection};

/// One region of one account.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) source: Arc<dyn Source>,
    /// The URI of the account's folder, with a slash at its end.
    pub(super) account_folder: String,
    pub(super) account: String,
    pub(super) name: String,
    /// The folders that the source has, by family.
    pub(super) folders: BTreeMap<String, RegionFolder>,
    /// The days of log files that the ledger has, by family.
    pub(super) ledger_days: BTreeMap<String, BTreeSet<Date>>,
    /// The days of digests that earlier verifications stored.
    pub(super) remembered_days: BTreeSet<Date>,
}

/// Accounts and regions by the URI of the account's folder and the region.
type Regions = BTreeMap<(String, String), Region>;

/// Returns all accounts and regions, and what finding them showed.
pub(super) async fn find_regions(
    selection: &Arc<Selection>,
    sources: Vec<Arc<dyn Source>>,
    store: &dyn Store,
) -> Result<(Vec<Region>, Verified), VerifyError> {
    let (mut regions, mut verified) = (Regions::new(), Verified::default());
    for source in sources {
        let Some(root) = source.root_uri() else {
            return Err(VerifyError::NoFolder);
        };
        let found = source.region_folders(selection).await?;
        verified.list_requests += found.requests;
        verified.unreadable.extend(found.unreadable);
        for folder in found.folders {
            let Some(account_folder) = account_folder(&folder.uri, 2) else { continue };
            let (account, name) = (&folder.account, &folder.region);
            let region = region(&mut regions, &source, account_folder, account, name);
            region.folders.insert(folder.family.clone(), folder);
        }
        for named in [Named::Objects, Named::Digests] {
            add_stored(&mut regions, &source, named, &root, selection, store).await?;
        }
    }
    Ok((regions.into_values().collect(), verified))
}

/// Adds the days that the database has below a root.
async fn add_stored(
    regions: &mut Regions,
    source: &Arc<dyn Source>,
    named: Named,
    root: &str,
    selection: &Selection,
    store: &dyn Store,
) -> Result<(), VerifyError> {
    let mut after = None;
    loop {
        let page = store.names(named, root, after).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(*last);
        for (_, uri) in &page {
            let Some(Layout { account, family, region: name, day }) = Layout::of(uri) else {
                continue;
            };
            let is_of_kind = match named {
                Named::Objects => LOG_FAMILIES.contains(&&*family),
                Named::Digests => family == DIGEST_FAMILY,
            };
            let is_selected =
                |set: &BTreeSet<String>, it: &String| set.is_empty() || set.contains(it);
            if !is_of_kind
                || !is_selected(&selection.accounts, &account)
                || !is_selected(&selection.regions, &name)
                || selection.from.is_some_and(|from| day < from)
                || selection.to.is_some_and(|to| day > to)
            {
                continue;
            }
            // The file, the day, the month, the year, the region and the family.
            let Some(account_folder) = account_folder(uri, 6) else { continue };
            let region = region(regions, source, account_folder, &account, &name);
            match named {
                Named::Objects => drop(region.ledger_days.entry(family).or_default().insert(day)),
                Named::Digests => drop(region.remembered_days.insert(day)),
            }
        }
    }
}

fn region<'r>(
    regions: &'r mut Regions,
    source: &Arc<dyn Source>,
    account_folder: &str,
    account: &str,
    name: &str,
) -> &'r mut Region {
    let key = (account_folder.to_owned(), name.to_owned());
    regions.entry(key).or_insert_with(|| Region {
        source: Arc::clone(source),
        account_folder: account_folder.to_owned(),
        account: account.to_owned(),
        name: name.to_owned(),
        folders: BTreeMap::new(),
        ledger_days: BTreeMap::new(),
        remembered_days: BTreeSet::new(),
    })
}

/// Returns the folder that is so many names above the end of a URI, with a slash at its end.
fn account_folder(uri: &str, names: usize) -> Option<&str> {
    let mut above = uri.trim_end_matches('/');
    for _ in 0..names {
        above = above.rsplit_once('/')?.0;
    }
    uri.get(..=above.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_account_is_found_from_the_end() {
        let account = "s3://b/AWSLogs/o-x/111122223333/";
        let region = format!("{account}CloudTrail/eu-west-1/");
        assert_eq!(account_folder(&region, 2), Some(account));
        assert_eq!(account_folder(&format!("{region}2026/01/15/x.json.gz"), 6), Some(account));
        assert_eq!(account_folder("x", 2), None);
    }
}
