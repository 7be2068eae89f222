//! Signature version 4, for requests under `/_carob/` and reads of objects.
//!
//! Source: AWS General Reference, "Create a signed AWS API request".

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

/// The hash that stands for a body that is not hashed.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// An access key, and what else a signature takes.
#[derive(Clone)]
pub struct Access {
    /// The access key's id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The region that the gateway is in.
    pub region: String,
    /// Tells the time.
    pub now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("id", &self.id).field("region", &self.region).finish_non_exhaustive()
    }
}

/// What is signed. Path and query are percent-encoded, all but the unreserved characters of RFC 3986 and the slashes of the
/// path.
pub(super) struct ToSign<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// Names in lower case; `host` is among them.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Hex of the body's SHA-256, or [`UNSIGNED`].
    pub(super) payload: &'a str,
}

impl Access {
    /// The headers to send: those given, those that belong to a signature, and the signature.
    pub(super) fn sign(&self, request: ToSign<'_>) -> Vec<(&'static str, String)> {
        let ToSign { method, path, query, mut headers, payload } = request;
        let now = OffsetDateTime::from((self.now)());
        let format = format_description!("[year][month][day]T[hour][minute][second]Z");
        let moment = now.format(format).unwrap_or_default();
        let day = moment.get(..8).unwrap_or_default();
        headers.push(("x-amz-content-sha256", payload.to_owned()));
        headers.push(("x-amz-date", moment.clone()));
        headers.sort();
        let mut pairs: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).collect();
        pairs.sort_unstable();
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let canonical = [method, path, &pairs.join("&"), &lines, &names, payload].join("\n");
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let hashed = hex(&Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}");
        let secret = format!("AWS4{}", self.secret);
        let key = [day, &self.region, "s3", "aws4_request"]
            .iter()
            .fold(secret.into_bytes(), |key, part| mac(&key, part.as_bytes()));
        let signature = hex(&mac(&key, to_sign.as_bytes()));
        let id = &self.id;
        headers.push((
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"),
        ));
        headers
    }
}

/// The hash of a body.
pub(super) fn payload(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// Amazon S3 API reference, "Signature calculations for the Authorization header": the example of a GET of an object
    /// and that of a listing.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let access = Access {
            id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            region: "us-east-1".into(),
            // 2013-05-24T00:00:00Z.
            now: Arc::new(|| UNIX_EPOCH + Duration::from_hours(380_376)),
        };
        let empty = payload(b"");
        let sign = |path, query, more: Option<(&'static str, &str)>| {
            let mut headers = vec![("host", "examplebucket.s3.amazonaws.com".to_owned())];
            headers.extend(more.map(|(name, value)| (name, value.to_owned())));
            let signed = access.sign(ToSign { method: "GET", path, query, headers, payload: &empty });
            let (_, authorization) = signed.last().cloned().unwrap();
            authorization.split_once("Signature=").unwrap().1.to_owned()
        };
        assert_eq!(
            sign("/test.txt", "", Some(("range", "bytes=0-9"))),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        assert_eq!(
            sign("/", "prefix=J&max-keys=2", None),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }
}
