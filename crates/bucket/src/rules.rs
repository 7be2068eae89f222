//! What a bucket of ours never breaks, and its own code relies on: of states from elsewhere it has to be checked.

use std::sync::Arc;

use carob_block::Store;
use carob_commit::{Config, Lock, Record, Version, VersionName, Versioning};
use carob_identity::Timestamp;
use carob_index::{NodeCache, Tree};

use crate::adopt::broken;
use crate::bucket::{check_key, check_metadata};
use crate::snapshot::read;
use crate::{BucketError, Snapshot, versions};

/// What a header's name has besides letters and digits (RFC 9110 §5.6.2).
const TOKEN: &str = "!#$%&'*+-.^_`|~";

/// Checks a state, and gives the latest time that stands in it. Where `known` keeps the rules, only what differs is read.
pub(crate) async fn check(
    store: &Arc<dyn Store>,
    state: &Snapshot,
    known: Option<&Snapshot>,
) -> Result<Timestamp, BucketError> {
    let rules =
        |config: &Config| (config.object_lock.is_some(), config.versioning == Versioning::Unversioned);
    let (locks, plain) = rules(state.config());
    let known = known.filter(|known| rules(known.config()) == (locks, plain));
    let cache = || Arc::new(NodeCache::new(1 << 20));
    let empty = || Tree::empty(Arc::clone(store) as _, cache(), state.tree().salt(), state.tree().params()).0;
    let mut latest = Timestamp(0);
    let mut objects = known.map_or_else(empty, |known| known.tree().clone()).diff(state.tree());
    while let Some(change) = objects.next().await? {
        let Some(entry) = change.new else { continue };
        let record: Record = read(store, state.tree(), &entry.value).await?;
        let key = String::from_utf8(change.key.to_vec()).map_err(|_| broken("a key that is not UTF-8"))?;
        latest = latest.max(check_record(&key, &record, locks)?);
        if plain && record.version.is_some() {
            return Err(broken("a version in a bucket without versioning"));
        }
        if let Some(tree) = state.versions()
            && tree.get(&versions::place(&key, record.version_name())).await?.is_some()
        {
            return Err(broken("a version that is there twice"));
        }
    }
    let Some(tree) = state.versions() else { return Ok(latest) };
    if plain {
        return Err(broken("versions in a bucket without versioning"));
    }
    let mut entries = known.and_then(Snapshot::versions).cloned().unwrap_or_else(empty).diff(tree);
    while let Some(change) = entries.next().await? {
        let Some(entry) = change.new else { continue };
        let version: Version = read(store, tree, &entry.value).await?;
        let key = versions::key_of(&change.key).ok_or_else(|| broken("a version without a key"))?;
        check_key(&key).map_err(|_| broken("a key of a wrong length"))?;
        if versions::place(&key, version.name()) != change.key {
            return Err(broken("a version in another's place"));
        }
        if current(store, state, &key).await? == Some(version.name()) {
            return Err(broken("a version that is there twice"));
        }
        latest = latest.max(version.order().time());
        if let Version::Object(record) = version {
            latest = latest.max(check_record(&key, &record, locks)?);
        }
    }
    Ok(latest)
}

/// What S3 calls the current version of a key, if it has one.
async fn current(
    store: &Arc<dyn Store>,
    state: &Snapshot,
    key: &str,
) -> Result<Option<VersionName>, BucketError> {
    let Some(entry) = state.tree().get(key.as_bytes()).await? else { return Ok(None) };
    Ok(Some(read::<Record>(store, state.tree(), &entry.value).await?.version_name()))
}

/// Gives the latest time that stands in it.
fn check_record(key: &str, record: &Record, locks: bool) -> Result<Timestamp, BucketError> {
    check_key(key).map_err(|_| broken("a key of a wrong length"))?;
    check_metadata(&record.metadata).map_err(|_| broken("too much user metadata"))?;
    if record.lock != Lock::default() && !locks {
        return Err(broken("a protected object in a bucket without object lock"));
    }
    check_headers(record)?;
    Ok(record.modified.max(record.order().time()))
}

/// Refuses what no answer can hold: such an object could be listed, and never be read.
fn check_headers(record: &Record) -> Result<(), BucketError> {
    let standard = record.headers.named().map(|(_, value)| value);
    let mut values = standard.chain(record.metadata.values().map(String::as_str));
    if values.any(|value| value.chars().any(|c| c.is_ascii_control() && c != '\t')) {
        return Err(broken("a header with control characters"));
    }
    let named = |name: &String| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || TOKEN.contains(c))
    };
    if record.metadata.keys().all(named) { Ok(()) } else { Err(broken("a header that cannot be one")) }
}
