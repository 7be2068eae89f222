//! Checksums that S3 knows.

use std::fmt;

use data_encoding::BASE64;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use xxhash_rust::xxh3::Xxh3;
use xxhash_rust::xxh64::Xxh64;

/// A checksum that a client may ask for beside the `ETag`, under the names of the S3 API's
/// `x-amz-checksum-algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChecksumAlgorithm {
    /// CRC-32/ISO-HDLC, the one of zip and Ethernet.
    #[serde(rename = "CRC32")]
    Crc32,
    /// CRC-32/ISCSI (Castagnoli).
    #[serde(rename = "CRC32C")]
    Crc32c,
    /// CRC-64/NVME.
    #[serde(rename = "CRC64NVME")]
    Crc64Nvme,
    /// SHA-1.
    #[serde(rename = "SHA1")]
    Sha1,
    /// SHA-256 of the whole body.
    #[serde(rename = "SHA256")]
    Sha256,
    /// SHA-512 of the whole body.
    #[serde(rename = "SHA512")]
    Sha512,
    /// MD5, kept as a checksum of its own beside the `ETag`.
    #[serde(rename = "MD5")]
    Md5,
    /// XXH64 with seed 0.
    #[serde(rename = "XXHASH64")]
    XxHash64,
    /// XXH3 of 64 bits with seed 0.
    #[serde(rename = "XXHASH3")]
    XxHash3,
    /// XXH3 of 128 bits with seed 0.
    #[serde(rename = "XXHASH128")]
    XxHash128,
}

impl ChecksumAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 10] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Md5,
        Self::XxHash64,
        Self::XxHash3,
        Self::XxHash128,
    ];

    /// S3's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Md5 => "MD5",
            Self::XxHash64 => "XXHASH64",
            Self::XxHash3 => "XXHASH3",
            Self::XxHash128 => "XXHASH128",
        }
    }

    /// The algorithm of this name, as S3 spells it (upper case).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// Length of a value, in bytes.
    pub const fn value_len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme | Self::XxHash64 | Self::XxHash3 => 8,
            Self::Md5 | Self::XxHash128 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Whether the checksum of joined pieces can be told from those of the pieces.
    pub const fn joins(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme)
    }
}

/// A checksum of a body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checksum {
    /// How it was computed.
    pub algorithm: ChecksumAlgorithm,
    /// The value; numbers are in network byte order.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

impl Checksum {
    /// The value as S3 headers carry it.
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.value)
    }

    /// Reads a header's value; `None` if it is not padded base64 of the algorithm's length.
    pub fn from_base64(algorithm: ChecksumAlgorithm, text: &str) -> Option<Self> {
        let value = BASE64.decode(text.as_bytes()).ok()?;
        (value.len() == algorithm.value_len()).then_some(Self { algorithm, value })
    }
}

/// A checksum in the making.
pub struct ChecksumHasher {
    algorithm: ChecksumAlgorithm,
    state: State,
}

enum State {
    Crc(crc_fast::Digest),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    XxHash64(Xxh64),
    XxHash3(Box<Xxh3>),
}

impl fmt::Debug for ChecksumHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChecksumHasher").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl ChecksumHasher {
    /// Of nothing yet.
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        let crc = |parameters| State::Crc(crc_fast::Digest::new(parameters));
        let state = match algorithm {
            ChecksumAlgorithm::Crc32 => crc(crc_fast::CrcAlgorithm::Crc32IsoHdlc),
            ChecksumAlgorithm::Crc32c => crc(crc_fast::CrcAlgorithm::Crc32Iscsi),
            ChecksumAlgorithm::Crc64Nvme => crc(crc_fast::CrcAlgorithm::Crc64Nvme),
            ChecksumAlgorithm::Md5 => State::Md5(Md5::new()),
            ChecksumAlgorithm::Sha1 => State::Sha1(Sha1::new()),
            ChecksumAlgorithm::Sha256 => State::Sha256(Sha256::new()),
            ChecksumAlgorithm::Sha512 => State::Sha512(Sha512::new()),
            ChecksumAlgorithm::XxHash64 => State::XxHash64(Xxh64::new(0)),
            ChecksumAlgorithm::XxHash3 | ChecksumAlgorithm::XxHash128 => {
                State::XxHash3(Box::new(Xxh3::new()))
            }
        };
        Self { algorithm, state }
    }

    /// Goes on with `data`.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Crc(crc) => crc.update(data),
            State::Md5(md5) => md5.update(data),
            State::Sha1(sha) => sha.update(data),
            State::Sha256(sha) => sha.update(data),
            State::Sha512(sha) => sha.update(data),
            State::XxHash64(xxh) => xxh.update(data),
            State::XxHash3(xxh) => xxh.update(data),
        }
    }

    /// The checksum of all that came.
    pub fn finish(self) -> Checksum {
        let Self { algorithm, state } = self;
        let number = |bytes: &[u8]| bytes[bytes.len() - algorithm.value_len()..].to_vec();
        let value = match state {
            State::Crc(crc) => number(&crc.finalize().to_be_bytes()),
            State::Md5(md5) => md5.finalize().to_vec(),
            State::Sha1(sha) => sha.finalize().to_vec(),
            State::Sha256(sha) => sha.finalize().to_vec(),
            State::Sha512(sha) => sha.finalize().to_vec(),
            State::XxHash64(xxh) => xxh.digest().to_be_bytes().to_vec(),
            State::XxHash3(xxh) if algorithm == ChecksumAlgorithm::XxHash128 => {
                xxh.digest128().to_be_bytes().to_vec()
            }
            State::XxHash3(xxh) => xxh.digest().to_be_bytes().to_vec(),
        };
        Checksum { algorithm, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(algorithm: ChecksumAlgorithm, parts: &[&[u8]]) -> Checksum {
        let mut hasher = ChecksumHasher::new(algorithm);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finish()
    }

    /// Check values of the CRC catalogue (reveng), RFC 3174 §7.3, FIPS 180-2 appendices B.1 and C.1, RFC 1321 A.5, and
    /// those of no data of xxHash's own sanity checks.
    #[test]
    fn published_check_values_come_out() {
        use ChecksumAlgorithm::{
            Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256, Sha512, XxHash3, XxHash64, XxHash128,
        };
        let vectors: [(_, &[&[u8]], _); 10] = [
            (Crc32, &[b"1234", b"", b"56789"], "cbf43926"),
            (Crc32c, &[b"1234", b"", b"56789"], "e3069283"),
            (Crc64Nvme, &[b"1234", b"", b"56789"], "ae8b14860a799888"),
            (Sha1, &[b"a", b"bc"], "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Sha256, &[b"a", b"bc"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                Sha512,
                &[b"a", b"bc"],
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
            (Md5, &[b"a", b"bc"], "900150983cd24fb0d6963f7d28e17f72"),
            (XxHash64, &[b""], "ef46db3751d8e999"),
            (XxHash3, &[b""], "2d06800538d394c2"),
            (XxHash128, &[b""], "99aa06d3014798d86001c324468d497f"),
        ];
        for (algorithm, parts, value) in vectors {
            let checksum = checksum(algorithm, parts);
            assert_eq!(checksum.algorithm, algorithm);
            assert_eq!(hex::encode(&checksum.value), value, "{algorithm:?}");
            assert_eq!(checksum.value.len(), algorithm.value_len());
            assert_eq!(Checksum::from_base64(algorithm, &checksum.to_base64()), Some(checksum));
        }
    }

    #[test]
    fn base64_of_another_length_or_alphabet_is_refused() {
        let crc = |text| Checksum::from_base64(ChecksumAlgorithm::Crc32, text);
        assert!(crc("y/Q5Jg==").is_some());
        for text in ["", "y/Q5Jg", "y_Q5Jg==", "y/Q5Jis=", " y/Q5Jg==", "y/Q5Jh=="] {
            assert!(crc(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn names_are_those_of_s3_in_every_form() {
        for algorithm in ChecksumAlgorithm::ALL {
            assert_eq!(ChecksumAlgorithm::from_name(algorithm.as_str()), Some(algorithm));
            let json = serde_json::to_string(&algorithm).unwrap();
            assert_eq!(json, format!("\"{}\"", algorithm.as_str()));
        }
        assert_eq!(ChecksumAlgorithm::from_name("crc32"), None);
        let cbor = serde_ipld_dagcbor::to_vec(&checksum(ChecksumAlgorithm::Crc32, &[])).unwrap();
        assert_eq!(
            hex::encode(cbor),
            "a26576616c756544000000006961 6c676f726974686d65435243 3332".replace(' ', "")
        );
    }
}
