//! SigV4 as a client does it, written from the specification so that it shares no code with the server
//! (Amazon S3 API reference, "Signature calculations for the Authorization header").

use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) time: SystemTime,
}

/// A request as it will be sent: the path and the query values are still to be encoded.
pub(crate) struct ToSign<'a> {
    pub(crate) method: &'a str,
    /// Percent-encoded.
    pub(crate) path: &'a str,
    /// Not encoded.
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a [(String, String)],
    pub(crate) payload: &'a str,
}

impl Signer {
    /// `x-amz-date`.
    pub(crate) fn date(&self) -> String {
        let seconds = self.time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(i64::try_from(days).unwrap());
        format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
    }

    pub(crate) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", &self.date()[..8], self.region, self.service)
    }

    /// The `Authorization` header; all given headers are signed.
    pub(crate) fn authorization(&self, request: &ToSign<'_>) -> String {
        let (names, signature) = self.sign(request);
        let (key, scope) = (&self.key, self.scope());
        format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}")
    }

    /// The signed header names and the signature.
    pub(crate) fn sign(&self, request: &ToSign<'_>) -> (String, String) {
        let mut headers: Vec<(String, String)> =
            request.headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())).collect();
        headers.sort_by(|(a, _), (b, _)| a.cmp(b));
        headers.dedup_by(|next, line| {
            let same = next.0 == line.0;
            if same {
                line.1 = format!("{},{}", line.1, next.1);
            }
            same
        });
        let names: Vec<_> = headers.iter().map(|(name, _)| name.clone()).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical =
            [request.method, request.path, &canonical_query(request.query), &lines, &names, request.payload]
                .join("\n");
        let signature = self.seal(&format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.date(),
            self.scope(),
            hash(canonical.as_bytes())
        ));
        (names, signature)
    }

    /// Signs a string with the day's key.
    pub(crate) fn seal(&self, text: &str) -> String {
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [&self.date()[..8], &self.region, &self.service, "aws4_request", text] {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(part.as_bytes());
            key = mac.finalize().into_bytes().to_vec();
        }
        hex::encode(key)
    }
}

pub(crate) fn canonical_query(query: &[(String, String)]) -> String {
    let mut pairs: Vec<_> = query.iter().map(|(n, v)| (encode(n, ""), encode(v, ""))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Percent-encoding by the rules of SigV4; `keep` is left alone besides the unreserved characters.
pub(crate) fn encode(text: &str, keep: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.as_bytes().contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

pub(crate) fn hash(data: &[u8]) -> String {
    hex::encode(Sha256::digest(data))
}

/// Year, month and day of a day since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// The example request of the specification, "Example: GET Object".
#[test]
fn signer_agrees_with_the_specification() {
    let signer = Signer {
        key: "AKIAIOSFODNN7EXAMPLE".into(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        region: "us-east-1".into(),
        service: "s3".into(),
        time: SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(380_376),
    };
    let empty = hash(b"");
    let headers = [
        ("Host", "examplebucket.s3.amazonaws.com"),
        ("Range", "bytes=0-9"),
        ("x-amz-content-sha256", &empty),
        ("x-amz-date", "20130524T000000Z"),
    ];
    let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let request = ToSign { method: "GET", path: "/test.txt", query: &[], headers: &headers, payload: &empty };
    assert_eq!(signer.date(), "20130524T000000Z");
    assert_eq!(signer.sign(&request).1, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}
