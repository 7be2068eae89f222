//! The key that a client sends with a request, SSE-C.

use std::fmt;

use carob_identity::WrappingKey;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::checksum::ChecksumHasher;
use s3s::{S3Error, S3Result, s3_error};
use zeroize::Zeroizing;

use super::AES256;
use crate::error::custom;

/// A customer's key. Wiped from memory when dropped, never printed.
pub(crate) struct CustomerKey {
    pub(super) key: WrappingKey,
    /// Its MD5 in base64, as answers repeat it.
    pub(super) md5: String,
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerKey(…)")
    }
}

/// Where the headers of a key stand, and whether all are needed.
#[derive(Debug, Clone, Copy)]
struct Place {
    prefix: &'static str,
    /// S3 takes a key to read with without its MD5.
    needs_md5: bool,
}

impl CustomerKey {
    /// The key that something is to be written with.
    ///
    /// # Errors
    /// InvalidArgument and InvalidEncryptionAlgorithmError for headers that do not belong together, or that are none.
    pub(crate) fn to_write(headers: &HeaderMap) -> S3Result<Option<Self>> {
        Self::parse(headers, Place { prefix: "x-amz-server-side-encryption-customer-", needs_md5: true })
    }

    /// The key that something is to be read with.
    ///
    /// # Errors
    /// As [`CustomerKey::to_write`].
    pub(crate) fn to_read(headers: &HeaderMap) -> S3Result<Option<Self>> {
        Self::parse(headers, Place { prefix: "x-amz-server-side-encryption-customer-", needs_md5: false })
    }

    /// The key of the source of a copy.
    ///
    /// # Errors
    /// As [`CustomerKey::to_write`].
    pub(crate) fn of_source(headers: &HeaderMap) -> S3Result<Option<Self>> {
        let prefix = "x-amz-copy-source-server-side-encryption-customer-";
        Self::parse(headers, Place { prefix, needs_md5: false })
    }

    fn parse(headers: &HeaderMap, place: Place) -> S3Result<Option<Self>> {
        let given = |name: &str| headers.get(format!("{}{name}", place.prefix)).map(HeaderValue::as_bytes);
        let (algorithm, key, sum) = (given("algorithm"), given("key"), given("key-md5"));
        if algorithm.is_none() && key.is_none() && sum.is_none() {
            return Ok(None);
        }
        match algorithm {
            None => return Err(missing("a valid encryption algorithm")),
            Some(algorithm) if algorithm != AES256.as_bytes() => return Err(bad_algorithm()),
            Some(_) => {}
        }
        let key = key.ok_or_else(|| missing("an appropriate secret key"))?;
        if place.needs_md5 && sum.is_none() {
            return Err(missing("the client calculated MD5 of the secret key"));
        }
        let decoded = BASE64.decode(key).map(Zeroizing::new).map_err(|_| bad_key())?;
        let mut bytes = Zeroizing::new([0; 32]);
        match decoded.len() == bytes.len() {
            true => bytes.copy_from_slice(&decoded),
            false => return Err(bad_key()),
        }
        let md5 = md5(&bytes);
        if sum.is_some_and(|sum| sum != md5.as_bytes()) {
            return Err(s3_error!(
                InvalidArgument,
                "The calculated MD5 hash of the key did not match the hash that was provided."
            ));
        }
        Ok(Some(Self { key: WrappingKey::new(bytes), md5 }))
    }
}

/// MD5 in base64.
fn md5(key: &[u8; 32]) -> String {
    let mut hasher = ChecksumHasher { md5: Some(Default::default()), ..ChecksumHasher::default() };
    hasher.update(key);
    hasher.finalize().checksum_md5.unwrap_or_default()
}

fn missing(what: &str) -> S3Error {
    s3_error!(
        InvalidArgument,
        "Requests specifying Server Side Encryption with Customer provided keys must provide {what}."
    )
}

fn bad_key() -> S3Error {
    s3_error!(InvalidArgument, "The secret key was invalid for the specified algorithm.")
}

fn bad_algorithm() -> S3Error {
    custom(
        "InvalidEncryptionAlgorithmError",
        StatusCode::BAD_REQUEST,
        "The encryption request you specified is not valid. The valid value is AES256.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs=";
    const MD5: &str = "DWygnHRtgiJ77HCm+1rvHw==";

    fn parsed(algorithm: Option<&str>, key: Option<&str>, md5: Option<&str>) -> (HeaderMap, [String; 2]) {
        let mut headers = HeaderMap::new();
        for (name, value) in [("algorithm", algorithm), ("key", key), ("key-md5", md5)] {
            if let Some(value) = value {
                let name = format!("x-amz-server-side-encryption-customer-{name}");
                headers.insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
            }
        }
        let told = |key: S3Result<Option<CustomerKey>>| match key {
            Ok(None) => "nothing".to_owned(),
            Ok(Some(key)) => key.md5,
            Err(error) => format!("{}: {}", error.code().as_str(), error.message().unwrap_or_default()),
        };
        let told = [told(CustomerKey::to_write(&headers)), told(CustomerKey::to_read(&headers))];
        (headers, told)
    }

    #[test]
    fn a_key_needs_its_algorithm_and_its_length_and_to_be_written_with_its_md5() {
        let provide = "InvalidArgument: Requests specifying Server Side Encryption with Customer provided keys must \
                       provide ";
        for (headers, write, read) in [
            ((None, None, None), "nothing".to_owned(), None),
            ((Some("AES256"), Some(KEY), Some(MD5)), MD5.to_owned(), None),
            (
                (Some("AES256"), Some(KEY), None),
                format!("{provide}the client calculated MD5 of the secret key."),
                Some(MD5),
            ),
            ((Some("AES256"), None, Some(MD5)), format!("{provide}an appropriate secret key."), None),
            ((Some("AES256"), None, None), format!("{provide}an appropriate secret key."), None),
            ((None, Some(KEY), Some(MD5)), format!("{provide}a valid encryption algorithm."), None),
            ((None, Some(KEY), None), format!("{provide}a valid encryption algorithm."), None),
            (
                (Some("AES128"), Some(KEY), Some(MD5)),
                "InvalidEncryptionAlgorithmError: The encryption request you specified is not valid. The valid value \
                 is AES256."
                    .to_owned(),
                None,
            ),
            (
                (Some("AES256"), Some("c2hvcnQ="), Some(MD5)),
                "InvalidArgument: The secret key was invalid for the specified algorithm.".to_owned(),
                None,
            ),
            (
                (Some("AES256"), Some("not base64"), Some(MD5)),
                "InvalidArgument: The secret key was invalid for the specified algorithm.".to_owned(),
                None,
            ),
            (
                (Some("AES256"), Some(KEY), Some("AAAAAAAAAAAAAAAAAAAAAA==")),
                "InvalidArgument: The calculated MD5 hash of the key did not match the hash that was provided."
                    .to_owned(),
                None,
            ),
        ] {
            let (_, [written, reading]) = parsed(headers.0, headers.1, headers.2);
            assert_eq!(written, write, "{headers:?}");
            assert_eq!(reading, read.unwrap_or(&write), "{headers:?}");
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        let (headers, _) = parsed(Some("AES256"), Some(KEY), Some(MD5));
        assert_eq!(format!("{:?}", CustomerKey::to_write(&headers).unwrap()), "Some(CustomerKey(…))");
    }
}
