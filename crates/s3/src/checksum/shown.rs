//! Checksums in answers. s3s gives each answer a field for each algorithm, and no trait over them.

use carob_bucket::{Checksum, ChecksumAlgorithm, ChecksumType, Part, Record};
use s3s::dto;

use crate::headers;

/// The checksum of one part of `record`.
pub(crate) fn part_sum(record: &Record, part: &Part) -> Option<Checksum> {
    let algorithm = record.checksum.as_ref()?.algorithm;
    Some(Checksum { algorithm, value: part.checksum.clone()? })
}

/// A checksum in the field that its algorithm has in s3s's outputs.
#[derive(Debug, Default)]
pub(crate) struct ChecksumFields {
    pub(crate) crc32: Option<String>,
    pub(crate) crc32c: Option<String>,
    pub(crate) crc64nvme: Option<String>,
    pub(crate) sha1: Option<String>,
    pub(crate) sha256: Option<String>,
    pub(crate) sha512: Option<String>,
    pub(crate) md5: Option<String>,
    pub(crate) xxhash64: Option<String>,
    pub(crate) xxhash3: Option<String>,
    pub(crate) xxhash128: Option<String>,
    /// What it is of; `None` if there is none.
    pub(crate) kind: Option<dto::ChecksumType>,
}

impl ChecksumFields {
    /// That of an object.
    pub(crate) fn of(record: &Record) -> Self {
        let Some(checksum) = &record.checksum else { return Self::default() };
        let text = match (record.checksum_type, record.etag.parts) {
            (ChecksumType::Composite, Some(parts)) => format!("{}-{parts}", checksum.to_base64()),
            _ => checksum.to_base64(),
        };
        Self { kind: Some(headers::checksum_type(record)), ..Self::text(checksum.algorithm, text) }
    }

    /// That of an object in its attributes, where nothing says of how many parts it is composed.
    pub(crate) fn attributes_of(record: &Record) -> Self {
        let Some(checksum) = &record.checksum else { return Self::default() };
        let kind = Some(headers::checksum_type(record));
        Self { kind, ..Self::text(checksum.algorithm, checksum.to_base64()) }
    }

    /// That of a part, if it has one.
    pub(crate) fn of_part(checksum: Option<&Checksum>) -> Self {
        checksum.map_or_else(Self::default, |sum| Self::text(sum.algorithm, sum.to_base64()))
    }

    fn text(algorithm: ChecksumAlgorithm, text: String) -> Self {
        let mut fields = Self::default();
        let field = match algorithm {
            ChecksumAlgorithm::Crc32 => &mut fields.crc32,
            ChecksumAlgorithm::Crc32c => &mut fields.crc32c,
            ChecksumAlgorithm::Crc64Nvme => &mut fields.crc64nvme,
            ChecksumAlgorithm::Sha1 => &mut fields.sha1,
            ChecksumAlgorithm::Sha256 => &mut fields.sha256,
            ChecksumAlgorithm::Sha512 => &mut fields.sha512,
            ChecksumAlgorithm::Md5 => &mut fields.md5,
            ChecksumAlgorithm::XxHash64 => &mut fields.xxhash64,
            ChecksumAlgorithm::XxHash3 => &mut fields.xxhash3,
            ChecksumAlgorithm::XxHash128 => &mut fields.xxhash128,
        };
        *field = Some(text);
        fields
    }
}

/// What shows a checksum in a field of its algorithm.
pub(crate) trait ShowsChecksums {
    /// Fills the fields in.
    #[must_use]
    fn with_checksums(self, sums: ChecksumFields) -> Self;
}

macro_rules! shows_checksums {
    ($($shown:ident $(with $kind:ident)?),+ $(,)?) => {
        $(impl ShowsChecksums for dto::$shown {
            fn with_checksums(mut self, sums: ChecksumFields) -> Self {
                $(self.$kind = sums.kind;)?
                self.checksum_crc32 = sums.crc32;
                self.checksum_crc32c = sums.crc32c;
                self.checksum_crc64nvme = sums.crc64nvme;
                self.checksum_sha1 = sums.sha1;
                self.checksum_sha256 = sums.sha256;
                self.checksum_sha512 = sums.sha512;
                self.checksum_md5 = sums.md5;
                self.checksum_xxhash64 = sums.xxhash64;
                self.checksum_xxhash3 = sums.xxhash3;
                self.checksum_xxhash128 = sums.xxhash128;
                self
            }
        })+
    };
}

shows_checksums! {
    Checksum with checksum_type,
    CompleteMultipartUploadOutput with checksum_type,
    CopyObjectResult with checksum_type,
    CopyPartResult,
    GetObjectOutput with checksum_type,
    HeadObjectOutput with checksum_type,
    ObjectPart,
    Part,
    PutObjectOutput with checksum_type,
    UploadPartOutput,
}
