//! Checksums that S3 knows.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

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
}

impl ChecksumAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// S3's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
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
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// A checksum of a body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checksum {
    /// How it was computed.
    pub algorithm: ChecksumAlgorithm,
    /// The value; CRCs are in network byte order.
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
#[derive(Debug)]
pub(crate) enum ChecksumHasher {
    Crc(ChecksumAlgorithm, crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl ChecksumHasher {
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> Self {
        let crc = |parameters| Self::Crc(algorithm, crc_fast::Digest::new(parameters));
        match algorithm {
            ChecksumAlgorithm::Crc32 => crc(crc_fast::CrcAlgorithm::Crc32IsoHdlc),
            ChecksumAlgorithm::Crc32c => crc(crc_fast::CrcAlgorithm::Crc32Iscsi),
            ChecksumAlgorithm::Crc64Nvme => crc(crc_fast::CrcAlgorithm::Crc64Nvme),
            ChecksumAlgorithm::Sha1 => Self::Sha1(Sha1::new()),
            ChecksumAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Crc(_, crc) => crc.update(data),
            Self::Sha1(sha) => sha.update(data),
            Self::Sha256(sha) => sha.update(data),
        }
    }

    pub(crate) fn finish(self) -> Checksum {
        match self {
            Self::Crc(algorithm, crc) => {
                let value = crc.finalize().to_be_bytes();
                Checksum { algorithm, value: value[value.len() - algorithm.value_len()..].to_vec() }
            }
            Self::Sha1(sha) => {
                Checksum { algorithm: ChecksumAlgorithm::Sha1, value: sha.finalize().to_vec() }
            }
            Self::Sha256(sha) => {
                Checksum { algorithm: ChecksumAlgorithm::Sha256, value: sha.finalize().to_vec() }
            }
        }
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

    /// Check values of the CRC catalogue (reveng), RFC 3174 §7.3 and FIPS 180-2 appendix B.1.
    #[test]
    fn published_check_values_come_out() {
        use ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
        let vectors: [(_, &[&[u8]], _); 5] = [
            (Crc32, &[b"1234", b"", b"56789"], "cbf43926"),
            (Crc32c, &[b"1234", b"", b"56789"], "e3069283"),
            (Crc64Nvme, &[b"1234", b"", b"56789"], "ae8b14860a799888"),
            (Sha1, &[b"a", b"bc"], "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Sha256, &[b"a", b"bc"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
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
