//! Stub.
use crate::trail::integrity::public_keys::KeyRing;
use crate::trail::time::EventTime;
/// stub
#[derive(Debug)]
pub struct KeyService;
/// stub
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct KeyServiceError;
impl KeyServiceError {
    /// stub
    pub fn hint(&self) -> Option<String> {
        None
    }
}
impl KeyService {
    /// stub
    pub async fn new(_profile: Option<&str>) -> Self {
        Self
    }
    /// stub
    pub async fn public_keys(
        &self,
        _r: &str,
        _f: EventTime,
        _t: EventTime,
    ) -> Result<KeyRing, KeyServiceError> {
        Err(KeyServiceError)
    }
}
