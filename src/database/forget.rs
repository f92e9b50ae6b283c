//! What `forget` removes: objects of the ledger, with their rows and rejects.

use serde::Serialize;

use crate::trail::object::ObjectId;

/// Objects of the ledger by their URI: one object, or everything below a folder or prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriScope {
    object: String,
    below: String,
}

impl UriScope {
    /// Returns the scope of an object, or of a folder or prefix, with or without a slash at its end.
    pub fn new(uri: &str) -> Self {
        let object = uri.trim_end_matches('/').to_owned();
        let below = format!("{object}/");
        Self { object, below }
    }

    /// Returns the URI of the object that is meant, if the scope is one object.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Returns what the URIs of all other objects in the scope begin with; it ends with a slash.
    pub fn below(&self) -> &str {
        &self.below
    }
}

/// An object of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownObject {
    /// Its key.
    pub id: ObjectId,
    /// Its location.
    pub uri: String,
    /// Its rows in `logs`.
    pub rows: u64,
    /// Its rejected records.
    pub rejects: u64,
    /// What its rows refer to it by; `None` if version 0.1.0 loaded it.
    pub number: Option<i64>,
}

impl KnownObject {
    /// Returns whether its rows can be found: those of version 0.1.0 do not name their object.
    pub fn can_be_forgotten(&self) -> bool {
        self.number.is_some() || self.rows == 0
    }
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// Objects.
    pub objects: u64,
    /// Their rows.
    pub rows: u64,
    /// Their rejected records.
    pub rejects: u64,
}

impl Forgotten {
    /// Adds objects.
    pub fn add(&mut self, objects: &[KnownObject]) {
        self.objects += objects.len() as u64;
        self.rows += objects.iter().map(|object| object.rows).sum::<u64>();
        self.rejects += objects.iter().map(|object| object.rejects).sum::<u64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_an_object_or_what_is_below_it() {
        for (uri, object, below) in [
            ("s3://b/AWSLogs/", "s3://b/AWSLogs", "s3://b/AWSLogs/"),
            ("s3://b/x.json.gz", "s3://b/x.json.gz", "s3://b/x.json.gz/"),
            ("/", "", "/"),
        ] {
            let scope = UriScope::new(uri);
            assert_eq!((scope.object(), scope.below()), (object, below));
        }
    }
}
