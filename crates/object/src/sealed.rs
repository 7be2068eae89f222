//! Sealed bodies: how one is encrypted, segment by segment. The bytes are written down in `FORMAT.md`.
//!
//! The construction is STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, CRYPTO 2015) over AES-256-GCM: each segment
//! is bound to its place by its nonce, and the last one is marked, so that no segment can be changed, moved, left out
//! or put behind the end unnoticed. Every body has a key of its own, so its nonces count from zero.

use std::fmt;
use std::ops::Range;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use bytes::Bytes;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::LEAF_SIZE;

/// Bytes of a full segment as it is stored: a leaf holds 16.
const SEGMENT: usize = 64 << 10;

/// Bytes of a segment's tag (NIST SP 800-38D).
const TAG: usize = 16;

/// Bytes of the body in a full segment.
const TEXT: usize = SEGMENT - TAG;

/// Bytes of a body in a full leaf.
pub(crate) const SEALED_LEAF: usize = LEAF_SIZE / SEGMENT * TEXT;

/// What it takes to read and write the sealed bodies of one object. Wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

/// Makes the keys of two bodies under one [`DataKey`] differ. Drawn at random, stored beside the body.
pub type Salt = [u8; 16];

impl DataKey {
    /// From 32 random bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be sealed under another key.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of the body with this salt.
    pub fn body(&self, salt: &Salt) -> BodyKey {
        BodyKey(self.derive(b"carob/sealed-body/1", salt))
    }

    /// An entity tag of a body with this MD5, which it tells nobody without the key. The same part uploaded twice has the
    /// same.
    pub fn entity_tag(&self, md5: &[u8; 16]) -> [u8; 16] {
        let digest = self.derive(b"carob/entity-tag/1", md5);
        std::array::from_fn(|at| digest[at])
    }

    fn derive(&self, label: &[u8], input: &[u8]) -> Zeroizing<[u8; 32]> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("a key");
        mac.update(label);
        mac.update(input);
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// The key of one sealed body. Wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct BodyKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for BodyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyKey(…)")
    }
}

/// How many bytes a body of `size` takes sealed. Every body ends with a segment that is not full, perhaps an empty one.
/// `None` if there is no such number.
pub fn sealed_size(size: u64) -> Option<u64> {
    let segments = size / TEXT as u64 + 1;
    segments.checked_mul(TAG as u64)?.checked_add(size)
}

/// Where in a sealed body of `size` the segments lie that hold bytes `range` of it; with the last one, if the range
/// goes to the end.
pub(crate) fn sealed_range(size: u64, range: &Range<u64>) -> Option<Range<u64>> {
    let stored = sealed_size(size)?;
    let place = |segment: u64| segment.saturating_mul(SEGMENT as u64).min(stored);
    let start = place(range.start / TEXT as u64);
    let end = if range.end >= size { stored } else { place(range.end.div_ceil(TEXT as u64)) };
    Some(start..end.max(start))
}

/// Seals a body as it streams, or opens parts of it.
pub(crate) struct Segments {
    cipher: Aes256Gcm,
    /// The number of the next segment to seal.
    next: u64,
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segments").field("next", &self.next).finish_non_exhaustive()
    }
}

/// A piece of a sealed body that does not open: another key, another place, or damage; nobody can tell which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not open under its key")]
pub(crate) struct Unopened;

impl Segments {
    pub(crate) fn new(key: &BodyKey) -> Self {
        Self { cipher: Aes256Gcm::new((&*key.0).into()), next: 0 }
    }

    /// Seals the next bytes: all but the last are [`SEALED_LEAF`], the last are fewer.
    pub(crate) fn seal(&mut self, text: &[u8], last: bool) -> Bytes {
        let whole = text.chunks_exact(TEXT);
        let rest = last.then(|| whole.remainder());
        let mut sealed = Vec::with_capacity(text.len() + (text.len() / TEXT + 1) * TAG);
        for (text, last) in whole.map(|text| (text, false)).chain(rest.map(|rest| (rest, true))) {
            let start = sealed.len();
            sealed.extend_from_slice(text);
            let nonce = nonce(self.next, last);
            let tag = self.cipher.encrypt_inout_detached(&nonce, &[], (&mut sealed[start..]).into());
            #[expect(clippy::expect_used, reason = "it fails only for more than 64 GiB")]
            sealed.extend_from_slice(&tag.expect("a segment"));
            self.next += 1;
        }
        sealed.into()
    }

    /// Opens whole segments, which lie at `offset` in a sealed body of `size` bytes.
    pub(crate) fn open(&self, sealed: &[u8], offset: u64, size: u64) -> Result<Vec<u8>, Unopened> {
        let last = size / TEXT as u64;
        if !offset.is_multiple_of(SEGMENT as u64) {
            return Err(Unopened);
        }
        let mut opened = Vec::with_capacity(sealed.len());
        for (number, segment) in (offset / SEGMENT as u64..).zip(sealed.chunks(SEGMENT)) {
            let (text, tag) = segment.split_last_chunk::<TAG>().ok_or(Unopened)?;
            let start = opened.len();
            opened.extend_from_slice(text);
            let nonce = nonce(number, number == last);
            let decrypted = self.cipher.decrypt_inout_detached(
                &nonce,
                &[],
                (&mut opened[start..]).into(),
                &Tag::from(*tag),
            );
            decrypted.map_err(|_| Unopened)?;
        }
        Ok(opened)
    }
}

/// Where in a body the segment at `offset` of it, sealed, begins.
pub(crate) fn opened_offset(offset: u64) -> u64 {
    offset / SEGMENT as u64 * TEXT as u64
}

/// Three zero bytes, the segment's number, and whether it is the last.
fn nonce(number: u64, last: bool) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> BodyKey {
        DataKey::new(Zeroizing::new([byte; 32])).body(&[byte; 16])
    }

    fn text(size: usize) -> Vec<u8> {
        (0..size as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
    }

    fn sealed(key: &BodyKey, text: &[u8]) -> Vec<u8> {
        let mut segments = Segments::new(key);
        let leaves = text.chunks_exact(SEALED_LEAF);
        let rest = leaves.remainder();
        let mut whole: Vec<u8> = leaves.flat_map(|leaf| segments.seal(leaf, false)).collect();
        whole.extend(segments.seal(rest, true));
        whole
    }

    #[test]
    fn a_full_leaf_of_segments_is_a_leaf() {
        assert_eq!(SEALED_LEAF, 1_048_320);
        assert_eq!(Segments::new(&key(1)).seal(&text(SEALED_LEAF), false).len(), LEAF_SIZE);
    }

    #[test]
    fn a_body_opens_whole_at_every_boundary() {
        for size in [0, 1, TEXT - 1, TEXT, TEXT + 1, 2 * TEXT, SEALED_LEAF, SEALED_LEAF + 1] {
            let (key, text) = (key(1), text(size));
            let sealed = sealed(&key, &text);
            assert_eq!(sealed.len() as u64, sealed_size(size as u64).unwrap(), "{size} bytes");
            assert_eq!(Segments::new(&key).open(&sealed, 0, size as u64).unwrap(), text, "{size} bytes");
        }
        assert_eq!(sealed_size(u64::MAX), None);
    }

    #[test]
    fn every_flipped_byte_is_detected() {
        let key = key(2);
        let sealed = sealed(&key, &text(300));
        let segments = Segments::new(&key);
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(segments.open(&bad, 0, 300), Err(Unopened), "byte {at}");
        }
    }

    #[test]
    fn segments_open_in_their_place_and_under_their_key_alone() {
        let (text, size) = (text(3 * TEXT + 5), 3 * TEXT as u64 + 5);
        let sealed = sealed(&key(3), &text);
        let segments = Segments::new(&key(3));
        let (first, second) = (&sealed[..SEGMENT], &sealed[SEGMENT..2 * SEGMENT]);
        assert_eq!(segments.open(second, SEGMENT as u64, size).unwrap(), text[TEXT..2 * TEXT]);
        for (piece, offset, claimed, why) in [
            (second, 0, size, "moved to the front"),
            (first, SEGMENT as u64, size, "moved back"),
            (first, 1, size, "between two segments"),
            (&sealed[..2 * SEGMENT], 0, TEXT as u64 + 5, "cut off, and the end claimed to be there"),
            (&sealed[..100], 0, size, "part of a segment"),
            (&sealed[..TAG - 1], 0, size, "less than a tag"),
            (&sealed[3 * SEGMENT..], 3 * SEGMENT as u64, size + TEXT as u64, "said not to be the last"),
        ] {
            assert_eq!(segments.open(piece, offset, claimed), Err(Unopened), "{why}");
        }
        assert_eq!(Segments::new(&key(4)).open(first, 0, size), Err(Unopened), "another key");
    }

    #[test]
    fn keys_differ_by_salt_and_purpose_and_are_never_shown() {
        let data = DataKey::new(Zeroizing::new([1; 32]));
        assert_ne!(*data.body(&[0; 16]).0, *data.body(&[1; 16]).0);
        assert_ne!(data.entity_tag(&[0; 16]), data.entity_tag(&[1; 16]));
        assert_ne!(data.entity_tag(&[0; 16]), DataKey::new([2; 32].into()).entity_tag(&[0; 16]));
        let shown = format!("{data:?} {:?} {:?}", data.body(&[0; 16]), Segments::new(&key(1)));
        assert_eq!(shown, "DataKey(…) BodyKey(…) Segments { next: 0, .. }");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_segments_of_a_range_hold_it(
            size in 0_usize..400_000,
            ends in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let (key, text) = (key(5), text(size));
            let sealed = sealed(&key, &text);
            let (a, b) = (ends.0.index(size + 1), ends.1.index(size + 1));
            let range = a.min(b) as u64..a.max(b) as u64;
            let stored = sealed_range(size as u64, &range).unwrap();
            let piece = &sealed[stored.start as usize..stored.end as usize];
            let opened = Segments::new(&key).open(piece, stored.start, size as u64).unwrap();
            let before = (range.start - opened_offset(stored.start)) as usize;
            let wanted = &text[range.start as usize..range.end as usize];
            prop_assert_eq!(&opened[before..before + wanted.len()], wanted);
            prop_assert!(piece.len() < wanted.len() + 3 * SEGMENT, "no more than it takes");
        }
    }
}
