//! Checksums of bodies (Amazon S3 user guide, "Checking object integrity"): declared by requests, computed, shown
//! in answers.

mod declared;
mod hashing;
mod shown;

use carob_bucket::ChecksumAlgorithm;

pub(crate) use declared::{Declared, only_value};
pub(crate) use hashing::of_stream;
pub(crate) use shown::{ChecksumFields, ShowsChecksums, part_sum};

/// The header, or trailer, of an algorithm.
pub(crate) const fn header_name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "x-amz-checksum-crc32",
        ChecksumAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        ChecksumAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        ChecksumAlgorithm::Sha1 => "x-amz-checksum-sha1",
        ChecksumAlgorithm::Sha256 => "x-amz-checksum-sha256",
        ChecksumAlgorithm::Sha512 => "x-amz-checksum-sha512",
        ChecksumAlgorithm::Md5 => "x-amz-checksum-md5",
        ChecksumAlgorithm::XxHash64 => "x-amz-checksum-xxhash64",
        ChecksumAlgorithm::XxHash3 => "x-amz-checksum-xxhash3",
        ChecksumAlgorithm::XxHash128 => "x-amz-checksum-xxhash128",
    }
}

/// Whether a header, in small letters, holds a checksum.
pub(crate) fn is_header(name: &str) -> bool {
    ChecksumAlgorithm::ALL.into_iter().any(|algorithm| header_name(algorithm) == name)
}
