//! What is refused before the signature is looked at: heads that make no sense, which s3s would answer with other
//! codes than S3 or begin to read.

use http::{HeaderMap, HeaderValue, Uri, header};
use s3s::{S3Result, s3_error};

use crate::error::access_denied;
use crate::options::MAX_PRESIGNED;
use crate::version2;

/// Checks the head of a request that nobody has vouched for yet.
///
/// # Errors
/// InvalidArgument for two signatures, AccessDenied for an empty one, AuthorizationHeaderMalformed and InvalidArgument for
/// malformed ones, AuthorizationQueryParametersError for those of presigned URLs, and for one that lives too long.
pub(crate) fn check(uri: &Uri, headers: &HeaderMap, region: &str) -> S3Result<()> {
    let query: Vec<_> = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).collect();
    let authorization = headers.get(header::AUTHORIZATION);
    if authorization.is_some() && query.iter().any(|(name, _)| SIGNATURES.contains(&&**name)) {
        return Err(s3_error!(
            InvalidArgument,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
             parameter or the Authorization header should be specified"
        ));
    }
    for (name, value) in &query {
        match &**name {
            "X-Amz-Algorithm" => check_algorithm(value)?,
            "X-Amz-Credential" => check_presigned_credential(value, region)?,
            "X-Amz-Expires" => check_expiry(value)?,
            _ => {}
        }
    }
    if let Some(value) = authorization {
        check_authorization(value)?;
    }
    if let Some(value) = headers.get("x-amz-content-sha256") {
        check_payload_hash(value)?;
    }
    // s3s reads the digits that it begins with.
    let decoded = headers.get("x-amz-decoded-content-length").map(HeaderValue::as_bytes);
    if decoded.is_some_and(|length| length.is_empty() || !length.iter().all(u8::is_ascii_digit)) {
        return Err(s3_error!(InvalidArgument, "x-amz-decoded-content-length is not a number."));
    }
    Ok(())
}

/// What in a query says that it is signed.
const SIGNATURES: [&str; 3] = ["Signature", "X-Amz-Algorithm", "X-Amz-Signature"];

/// How the credential of a signature ends: the region, the service and the terminal word.
struct Scope<'a> {
    region: &'a str,
    service: &'a str,
}

impl<'a> Scope<'a> {
    fn parse(credential: &'a str) -> Option<Self> {
        // From the right: an access key may hold slashes.
        let mut parts = credential.rsplit('/');
        let (terminal, service, region) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = terminal == "aws4_request" && parts.count() >= 2;
        // Others could not be repeated in an error.
        (whole && credential.bytes().all(|byte| byte.is_ascii_graphic())).then_some(Self { region, service })
    }
}

/// s3s calls every other algorithm one that is not implemented, which Amazon S3 has only one of.
fn check_algorithm(value: &str) -> S3Result<()> {
    match value {
        "AWS4-HMAC-SHA256" | "AWS4-ECDSA-P256-SHA256" => Ok(()),
        _ => Err(s3_error!(
            AuthorizationQueryParametersError,
            "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""
        )),
    }
}

/// s3s knows the errors of the header alone.
fn check_presigned_credential(credential: &str, region: &str) -> S3Result<()> {
    let wrong = match Scope::parse(credential) {
        None => {
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
                .to_owned()
        }
        Some(scope) if scope.service != "s3" => {
            format!("incorrect service \"{}\". This endpoint belongs to \"s3\".", scope.service)
        }
        Some(scope) if scope.region != region => {
            format!("the region '{}' is wrong; expecting '{region}'", scope.region)
        }
        Some(_) => return Ok(()),
    };
    Err(s3_error!(AuthorizationQueryParametersError, "Error parsing the X-Amz-Credential parameter; {wrong}"))
}

/// The life of a presigned URL, which s3s checks too, but says nothing about.
fn check_expiry(value: &str) -> S3Result<()> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let wrong = match value.parse::<u32>() {
        Ok(seconds) if seconds <= MAX_PRESIGNED => return Ok(()),
        _ if !number => "X-Amz-Expires should be a number",
        _ if value.starts_with('-') => "X-Amz-Expires must be non-negative",
        _ => {
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds"
        }
    };
    Err(s3_error!(AuthorizationQueryParametersError, "{wrong}"))
}

/// Amazon S3 API reference, "Signature calculations for the Authorization header", and S3's answers to what does
/// not follow it.
fn check_authorization(value: &HeaderValue) -> S3Result<()> {
    let text = value.to_str().unwrap_or("?").trim();
    if text.is_empty() {
        // Nobody's signature, not a malformed one.
        return Err(access_denied());
    }
    if text.starts_with(version2::SCHEME) {
        return Ok(());
    }
    let Some(fields) = text.strip_prefix("AWS4-HMAC-SHA256") else {
        return Err(s3_error!(InvalidArgument, "Unsupported Authorization Type"));
    };
    let field =
        |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
    let (Some(credential), Some(_), Some(_)) =
        (field("Credential"), field("SignedHeaders"), field("Signature"))
    else {
        return Err(s3_error!(
            AuthorizationHeaderMalformed,
            "The authorization header is malformed; the authorization header requires three components: \
             Credential, SignedHeaders, and Signature."
        ));
    };
    let Some(scope) = Scope::parse(credential) else {
        return Err(s3_error!(
            AuthorizationHeaderMalformed,
            "The authorization header is malformed; the Credential is mal-formed; expecting \
             \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
        ));
    };
    if scope.service != "s3" {
        return Err(s3_error!(
            AuthorizationHeaderMalformed,
            "The authorization header is malformed; incorrect service. This endpoint belongs to \"s3\"."
        ));
    }
    Ok(())
}

fn check_payload_hash(value: &HeaderValue) -> S3Result<()> {
    let text = value.to_str().unwrap_or("?");
    let hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hash || text == "UNSIGNED-PAYLOAD" || text.starts_with("STREAMING-") {
        return Ok(());
    }
    Err(s3_error!(
        InvalidArgument,
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
         STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &'static str, value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Some(check(&Uri::default(), &headers, "us-east-1").err()?.code().as_str().to_owned())
    }

    #[test]
    fn the_life_of_a_presigned_url_is_a_number_up_to_a_week() {
        let message = |value: &str| {
            let uri = format!("/b/k?X-Amz-Expires={value}&X-Amz-Signature=0").parse().unwrap();
            let error = check(&uri, &HeaderMap::new(), "us-east-1").err()?;
            assert_eq!(error.code().as_str(), "AuthorizationQueryParametersError");
            assert_eq!(error.status_code().map(|status| status.as_u16()), Some(400));
            Some(error.message().unwrap().to_owned())
        };
        for good in ["0", "1", "604800"] {
            assert_eq!(message(good), None);
        }
        for (bad, expected) in [
            ("", "should be a number"),
            ("soon", "should be a number"),
            ("1.5", "should be a number"),
            ("-", "should be a number"),
            ("-1", "must be non-negative"),
            ("-99999999999999999999", "must be non-negative"),
            ("604801", "must be less than a week"),
            ("99999999999999999999", "must be less than a week"),
        ] {
            assert!(message(bad).unwrap().contains(expected), "{bad}");
        }
    }

    #[test]
    fn the_credential_of_a_presigned_url_is_told_apart_by_what_is_wrong_with_it() {
        let error = |query: &str| {
            let uri = format!("/b/k?{query}&X-Amz-Signature=0").parse().unwrap();
            let error = check(&uri, &HeaderMap::new(), "us-east-1").err()?;
            assert_eq!(error.code().as_str(), "AuthorizationQueryParametersError");
            Some(error.message().unwrap().to_owned())
        };
        assert_eq!(error("X-Amz-Algorithm=AWS4-HMAC-SHA256"), None);
        assert!(error("X-Amz-Algorithm=AWS4").unwrap().contains("only supports"));
        for (scope, expected) in [
            ("us-east-1/s3/aws4_request", None),
            ("eu-west-1/s3/aws4_request", Some("the region 'eu-west-1' is wrong; expecting 'us-east-1'")),
            ("us-east-1/ec2/aws4_request", Some("incorrect service \"ec2\"")),
            ("us-east-1/s3/aws", Some("mal-formed")),
            ("s3/aws4_request", Some("mal-formed")),
            ("eu%01/s3/aws4_request", Some("mal-formed")),
        ] {
            let found = error(&format!("X-Amz-Credential=key%2F20130524%2F{scope}"));
            assert_eq!(found.is_some(), expected.is_some(), "{scope}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{scope}");
        }
    }

    #[test]
    fn a_request_is_signed_once() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer token".parse().unwrap());
        for query in ["X-Amz-Signature=0", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "Signature=0"] {
            let error = check(&format!("/b/k?{query}").parse().unwrap(), &headers, "us-east-1").unwrap_err();
            assert_eq!(error.code().as_str(), "InvalidArgument");
            assert!(error.message().unwrap().starts_with("Only one auth mechanism allowed"), "{query}");
        }
    }

    #[test]
    fn authorization_is_told_apart_by_what_is_wrong_with_it() {
        let signed = |credential: &str| {
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00")
        };
        for (value, expected) in [
            ("", Some("AccessDenied")),
            ("  ", Some("AccessDenied")),
            ("AWS key:signature", None),
            ("Bearer token", Some("InvalidArgument")),
            ("AWS4-HMAC-SHA256", Some("AuthorizationHeaderMalformed")),
            ("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b", Some("AuthorizationHeaderMalformed")),
            (&signed("key/20130524/us-east-1/s3"), Some("AuthorizationHeaderMalformed")),
            (&signed("20130524/us-east-1/s3/aws4_request"), Some("AuthorizationHeaderMalformed")),
            (&signed("key/20130524/us-east-1/ec2/aws4_request"), Some("AuthorizationHeaderMalformed")),
            (&signed("key/20130524/us-east-1/s3/aws4_request"), None),
            (&signed("a/key/20130524/us-east-1/s3/aws4_request"), None),
        ] {
            assert_eq!(code("authorization", value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn payload_hashes_and_lengths_have_a_form() {
        for good in ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &"0a".repeat(32)] {
            assert_eq!(code("x-amz-content-sha256", good), None);
        }
        for bad in ["", "hash", &"0".repeat(63), &"g".repeat(64)] {
            assert_eq!(code("x-amz-content-sha256", bad).as_deref(), Some("InvalidArgument"), "{bad}");
        }
        assert_eq!(code("x-amz-decoded-content-length", "0"), None);
        for bad in ["", "5x", "-1", "+1", " 1"] {
            assert_eq!(
                code("x-amz-decoded-content-length", bad).as_deref(),
                Some("InvalidArgument"),
                "{bad}"
            );
        }
    }
}
