//! What is refused before the signature is looked at: heads that make no sense, which s3s would answer with other
//! codes than S3 or begin to read.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Uri, header};
use s3s::{S3Error, S3Result, s3_error};

use crate::date;
use crate::error::{access_denied, access_denied_as, detailed, invalid_argument};
use crate::options::{MAX_PRESIGNED, MAX_SKEW};
use crate::scope::Scope;
use crate::version2;

/// Checks the head of a request that nobody has vouched for yet, at the time `now`.
///
/// # Errors
/// InvalidArgument for two signatures, AccessDenied for an empty one and for URLs from another time,
/// AuthorizationHeaderMalformed and InvalidArgument for malformed ones, AuthorizationQueryParametersError for those of
/// presigned URLs, InvalidToken, MissingContentLength.
pub(crate) fn check(uri: &Uri, headers: &HeaderMap, region: &str, now: SystemTime) -> S3Result<()> {
    let query: Vec<_> = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).collect();
    let authorization = headers.get(header::AUTHORIZATION);
    if authorization.is_some() && query.iter().any(|(name, _)| SIGNATURES.contains(&&**name)) {
        return Err(s3_error!(
            InvalidArgument,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
             parameter or the Authorization header should be specified"
        ));
    }
    if query.iter().any(|(name, _)| PRESIGNED.contains(&&**name)) {
        let parameter =
            |wanted: &str| query.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value);
        check_presigned(parameter, region, date::seconds(now))?;
    }
    if let Some(value) = authorization {
        check_authorization(value, headers, region)?;
    }
    let payload = headers.get("x-amz-content-sha256");
    if let Some(value) = payload {
        check_payload_hash(value)?;
    }
    let in_chunks = payload.is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"));
    // s3s reads the digits that it begins with.
    let decoded = headers.get("x-amz-decoded-content-length").map(HeaderValue::as_bytes);
    let is_number = |length: &[u8]| !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    // Chunks that nobody has signed are refused whatever their length.
    let needed = in_chunks && authorization.is_some();
    if decoded.map_or(needed, |length| !is_number(length)) {
        return Err(s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."));
    }
    Ok(())
}

/// What in a query says that it is signed.
const SIGNATURES: [&str; 3] = ["Signature", "X-Amz-Algorithm", "X-Amz-Signature"];

/// What in a query says that it is signed with version 4.
const PRESIGNED: [&str; 3] = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"];

/// Amazon S3 API reference, "Authenticating requests: using query parameters", and S3's answers to what does not follow
/// it; `now` in seconds.
fn check_presigned<'a>(parameter: impl Fn(&str) -> Option<&'a str>, region: &str, now: u64) -> S3Result<()> {
    let (Some(algorithm), Some(credential), Some(date), Some(expires), Some(_), Some(_)) = (
        parameter("X-Amz-Algorithm"),
        parameter("X-Amz-Credential"),
        parameter("X-Amz-Date"),
        parameter("X-Amz-Expires"),
        parameter("X-Amz-SignedHeaders"),
        parameter("X-Amz-Signature"),
    ) else {
        return Err(malformed_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
             X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        ));
    };
    // None was given out.
    if parameter("X-Amz-Security-Token").is_some() {
        return Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."));
    }
    // s3s calls every other algorithm one that is not implemented, which Amazon S3 has only one of.
    if !["AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"].contains(&algorithm) {
        return Err(malformed_query("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let scope = Scope::read(credential, region).map_err(|wrong| {
        malformed_query(&format!("Error parsing the X-Amz-Credential parameter; {wrong}"))
    })?;
    let made = date::basic(date).ok_or_else(|| {
        malformed_query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    })?;
    if !date.starts_with(scope.day) {
        let (day, of_date) = (scope.day, date.get(..8).unwrap_or_default());
        return Err(malformed_query(&format!(
            "Invalid credential date \"{day}\". This date is not the same as X-Amz-Date: \"{of_date}\"."
        )));
    }
    let life = check_expiry(expires)?;
    let end = made.saturating_add(life.into());
    let times = [("Expires", date::shown(end)), ("ServerTime", date::shown(now))];
    let denied = |message: &'static str, first: (&'static str, String)| {
        let elements = std::iter::once(first).chain(times).collect();
        Err(detailed(access_denied_as(message), elements))
    };
    if made > now.saturating_add(MAX_SKEW.into()) {
        // In milliseconds, whatever the request has.
        return denied("Request is not yet valid", ("X-Amz-Date", made.saturating_mul(1000).to_string()));
    }
    if now > end {
        return denied("Request has expired", ("X-Amz-Expires", life.to_string()));
    }
    Ok(())
}

/// The life of a presigned URL, in seconds.
fn check_expiry(value: &str) -> S3Result<u32> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let wrong = match value.parse::<u32>() {
        Ok(seconds) if seconds <= MAX_PRESIGNED => return Ok(seconds),
        _ if !number => "X-Amz-Expires should be a number",
        _ if value.starts_with('-') => "X-Amz-Expires must be non-negative",
        _ => {
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds"
        }
    };
    Err(malformed_query(wrong))
}

fn malformed_query(message: &str) -> S3Error {
    s3_error!(AuthorizationQueryParametersError, "{message}")
}

/// Amazon S3 API reference, "Signature calculations for the Authorization header", and S3's answers to what does
/// not follow it.
fn check_authorization(value: &HeaderValue, headers: &HeaderMap, region: &str) -> S3Result<()> {
    let text = value.to_str().unwrap_or("?").trim();
    if text.is_empty() {
        // Nobody's signature, not a malformed one.
        return Err(access_denied());
    }
    if text.starts_with(version2::SCHEME) {
        return Ok(());
    }
    let Some((scheme, fields)) = text.split_once(|c: char| c.is_ascii_whitespace()) else {
        let message = "Authorization header is invalid -- one and only one ' ' (space) required";
        return Err(invalid_argument(message, "Authorization", text));
    };
    if scheme != "AWS4-HMAC-SHA256" {
        // What comes behind it may be a password.
        return Err(invalid_argument("Unsupported Authorization Type", "Authorization", scheme));
    }
    let malformed = |wrong: &str| {
        s3_error!(AuthorizationHeaderMalformed, "The authorization header is malformed; {wrong}")
    };
    let fields: Vec<_> = fields.split(',').map(str::trim).filter(|field| !field.is_empty()).collect();
    if fields.len() != 3 {
        return Err(malformed(
            "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
        ));
    }
    if let Some(odd) = fields.iter().find(|field| !field.contains('=')) {
        return Err(malformed(&format!("the authorization component \"{odd}\" is malformed.")));
    }
    let field = |name: &str| {
        let value = fields.iter().find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        value.ok_or_else(|| malformed(&format!("missing {name}.")))
    };
    let credential = field("Credential")?;
    field("SignedHeaders")?;
    field("Signature")?;
    let scope = Scope::read(credential, region).map_err(|wrong| malformed(&wrong))?;
    if date::shown(date::of_request(headers)?).replace('-', "").get(..8) != Some(scope.day) {
        return Err(malformed("Invalid credential date. Date is not the same as X-Amz-Date."));
    }
    Ok(())
}

/// What `x-amz-content-sha256` can be instead of a hash.
const PAYLOADS: [&str; 6] = [
    "UNSIGNED-PAYLOAD",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
];

fn check_payload_hash(value: &HeaderValue) -> S3Result<()> {
    let text = value.to_str().unwrap_or("?");
    let hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hash || PAYLOADS.contains(&text) {
        return Ok(());
    }
    let message = format!("x-amz-content-sha256 must be {} or a valid sha256 value.", PAYLOADS.join(", "));
    Err(invalid_argument(message, "x-amz-content-sha256", text))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn checked(target: &str, headers: &[(&'static str, &str)]) -> Option<(String, String)> {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let error =
            check(&target.parse().unwrap(), &headers, "us-east-1", SystemTime::UNIX_EPOCH + NOW).err()?;
        Some((error.code().as_str().to_owned(), error.message().unwrap().to_owned()))
    }

    fn code(name: &'static str, value: &str) -> Option<String> {
        Some(checked("/", &[(name, value), ("x-amz-date", "20231114T221320Z")])?.0)
    }

    /// A presigned URL in which these parameters are others, or missing where they have no value.
    fn presigned(others: &[(&str, Option<&str>)]) -> Option<(String, String)> {
        let mut parameters = [
            ("X-Amz-Algorithm", Some("AWS4-HMAC-SHA256")),
            ("X-Amz-Credential", Some("key%2F20231114%2Fus-east-1%2Fs3%2Faws4_request")),
            ("X-Amz-Date", Some("20231114T221320Z")),
            ("X-Amz-Expires", Some("60")),
            ("X-Amz-SignedHeaders", Some("host")),
            ("X-Amz-Signature", Some("00")),
            ("X-Amz-Security-Token", None),
        ];
        for (name, value) in others {
            parameters.iter_mut().find(|(known, _)| known == name).unwrap().1 = *value;
        }
        let given = parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", (*value)?)));
        checked(&format!("/b/k?{}", given.collect::<Vec<_>>().join("&")), &[])
    }

    #[test]
    fn a_presigned_url_has_all_parameters() {
        assert_eq!(presigned(&[]), None);
        for missing in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"]
            .map(|name| format!("X-Amz-{name}"))
        {
            let (code, message) = presigned(&[(&missing, None)]).unwrap();
            assert_eq!(code, "AuthorizationQueryParametersError", "{missing}");
            assert!(message.starts_with("Query-string authentication version 4 requires"), "{missing}");
        }
        assert_eq!(checked("/b/k?X-Amz-Date=1&X-Amz-Expires=1", &[]), None);
        assert_eq!(presigned(&[("X-Amz-Security-Token", Some("token"))]).unwrap().0, "InvalidToken");
    }

    #[test]
    fn what_a_presigned_url_says_is_told_apart_by_what_is_wrong_with_it() {
        for (name, value, expected) in [
            ("X-Amz-Algorithm", "AWS4", "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""),
            (
                "X-Amz-Credential",
                "key",
                "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed",
            ),
            (
                "X-Amz-Credential",
                "key/20231114/eu-west-1/s3/aws4_request",
                "Error parsing the X-Amz-Credential parameter; the region 'eu-west-1' is wrong; expecting 'us-east-1'",
            ),
            (
                "X-Amz-Credential",
                "key/20231113/us-east-1/s3/aws4_request",
                "Invalid credential date \"20231113\". This date is not the same as X-Amz-Date: \"20231114\".",
            ),
            ("X-Amz-Date", "2023-11-14", "X-Amz-Date must be in the ISO8601 Long Format"),
            ("X-Amz-Date", "20231314T221320Z", "X-Amz-Date must be in the ISO8601 Long Format"),
            ("X-Amz-Expires", "", "X-Amz-Expires should be a number"),
            ("X-Amz-Expires", "soon", "X-Amz-Expires should be a number"),
            ("X-Amz-Expires", "1.5", "X-Amz-Expires should be a number"),
            ("X-Amz-Expires", "-", "X-Amz-Expires should be a number"),
            ("X-Amz-Expires", "-1", "X-Amz-Expires must be non-negative"),
            ("X-Amz-Expires", "-99999999999999999999", "X-Amz-Expires must be non-negative"),
            ("X-Amz-Expires", "604801", "X-Amz-Expires must be less than a week"),
            ("X-Amz-Expires", "99999999999999999999", "X-Amz-Expires must be less than a week"),
        ] {
            let (code, message) = presigned(&[(name, Some(value))]).unwrap();
            assert_eq!(code, "AuthorizationQueryParametersError", "{name}={value}");
            assert!(message.starts_with(expected), "{name}={value}: {message}");
        }
    }

    #[test]
    fn a_presigned_url_has_its_time() {
        for (date, life, expected) in [
            ("20231114T221320Z", "0", None),
            ("20231114T221319Z", "0", Some("Request has expired")),
            ("20231114T221220Z", "60", None),
            ("20231114T221219Z", "60", Some("Request has expired")),
            ("20231114T222820Z", "60", None),
            ("20231114T222821Z", "604800", Some("Request is not yet valid")),
        ] {
            let found = presigned(&[("X-Amz-Date", Some(date)), ("X-Amz-Expires", Some(life))]);
            let denied = expected.map(|message| ("AccessDenied".to_owned(), message.to_owned()));
            assert_eq!(found, denied, "{date} {life}");
        }
    }

    #[test]
    fn a_request_is_signed_once() {
        for query in ["X-Amz-Signature=0", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "Signature=0"] {
            let (code, message) =
                checked(&format!("/b/k?{query}"), &[("authorization", "Bearer token")]).unwrap();
            assert_eq!(code, "InvalidArgument");
            assert!(message.starts_with("Only one auth mechanism allowed"), "{query}");
        }
    }

    #[test]
    fn authorization_is_told_apart_by_what_is_wrong_with_it() {
        let scope = "20231114/us-east-1/s3/aws4_request";
        let signed = |fields: &str| format!("AWS4-HMAC-SHA256 {fields}");
        let by =
            |credential: &str| signed(&format!("Credential={credential}, SignedHeaders=host, Signature=00"));
        let malformed = |wrong: &str| {
            Some(("AuthorizationHeaderMalformed", format!("The authorization header is malformed; {wrong}")))
        };
        let three =
            "the authorization header requires three components: Credential, SignedHeaders, and Signature.";
        for (value, expected) in [
            (String::new(), Some(("AccessDenied", "Access Denied".to_owned()))),
            ("  ".to_owned(), Some(("AccessDenied", "Access Denied".to_owned()))),
            ("AWS key:signature".to_owned(), None),
            (
                "AWS4-HMAC-SHA256".to_owned(),
                Some((
                    "InvalidArgument",
                    "Authorization header is invalid -- one and only one ' ' (space) required".to_owned(),
                )),
            ),
            (
                "Bearer token".to_owned(),
                Some(("InvalidArgument", "Unsupported Authorization Type".to_owned())),
            ),
            (signed(","), malformed(three)),
            (signed("Credential=a, SignedHeaders=b"), malformed(three)),
            (signed("Credential=a, SignedHeaders=b, Signature=c, D=d"), malformed(three)),
            (
                signed("Credential=a,SignedHeaders-b,Signature=c"),
                malformed("the authorization component \"SignedHeaders-b\" is malformed."),
            ),
            (signed("A=a,SignedHeaders=b,Signature=c"), malformed("missing Credential.")),
            (signed("Credential=a,B=b,Signature=c"), malformed("missing SignedHeaders.")),
            (signed("Credential=a,SignedHeaders=b,C=c"), malformed("missing Signature.")),
            (
                by("key/20231114/eu-west-1/s3/aws4_request"),
                malformed("the region 'eu-west-1' is wrong; expecting 'us-east-1'"),
            ),
            (
                by("key/20231115/us-east-1/s3/aws4_request"),
                malformed("Invalid credential date. Date is not the same as X-Amz-Date."),
            ),
            (by(&format!("key/{scope}")), None),
            (by(&format!("a/key/{scope}")), None),
            (format!("AWS4-HMAC-SHA256\tCredential=k/{scope},SignedHeaders=h,Signature=0"), None),
        ] {
            let expected = expected.map(|(code, message)| (code.to_owned(), message));
            let found = checked("/", &[("authorization", &value), ("x-amz-date", "20231114T221320Z")]);
            assert_eq!(found, expected, "{value}");
        }
        let undated = checked("/", &[("authorization", &by(&format!("key/{scope}")))]).unwrap();
        assert_eq!(undated.1, "AWS authentication requires a valid Date or x-amz-date header");
    }

    #[test]
    fn payload_hashes_and_lengths_have_a_form() {
        for good in ["UNSIGNED-PAYLOAD", &"0a".repeat(32)] {
            assert_eq!(code("x-amz-content-sha256", good), None);
        }
        for bad in ["", "hash", "STREAMING-PAYLOAD", &"0".repeat(63), &"g".repeat(64)] {
            assert_eq!(code("x-amz-content-sha256", bad).as_deref(), Some("InvalidArgument"), "{bad}");
        }
        let in_chunks = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        assert_eq!(checked("/", &[in_chunks]), None);
        let by_version_2 = ("authorization", "AWS key:signature");
        assert_eq!(checked("/", &[in_chunks, by_version_2]).unwrap().0, "MissingContentLength");
        assert_eq!(checked("/", &[in_chunks, ("x-amz-decoded-content-length", "0")]), None);
        for bad in ["", "5x", "-1", "+1", " 1"] {
            let found = code("x-amz-decoded-content-length", bad);
            assert_eq!(found.as_deref(), Some("MissingContentLength"), "{bad}");
        }
    }
}
