//! A failed write or flush.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use carob_block::StoreError;

/// One error for everyone who waited.
#[derive(Debug, Clone)]
pub(crate) struct Failure(Arc<io::Error>);

impl Failure {
    pub(crate) fn new(error: io::Error) -> Self {
        Self(Arc::new(error))
    }

    pub(crate) fn to_store_error(&self) -> StoreError {
        match self.0.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full,
            _ => {
                StoreError::Unavailable { context: "writing the log", source: Box::new(Arc::clone(&self.0)) }
            }
        }
    }
}
