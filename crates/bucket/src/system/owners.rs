//! Who owns a bucket, for the authorizer.

use async_trait::async_trait;
use carob_identity::{BucketOwners, Did, IdentityError};

use crate::{BucketError, Space};

/// From the head of the name and the genesis, both of which are in memory for buckets in use.
#[async_trait]
impl BucketOwners for Space {
    async fn owner(&self, bucket: &str) -> Result<Option<Did>, IdentityError> {
        match self.bucket(bucket).await {
            Ok(bucket) => Ok(Some(bucket.info().owner)),
            Err(BucketError::NoSuchBucket(_)) => Ok(None),
            Err(error) => {
                let context = "cannot find out whose the bucket is";
                Err(IdentityError::Unavailable { context, source: Box::new(error) })
            }
        }
    }
}
