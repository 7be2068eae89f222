//! AWS Signature Version 4 by header ("Authenticating Requests: Using the Authorization Header", AWS S3 API
//! reference).

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

/// An access key and its secret.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}, …)", self.access_key)
    }
}

/// What of a request is signed, beside its headers.
pub(crate) struct Signable<'a> {
    pub(crate) method: &'a str,
    /// Already percent-encoded by [`encode_path`].
    pub(crate) path: &'a str,
    /// Already canonical, see [`canonical_query`].
    pub(crate) query: &'a str,
    /// Hex SHA-256 of the body, or `UNSIGNED-PAYLOAD`.
    pub(crate) payload_hash: &'a str,
}

/// Adds `x-amz-date`, `x-amz-content-sha256` and `authorization` to `headers`, signing all of `headers`.
pub(crate) fn sign(
    credentials: &Credentials,
    region: &str,
    now: OffsetDateTime,
    request: &Signable<'_>,
    headers: &mut HeaderMap,
) -> Result<()> {
    let timestamp = now.format(format_description!("[year][month][day]T[hour][minute][second]Z"))?;
    let date = &timestamp[..8];
    headers.insert("x-amz-date", timestamp.parse()?);
    headers.insert("x-amz-content-sha256", request.payload_hash.parse()?);

    let mut signed = headers
        .iter()
        .map(|(name, value)| Ok((name.as_str(), value.to_str()?.trim())))
        .collect::<Result<Vec<_>>>()
        .context("header is not ASCII")?;
    signed.sort_unstable();
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();

    let Signable { method, path, query, payload_hash } = request;
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload_hash}");
    let scope = format!("{date}/{region}/s3/aws4_request");
    let digest = hex::encode(Sha256::digest(canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}");

    let mut key = hmac(format!("AWS4{}", credentials.secret_key).as_bytes(), date)?;
    for part in [region, "s3", "aws4_request"] {
        key = hmac(&key, part)?;
    }
    let signature = hex::encode(hmac(&key, &to_sign)?);
    let access_key = &credentials.access_key;
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/{scope},SignedHeaders={names},Signature={signature}"
    );
    headers.insert("authorization", authorization.parse()?);
    Ok(())
}

fn hmac(key: &[u8], message: &str) -> Result<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(message.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

/// Percent-encodes all but the unreserved characters of RFC 3986 §2.3, and `/`.
pub(crate) fn encode_path(path: &str) -> String {
    encode(path, true)
}

/// Encodes and sorts query parameters as the signature wants them.
pub(crate) fn canonical_query(parameters: &[(&str, &str)]) -> String {
    let mut encoded: Vec<_> =
        parameters.iter().map(|(name, value)| (encode(name, false), encode(value, false))).collect();
    encoded.sort_unstable();
    encoded.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn encode(text: &str, keep_slash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            b'/' if keep_slash => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use time::macros::datetime;

    use super::*;

    // The examples of "Signature Calculations for the Authorization Header", AWS S3 API reference.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn signature(request: &Signable<'_>, extra: &[(&'static str, &str)]) -> String {
        let credentials = Credentials {
            access_key: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        };
        let mut headers = HeaderMap::new();
        headers.insert("host", "examplebucket.s3.amazonaws.com".parse().unwrap());
        for (name, value) in extra {
            headers.insert(*name, value.parse().unwrap());
        }
        sign(&credentials, "us-east-1", datetime!(2013-05-24 0:00 UTC), request, &mut headers).unwrap();
        let header = headers["authorization"].to_str().unwrap();
        header.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn ranged_get_is_signed_as_in_the_reference() {
        let request = Signable { method: "GET", path: "/test.txt", query: "", payload_hash: EMPTY };
        assert_eq!(
            signature(&request, &[("range", "bytes=0-9")]),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn put_of_a_key_with_a_dollar_is_signed_as_in_the_reference() {
        let payload_hash = hex::encode(Sha256::digest("Welcome to Amazon S3."));
        let path = encode_path("/test$file.text");
        let request = Signable { method: "PUT", path: &path, query: "", payload_hash: &payload_hash };
        let extra =
            [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
        assert_eq!(
            signature(&request, &extra),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
    }

    #[test]
    fn listing_is_signed_as_in_the_reference() {
        let query = canonical_query(&[("prefix", "J"), ("max-keys", "2")]);
        let request = Signable { method: "GET", path: "/", query: &query, payload_hash: EMPTY };
        assert_eq!(
            signature(&request, &[]),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }
}
