//! The tree of multipart uploads under way: its keys, and reading it.
//!
//! Keys are, in byte order: an upload's own entry, then its parts, upload by upload in order of age, key by key.
//! `0xff` is no first byte of UTF-8, so what completed uploads came to stands behind all of them.

use bytes::Bytes;
use carob_commit::UploadId;

use crate::escape::{escaped, unescaped};

/// Before what completed uploads came to.
const COMPLETED: u8 = 0xff;

/// The entry of an upload, before its parts.
const OWN: u16 = 0;

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
    Completed(UploadId),
}

/// Reads a key of the tree; `None` if it is none.
pub(crate) fn place(bytes: &[u8]) -> Option<Place> {
    if bytes.first() == Some(&COMPLETED) {
        let id = bytes.get(1..)?.try_into().ok()?;
        return Some(Place::Completed(UploadId(id)));
    }
    let (key, rest) = unescaped(bytes)?;
    let (id, number) = rest.split_first_chunk::<16>()?;
    let number = u16::from_be_bytes(number.try_into().ok()?);
    Some(Place::Upload { key, id: UploadId(*id), number })
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
            prop_assert_eq!(place(&completed_key(UploadId(b.1))), Some(Place::Completed(UploadId(b.1))));
        }
    }

    #[test]
    fn the_longest_key_fits_the_index() {
        let key = "\0".repeat(crate::MAX_KEY_BYTES);
        assert!(part_key(&key, UploadId([0; 16]), 10_000).len() <= carob_index::MAX_KEY);
    }
}
