//! Where logs come from: listing objects in pages, and fetching one object's bytes.
//!
//! A source knows nothing of CloudTrail's JSON and nothing of databases. Listing streams: memory
//! does not grow with the number of objects.

pub mod local;
pub mod s3;

use async_trait::async_trait;
use bytes::Bytes;

use crate::object::ObjectRef;

/// A place that holds objects: one file, a folder, an S3 object or an S3 prefix.
#[async_trait]
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Starts a listing from the beginning.
    fn pages(&self) -> Box<dyn Pages>;

    /// Returns an object's stored bytes, whole: as many as its listing said, unchanged since.
    ///
    /// Passing faults are retried inside, within a bound; cancel safe.
    ///
    /// # Errors
    /// [`SourceError::is_fatal`] tells whether the whole run is over or only this object is out.
    async fn fetch(&self, object: &ObjectRef) -> Result<Bytes, SourceError>;
}

/// A listing under way.
#[async_trait]
pub trait Pages: Send {
    /// Returns the next objects, at most 1,000 of them, or `None` at the end.
    ///
    /// # Errors
    /// The listing cannot go on; what was returned before stays valid.
    async fn next_page(&mut self) -> Result<Option<Vec<ObjectRef>>, SourceError>;
}
