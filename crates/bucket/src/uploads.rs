//! The tree of multipart uploads under way: its keys, and reading it.
//!
//! Keys are, in byte order: an upload's own entry, then its parts, upload by upload in order of age, key by key.
//! `0xff` is no first byte of UTF-8, so what completed uploads came to stands behind all of them.

use std::sync::Arc;

use bytes::Bytes;
use carob_block::Store;
use carob_commit::{Inline, TreeValue, UploadId};
use carob_index::{Entry, Tree};

use crate::BucketError;
use crate::snapshot::block;

/// Before what completed uploads came to.
const COMPLETED: u8 = 0xff;

/// The entry of an upload, before its parts.
const OWN: u16 = 0;

/// The key, so escaped that a shorter one stays before a longer one: `00` becomes `00 ff`, and `00 00` ends it.
fn escaped(key: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 20);
    for byte in key.bytes() {
        bytes.push(byte);
        if byte == 0 {
            bytes.push(0xff);
        }
    }
    bytes.extend([0, 0]);
    bytes
}

/// Before all uploads of keys that start with `prefix`.
pub(crate) fn keys_from(prefix: &str) -> Vec<u8> {
    let mut bytes = escaped(prefix);
    bytes.truncate(bytes.len() - 2);
    bytes
}

/// Before an upload's own entry and its parts.
pub(crate) fn upload_prefix(key: &str, id: UploadId) -> Vec<u8> {
    let mut bytes = escaped(key);
    bytes.extend(id.0);
    bytes
}

/// Where an upload's own entry stands.
pub(crate) fn upload_key(key: &str, id: UploadId) -> Bytes {
    part_key(key, id, OWN)
}

/// Where a part stands; parts are numbered from 1.
pub(crate) fn part_key(key: &str, id: UploadId, number: u16) -> Bytes {
    let mut bytes = upload_prefix(key, id);
    bytes.extend(number.to_be_bytes());
    bytes.into()
}

/// Where it stands what a completed upload came to.
pub(crate) fn completed_key(id: UploadId) -> Bytes {
    let mut bytes = vec![COMPLETED];
    bytes.extend(id.0);
    bytes.into()
}

/// Before what all completed uploads came to.
pub(crate) const COMPLETED_PREFIX: &[u8] = &[COMPLETED];

/// What a key of the tree names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The upload of this key, or with a number above 0, a part of it.
    Upload { key: String, id: UploadId, number: u16 },
    /// What an upload came to.
    Completed,
}

/// Reads a key of the tree; `None` if it is none.
pub(crate) fn place(bytes: &[u8]) -> Option<Place> {
    if bytes.first() == Some(&COMPLETED) {
        return Some(Place::Completed);
    }
    let (mut key, mut rest) = (Vec::new(), bytes.iter());
    loop {
        match rest.next()? {
            0 => match rest.next()? {
                0 => break,
                _ => key.push(0),
            },
            byte => key.push(*byte),
        }
    }
    let (id, number) = rest.as_slice().split_first_chunk::<16>()?;
    let number = u16::from_be_bytes(number.try_into().ok()?);
    Some(Place::Upload { key: String::from_utf8(key).ok()?, id: UploadId(*id), number })
}

/// Reads an entry of the tree.
pub(crate) async fn read<T: TreeValue>(
    store: &Arc<dyn Store>,
    tree: &Tree,
    entry: &Entry,
) -> Result<T, BucketError> {
    match T::from_value(&entry.value, tree.root())? {
        Inline::Here(thing) => Ok(*thing),
        Inline::Linked(cid) => Ok(T::from_block(&block(&**store, &cid).await?)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_are_ordered_by_key_then_age_then_number(
            a in ("[a\\x00ü]{1,6}", any::<[u8; 16]>(), any::<u16>()),
            b in ("[a\\x00ü]{1,6}", any::<[u8; 16]>(), any::<u16>()),
        ) {
            let bytes = |(key, id, number): &(String, [u8; 16], u16)| part_key(key, UploadId(*id), *number);
            prop_assert_eq!(a.cmp(&b), bytes(&a).cmp(&bytes(&b)));
            let (key, id, number) = a.clone();
            prop_assert_eq!(place(&bytes(&a)), Some(Place::Upload { key: key.clone(), id: UploadId(id), number }));
            prop_assert!(bytes(&a).starts_with(&upload_prefix(&key, UploadId(id))));
            prop_assert!(bytes(&a) < completed_key(UploadId(b.1)));
        }
    }

    #[test]
    fn the_longest_key_fits_the_index() {
        let key = "\0".repeat(crate::MAX_KEY_BYTES);
        assert!(part_key(&key, UploadId([0; 16]), 10_000).len() <= carob_index::MAX_KEY);
    }
}
