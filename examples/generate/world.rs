//! The accounts and regions of a tree.

use crate::value::push_padded;

/// The regions, the busiest first.
pub(crate) const REGIONS: &[&str] = &[
    "us-east-1",
    "eu-west-1",
    "us-west-2",
    "eu-central-1",
    "ap-southeast-1",
    "ap-northeast-1",
    "us-east-2",
    "ap-south-1",
    "sa-east-1",
    "ca-central-1",
    "eu-north-1",
    "eu-west-3",
    "ap-southeast-2",
    "me-south-1",
    "af-south-1",
    "ap-northeast-2",
    "eu-south-1",
];

/// Account ids that AWS's own documentation uses. They belong to no customer.
const DOCUMENTED: &[&str] = &[
    "111122223333",
    "444455556666",
    "777788889999",
    "123456789012",
    "555555555555",
    "999988887777",
];

/// What all records of a tree have in common.
#[derive(Debug)]
pub(crate) struct World {
    /// Decides every value.
    pub(crate) seed: u64,
    accounts: Vec<String>,
}

impl World {
    /// Makes up `accounts` (at least one) accounts.
    pub(crate) fn new(seed: u64, accounts: usize) -> Self {
        let name = |number: usize| {
            DOCUMENTED.get(number).map_or_else(
                || {
                    let mut id = String::from("0000");
                    push_padded(number * 1_009 + 7, 8, &mut id);
                    id
                },
                |id| (*id).to_owned(),
            )
        };
        // One more than asked for: the stranger who calls from outside.
        Self { seed, accounts: (0..=accounts).map(name).collect() }
    }

    /// Returns the id of account `number`; one past the last is a stranger.
    pub(crate) fn account(&self, number: usize) -> &str {
        &self.accounts[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_id_has_twelve_digits_and_is_used_once() {
        let world = World::new(1, 500);
        let mut ids: Vec<_> = (0..=500).map(|number| world.account(number)).collect();
        assert!(ids.iter().all(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 501);
    }
}
