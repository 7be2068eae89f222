//! Checksums that a request declares for its body.
//!
//! A value stands in a header, or comes in a trailer behind an aws-chunked body. s3s passes both on unverified.

use bytes::Bytes;
use carob_bucket::{Checksum, ChecksumAlgorithm, Uploaded};
use data_encoding::BASE64;
use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::{S3Error, S3Result, TrailingHeaders, s3_error};

use super::{hashing, header_name};
use crate::error::custom;

/// What a client says its body hashes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    md5: Option<[u8; 16]>,
    checksum: Option<Promise>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Promise {
    Value(Checksum),
    Trailer(ChecksumAlgorithm),
}

impl Declared {
    /// Reads `Content-MD5`, `x-amz-checksum-*`, `x-amz-trailer` and `x-amz-sdk-checksum-algorithm`.
    ///
    /// # Errors
    /// InvalidDigest for an MD5 that is none, InvalidRequest for whatever else does not make sense.
    pub(crate) fn parse(headers: &HeaderMap) -> S3Result<Self> {
        let mut checksum = None;
        if let Some((algorithm, value)) = only_value(headers)? {
            let value = value.to_str().ok().and_then(|text| Checksum::from_base64(algorithm, text));
            let invalid =
                || s3_error!(InvalidRequest, "Value for {} header is invalid.", header_name(algorithm));
            checksum = Some(Promise::Value(value.ok_or_else(invalid)?));
        }
        for name in trailer_names(headers) {
            let known =
                ChecksumAlgorithm::ALL.into_iter().find(|a| name.eq_ignore_ascii_case(header_name(*a)));
            let algorithm = known.ok_or_else(|| {
                s3_error!(InvalidRequest, "The value specified in the x-amz-trailer header is not supported")
            })?;
            if checksum.replace(Promise::Trailer(algorithm)).is_some() {
                return Err(several());
            }
        }
        check_sdk_algorithm(headers, checksum.as_ref())?;
        Ok(Self { md5: content_md5(headers)?, checksum })
    }

    /// Reads `Content-MD5` alone, where the checksum is not of the body.
    ///
    /// # Errors
    /// InvalidDigest.
    pub(crate) fn md5_alone(headers: &HeaderMap) -> S3Result<Self> {
        Ok(Self { md5: content_md5(headers)?, checksum: None })
    }

    /// Whether anything is declared: DeleteObjects insists on it.
    pub(crate) fn is_empty(&self) -> bool {
        self.md5.is_none() && self.checksum.is_none()
    }

    /// The algorithm to compute and keep: the declared one, or the one S3 takes when none is.
    pub(crate) fn algorithm(&self) -> ChecksumAlgorithm {
        self.declared_algorithm().unwrap_or(ChecksumAlgorithm::Crc64Nvme)
    }

    /// The declared algorithm.
    pub(crate) fn declared_algorithm(&self) -> Option<ChecksumAlgorithm> {
        match &self.checksum {
            Some(Promise::Value(checksum)) => Some(checksum.algorithm),
            Some(Promise::Trailer(algorithm)) => Some(*algorithm),
            None => None,
        }
    }

    /// Compares an object's body with what was declared; `trailers` are those behind it. Gives the checksum to keep.
    ///
    /// # Errors
    /// BadDigest, or MalformedTrailerError for a trailer that is missing or not one that was announced.
    pub(crate) fn verify(
        &self,
        body: &Uploaded,
        trailers: Option<&TrailingHeaders>,
    ) -> S3Result<Option<Checksum>> {
        let computed = body.checksums().iter().find(|checksum| checksum.algorithm == self.algorithm());
        self.verify_values(&body.md5(), computed, trailers)?;
        Ok(computed.cloned())
    }

    /// Compares a document with what was declared.
    ///
    /// # Errors
    /// As [`Declared::verify`].
    pub(crate) async fn verify_document(
        &self,
        document: Bytes,
        trailers: Option<&TrailingHeaders>,
    ) -> S3Result<()> {
        let computed = hashing::of_document(self.algorithm(), document).await?;
        self.verify_values(&computed.md5, Some(&computed.checksum), trailers)
    }

    fn verify_values(
        &self,
        md5: &[u8],
        computed: Option<&Checksum>,
        trailers: Option<&TrailingHeaders>,
    ) -> S3Result<()> {
        let expected = match &self.checksum {
            None => None,
            Some(Promise::Value(checksum)) => Some(checksum.clone()),
            Some(Promise::Trailer(algorithm)) => Some(from_trailer(*algorithm, trailers)?),
        };
        if let Some(expected) = expected
            && computed != Some(&expected)
        {
            let name = expected.algorithm.as_str();
            return Err(s3_error!(
                BadDigest,
                "The {name} you specified did not match the calculated checksum."
            ));
        }
        if self.md5.is_some_and(|expected| expected != md5) {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
        Ok(())
    }
}

/// The value of the one `x-amz-checksum-*` header of an algorithm.
///
/// # Errors
/// InvalidRequest for several, whatever they are.
pub(crate) fn only_value(headers: &HeaderMap) -> S3Result<Option<(ChecksumAlgorithm, &HeaderValue)>> {
    let mut values = ChecksumAlgorithm::ALL.into_iter().flat_map(|algorithm| {
        headers.get_all(header_name(algorithm)).iter().map(move |value| (algorithm, value))
    });
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(several()),
        (only, None) => Ok(only),
    }
}

fn trailer_names(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all("x-amz-trailer").iter();
    lines
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

fn from_trailer(algorithm: ChecksumAlgorithm, trailers: Option<&TrailingHeaders>) -> S3Result<Checksum> {
    let malformed = || {
        custom(
            "MalformedTrailerError",
            StatusCode::BAD_REQUEST,
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        )
    };
    let name = header_name(algorithm);
    let text = trailers.and_then(|trailers| {
        trailers.read(|map| map.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned))
    });
    let text = text.flatten().ok_or_else(malformed)?;
    Checksum::from_base64(algorithm, &text)
        .ok_or_else(|| s3_error!(InvalidRequest, "Value for {name} trailing header is invalid."))
}

fn check_sdk_algorithm(headers: &HeaderMap, checksum: Option<&Promise>) -> S3Result<()> {
    let Some(value) = headers.get("x-amz-sdk-checksum-algorithm") else { return Ok(()) };
    let declared = match checksum {
        None => {
            return Err(s3_error!(
                InvalidRequest,
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer \
                 headers were found."
            ));
        }
        Some(Promise::Value(checksum)) => checksum.algorithm,
        Some(Promise::Trailer(algorithm)) => *algorithm,
    };
    if value.to_str().is_ok_and(|name| name.eq_ignore_ascii_case(declared.as_str())) {
        Ok(())
    } else {
        Err(s3_error!(InvalidRequest, "Value for x-amz-sdk-checksum-algorithm header is invalid."))
    }
}

fn content_md5(headers: &HeaderMap) -> S3Result<Option<[u8; 16]>> {
    let mut values = headers.get_all("content-md5").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let md5 = BASE64.decode(value.as_bytes()).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    match md5 {
        Some(md5) if values.next().is_none() => Ok(Some(md5)),
        _ => Err(s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid.")),
    }
}

fn several() -> S3Error {
    s3_error!(
        InvalidRequest,
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(headers: &[(&'static str, &'static str)]) -> Result<Declared, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Declared::parse(&map)
            .map_err(|error| format!("{} {}", error.code().as_str(), error.message().unwrap()))
    }

    async fn verify(declared: &Declared, document: &'static str) -> S3Result<()> {
        declared.verify_document(Bytes::from_static(document.as_bytes()), None).await
    }

    #[test]
    fn without_a_declaration_the_default_of_s3_is_computed() {
        let declared = parse(&[]).unwrap();
        assert!(declared.is_empty());
        assert_eq!(declared.algorithm(), ChecksumAlgorithm::Crc64Nvme);
    }

    #[tokio::test]
    async fn a_value_in_a_header_is_compared_with_the_body() {
        // The check value of CRC-32, of "123456789".
        let declared = parse(&[("x-amz-checksum-crc32", "y/Q5Jg==")]).unwrap();
        assert!(verify(&declared, "123456789").await.is_ok());
        let error = verify(&declared, "12345678").await.unwrap_err();
        assert_eq!(error.code().as_str(), "BadDigest");
        assert_eq!(error.message(), Some("The CRC32 you specified did not match the calculated checksum."));
    }

    #[tokio::test]
    async fn md5_is_compared_too() {
        let declared = parse(&[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")]).unwrap();
        assert!(verify(&declared, "").await.is_ok());
        assert_eq!(verify(&declared, "x").await.unwrap_err().code().as_str(), "BadDigest");
    }

    #[tokio::test]
    async fn a_promised_trailer_must_come() {
        let declared = parse(&[("x-amz-trailer", "x-amz-checksum-crc32")]).unwrap();
        assert_eq!(declared.algorithm(), ChecksumAlgorithm::Crc32);
        assert_eq!(verify(&declared, "x").await.unwrap_err().code().as_str(), "MalformedTrailerError");
    }

    #[test]
    fn nonsense_is_refused() {
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[("x-amz-checksum-crc32", "xyz")], "Value for x-amz-checksum-crc32 header is invalid."),
            (&[("x-amz-checksum-sha256", "y/Q5Jg==")], "Value for x-amz-checksum-sha256 header is invalid."),
            (
                &[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "y/Q5Jg==")],
                "Multiple checksum Types are not allowed.",
            ),
            (
                &[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "xyz")],
                "Multiple checksum Types are not allowed.",
            ),
            (
                &[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-trailer", "x-amz-checksum-sha1")],
                "Multiple checksum Types are not allowed.",
            ),
            (&[("x-amz-trailer", "x-amz-meta-late")], "x-amz-trailer header is not supported"),
            (&[("x-amz-sdk-checksum-algorithm", "CRC32")], "headers were found."),
            (
                &[("x-amz-sdk-checksum-algorithm", "SHA1"), ("x-amz-checksum-crc32", "y/Q5Jg==")],
                "Value for x-amz-sdk-checksum-algorithm header is invalid.",
            ),
        ];
        for (headers, message) in table {
            let mut map = HeaderMap::new();
            for (name, value) in *headers {
                map.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            let error = Declared::parse(&map).unwrap_err();
            assert_eq!(error.code().as_str(), "InvalidRequest", "{headers:?}");
            assert!(error.message().unwrap().ends_with(message), "{headers:?}: {:?}", error.message());
        }
        for md5 in ["", "x", "1B2M2Y8AsgTpgAmY7PhCfg", "y/Q5Jg=="] {
            assert!(parse(&[("content-md5", md5)]).unwrap_err().starts_with("InvalidDigest"), "{md5}");
        }
    }
}
