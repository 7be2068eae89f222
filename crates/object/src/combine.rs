//! CRCs of joined pieces from the pieces' own.

use crc_fast::{CrcAlgorithm, checksum_combine};
use md5::{Digest, Md5};

use crate::checksum::ChecksumHasher;
use crate::{Checksum, ChecksumAlgorithm};

impl Checksum {
    /// The checksum of several pieces one after the other, from the checksum and the size of each. `None` for
    /// algorithms that cannot tell ([`ChecksumAlgorithm::joins`]), and where the pieces' algorithms differ.
    pub fn of_joined(algorithm: ChecksumAlgorithm, pieces: &[(&Self, u64)]) -> Option<Self> {
        let crc = match algorithm {
            ChecksumAlgorithm::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            ChecksumAlgorithm::Crc32c => CrcAlgorithm::Crc32Iscsi,
            ChecksumAlgorithm::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
            _ => return None,
        };
        let mut joined = crc_fast::checksum(crc, b"");
        for (piece, size) in pieces {
            let value = number(piece).filter(|_| piece.algorithm == algorithm)?;
            joined = checksum_combine(crc, joined, value, *size);
        }
        let value = joined.to_be_bytes();
        let value = value.get(value.len() - algorithm.value_len()..)?.to_vec();
        Some(Self { algorithm, value })
    }

    /// The checksum of several pieces' checksums one after the other: what S3 calls a composite checksum.
    /// `None` where the pieces' algorithms differ.
    pub fn composite(algorithm: ChecksumAlgorithm, pieces: &[&Self]) -> Option<Self> {
        let mut hasher = ChecksumHasher::new(algorithm);
        for piece in pieces {
            if piece.algorithm != algorithm {
                return None;
            }
            hasher.update(&piece.value);
        }
        Some(hasher.finish())
    }
}

/// MD5 of several pieces one after the other.
pub fn md5<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut hasher = Md5::new();
    pieces.for_each(|piece| hasher.update(piece));
    hasher.finalize().into()
}

fn number(checksum: &Checksum) -> Option<u64> {
    let mut bytes = [0; 8];
    let from = bytes.len().checked_sub(checksum.value.len())?;
    bytes.get_mut(from..)?.copy_from_slice(&checksum.value);
    Some(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(algorithm: ChecksumAlgorithm, data: &[u8]) -> Checksum {
        let mut hasher = ChecksumHasher::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }

    proptest! {
        #[test]
        fn a_joined_crc_is_that_of_the_whole(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..6),
        ) {
            use ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme};
            for algorithm in [Crc32, Crc32c, Crc64Nvme] {
                let sums: Vec<_> = pieces.iter().map(|p| (of(algorithm, p), p.len() as u64)).collect();
                let sums: Vec<_> = sums.iter().map(|(sum, size)| (sum, *size)).collect();
                prop_assert_eq!(Checksum::of_joined(algorithm, &sums), Some(of(algorithm, &pieces.concat())));
            }
        }
    }

    #[test]
    fn a_composite_is_the_checksum_of_the_values() {
        let (a, b) = (of(ChecksumAlgorithm::Sha256, b"a"), of(ChecksumAlgorithm::Sha256, b"b"));
        let values = [a.value.clone(), b.value.clone()].concat();
        let composite = Checksum::composite(ChecksumAlgorithm::Sha256, &[&a, &b]);
        assert_eq!(composite, Some(of(ChecksumAlgorithm::Sha256, &values)));
        assert_eq!(Checksum::composite(ChecksumAlgorithm::Sha1, &[&a]), None);
        assert_eq!(Checksum::of_joined(ChecksumAlgorithm::Sha256, &[(&a, 1)]), None);
    }
}
