//! The bucket of a request.

use std::sync::Arc;

use carob_bucket::{Bucket, Found, Record, Snapshot, VersionName};
use carob_policy::{Acl, Rules};

/// A bucket as it was found when a request was let in: what was decided, was decided of this one.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    pub(crate) bucket: Bucket,
    /// The state that was decided on.
    pub(crate) snapshot: Snapshot,
    pub(crate) rules: Arc<Rules>,
    /// The canonical id of the owner.
    pub(crate) owner: String,
    /// What stands under the key and version that were asked for, if that had to be known.
    pub(crate) found: Option<(String, Option<VersionName>, Found)>,
}

impl Here {
    pub(crate) fn new(bucket: Bucket, snapshot: Snapshot, rules: Arc<Rules>) -> Self {
        let owner = bucket.info().owner.canonical_id();
        Self { bucket, snapshot, rules, owner, found: None }
    }
}

/// An object's list; `None` where it is the bucket owner's alone. One that cannot be read lets nobody in.
pub(crate) fn acl_of(record: &Record, here: &Here) -> Option<Acl> {
    let text = record.access.as_deref()?;
    Some(Acl::from_text(text).unwrap_or_else(|| Acl { owner: here.owner.clone(), grants: Vec::new() }))
}
