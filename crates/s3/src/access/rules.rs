//! The rules of buckets, read from the documents of their configuration.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use carob_bucket::{Bucket, BucketId, Config};
use carob_policy::{Acl, Ownership, Policy, PublicAccessBlock, Rules};
use parking_lot::Mutex;
use s3s::{S3Error, S3Result};

use crate::error::internal;

/// The names of the documents.
pub(crate) const POLICY: &str = "policy";
pub(crate) const ACL: &str = "acl";
pub(crate) const OWNERSHIP: &str = "ownership";
pub(crate) const PUBLIC_ACCESS_BLOCK: &str = "public-access-block";

const DOCUMENTS: [&str; 4] = [POLICY, ACL, OWNERSHIP, PUBLIC_ACCESS_BLOCK];

/// Of how many buckets the rules are kept as they were read.
const MOST: usize = 1024;

/// The rules of each bucket, with the configuration and the name that they were read for: under another one, a policy is about
/// another bucket.
type Kept = HashMap<BucketId, (Arc<Config>, String, Arc<Rules>)>;

/// The rules of buckets, each read once. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct RuleBook {
    none: Arc<Rules>,
    kept: Arc<Mutex<Kept>>,
}

impl fmt::Debug for RuleBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleBook").field("kept", &self.kept.lock().len()).finish_non_exhaustive()
    }
}

impl RuleBook {
    /// What a bucket's configuration says.
    ///
    /// # Errors
    /// InternalError for a document that cannot be read: it would not be known whom it keeps out. A policy that cannot
    /// keeps out everybody, but for the owner who replaces it.
    pub(crate) fn of(&self, bucket: &Bucket, config: &Arc<Config>) -> S3Result<Arc<Rules>> {
        if DOCUMENTS.iter().all(|name| !config.documents.contains_key(*name)) {
            return Ok(Arc::clone(&self.none));
        }
        let id = bucket.info().id;
        if let Some((known, name, rules)) = self.kept.lock().get(&id)
            && name == bucket.name()
            && (Arc::ptr_eq(known, config) || same(known, config))
        {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(read(bucket.name(), config)?);
        let mut kept = self.kept.lock();
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(id, (Arc::clone(config), bucket.name().to_owned(), Arc::clone(&rules)));
        Ok(rules)
    }
}

fn same(one: &Config, other: &Config) -> bool {
    DOCUMENTS.iter().all(|name| one.documents.get(*name) == other.documents.get(*name))
}

fn read(bucket: &str, config: &Config) -> S3Result<Rules> {
    let text = |name: &str| match config.documents.get(name) {
        None => Ok(None),
        Some(bytes) => std::str::from_utf8(bytes).map(Some).map_err(|_| unreadable(name)),
    };
    let policy = text(POLICY)?.map(|text| {
        Policy::parse(text.as_bytes(), bucket).unwrap_or_else(|error| {
            tracing::error!(bucket, %error, "the bucket's policy cannot be read: until it is replaced, it denies everything");
            Policy::shut()
        })
    });
    let acl = match text(ACL)? {
        None => None,
        Some(text) => Some(Acl::from_text(text).ok_or_else(|| unreadable(ACL))?),
    };
    let block = match text(PUBLIC_ACCESS_BLOCK)? {
        None => PublicAccessBlock::default(),
        Some(text) => PublicAccessBlock::from_text(text).ok_or_else(|| unreadable(PUBLIC_ACCESS_BLOCK))?,
    };
    let ownership = match text(OWNERSHIP)? {
        None => Ownership::default(),
        Some(text) => Ownership::named(text).ok_or_else(|| unreadable(OWNERSHIP))?,
    };
    Ok(Rules { policy, acl, block, ownership })
}

fn unreadable(name: &str) -> S3Error {
    internal(format!("the bucket's {name} cannot be read").into())
}
