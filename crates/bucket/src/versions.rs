//! The tree of noncurrent versions and delete markers.
//!
//! Under the escaped key alone stands its `null` version, if that is not the current one; behind it the others,
//! the newest first. So a version is found by its name without a search, and the newest by one seek.

use std::sync::Arc;

use bytes::Bytes;
use carob_block::Store;
use carob_commit::{Version, VersionId, VersionName};
use carob_index::Tree;

use crate::BucketError;
use crate::escape::{escaped, unescaped};
use crate::snapshot::read;

/// Where the version of this name stands.
pub(crate) fn place(key: &str, name: VersionName) -> Bytes {
    let mut bytes = escaped(key);
    if let VersionName::Id(id) = name {
        bytes.extend(reversed(id));
    }
    bytes.into()
}

/// Where the versions of `key` stand that have ids and are older than `order`.
pub(crate) fn older_than(key: &str, order: VersionId) -> Vec<u8> {
    let mut bytes = escaped(key);
    bytes.extend(reversed(order));
    bytes.push(0);
    bytes
}

/// The key that an entry of the tree belongs to.
pub(crate) fn key_of(place: &[u8]) -> Option<String> {
    unescaped(place).map(|(key, _)| key)
}

/// The newest entry of `key`.
pub(crate) async fn newest(
    store: &Arc<dyn Store>,
    tree: &Tree,
    key: &str,
) -> Result<Option<Version>, BucketError> {
    newest_but(store, tree, key, None).await
}

/// The newest entry of `key` that has not the name `left_out`.
pub(crate) async fn newest_but(
    store: &Arc<dyn Store>,
    tree: &Tree,
    key: &str,
    left_out: Option<VersionName>,
) -> Result<Option<Version>, BucketError> {
    let first = escaped(key);
    let mut cursor = tree.cursor();
    cursor.seek(&first).await?;
    let mut newest: Option<Version> = None;
    while let Some((place, entry)) = cursor.next().await?.filter(|(place, _)| place.starts_with(&first)) {
        let version: Version = read(store, tree, &entry.value).await?;
        if Some(version.name()) == left_out {
            continue;
        }
        if newest.as_ref().is_none_or(|newest| newest.order() < version.order()) {
            newest = Some(version);
        }
        // Behind the `null` version they are in order.
        if place.len() > first.len() {
            break;
        }
    }
    Ok(newest)
}

/// So that byte order is newest first.
fn reversed(id: VersionId) -> [u8; 16] {
    id.0.map(|byte| !byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(id: Option<[u8; 16]>) -> VersionName {
        id.map_or(VersionName::Null, |id| VersionName::Id(VersionId(id)))
    }

    proptest! {
        #[test]
        fn places_are_ordered_by_key_then_null_then_newest_first(
            a in ("[a\\x00ü]{1,6}", any::<Option<[u8; 16]>>()),
            b in ("[a\\x00ü]{1,6}", any::<Option<[u8; 16]>>()),
        ) {
            let order = |(key, id): &(String, Option<[u8; 16]>)| (key.clone(), id.map(|id| id.map(|b| !b)));
            let (x, y) = (place(&a.0, name(a.1)), place(&b.0, name(b.1)));
            prop_assert_eq!(order(&a).cmp(&order(&b)), x.cmp(&y));
            prop_assert_eq!(key_of(&x), Some(a.0));
        }

        #[test]
        fn what_is_older_comes_after(key in "[a\\x00]{1,3}", a: [u8; 16], b: [u8; 16]) {
            let at = place(&key, name(Some(a)));
            prop_assert_eq!(a < b, at[..] >= older_than(&key, VersionId(b))[..]);
        }
    }

    #[test]
    fn the_longest_key_fits_the_index() {
        let key = "\0".repeat(crate::MAX_KEY_BYTES);
        assert!(place(&key, name(Some([0; 16]))).len() <= carob_index::MAX_KEY);
    }
}
