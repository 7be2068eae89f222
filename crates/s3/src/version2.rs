//! Signature Version 2 (Amazon S3 API reference, "Signing and authenticating REST requests (AWS signature version 2)"),
//! which boto3 presigns with where nobody told it otherwise, and which is all that older clients know.
//!
//! What is signed is s3s's to say; dates, errors and the query are read here. The signature covers neither the body nor
//! most of the query, so that a sub-resource that it does not cover is refused: nobody who was given a URL shall make
//! another request of it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use carob_identity::AccessKeys;
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, Uri, header};
use s3s::{Body, S3Error, S3Result, s3_error};
use s3s_sigv2::{AuthorizationV2, Mode, create_string_to_sign};
use sha1::Sha1;

use crate::access::Signed;
use crate::auth;
use crate::context::RequestContext;
use crate::date;
use crate::error::{access_denied_as, detailed};
use crate::gate::{self, Gate};
use crate::host::Domains;
use crate::mismatch::{Compared, is_confidential};
use crate::operations::SUBRESOURCES;
use crate::options::MAX_SKEW;

/// What policies know it as.
pub(crate) const NAME: &str = "AWS";

/// How the `Authorization` header begins.
pub(crate) const SCHEME: &str = "AWS ";

/// The query parameters of a presigned URL.
const PARAMETERS: [&str; 3] = ["AWSAccessKeyId", "Expires", "Signature"];

/// Takes requests that are signed this way.
#[derive(Clone)]
pub(crate) struct Version2 {
    pub(crate) gate: Gate,
    pub(crate) keys: Arc<dyn AccessKeys>,
    pub(crate) domains: Domains,
    /// Whether there is to be any.
    pub(crate) on: bool,
}

impl fmt::Debug for Version2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version2").field("on", &self.on).finish_non_exhaustive()
    }
}

/// Whether a request says that it is signed this way.
pub(crate) fn signs(uri: &Uri, headers: &HeaderMap) -> bool {
    in_header(headers) || pairs(uri).iter().any(|(name, _)| name == "Signature" || name == "AWSAccessKeyId")
}

fn in_header(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(SCHEME.as_bytes()))
}

/// S3's word where it is not taken.
pub(crate) fn unsupported() -> S3Error {
    s3_error!(
        InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    )
}

impl Version2 {
    /// Verifies a request and passes it on.
    ///
    /// # Errors
    /// What is wrong with the signature, and whatever the operation refuses.
    pub(crate) async fn take(&self, mut request: Request<Body>) -> S3Result<Response<Body>> {
        if !self.on {
            return Err(unsupported());
        }
        let claim = Claim::of(request.uri(), request.headers(), SystemTime::now())?;
        gate::check_whole(request.headers())?;
        let (id, secret) = auth::key(&*self.keys, &claim.key).await?;
        let place = self.domains.place(&request);
        let path = request.uri().path();
        // Clients sign a bucket's name with a slash behind it, also where they send none.
        let bare = place.in_path && !place.has_key && !path.ends_with('/');
        let bucket = place.bucket.filter(|_| !place.in_path);
        let matches = |path: &str| {
            let text = string_to_sign(&request, claim.mode, bucket.as_deref(), path)?;
            verify(secret.expose(), &text, &claim.signature)
        };
        let matched =
            matches(path).or_else(|error| if bare { matches(&format!("{path}/")) } else { Err(error) });
        if let Err(error) = matched {
            tell(&request, &claim, string_to_sign(&request, claim.mode, bucket.as_deref(), path).ok());
            return Err(error);
        }

        let kind = match claim.mode {
            Mode::HeaderAuth => "REST-HEADER",
            Mode::PresignedUrl => "REST-QUERY-STRING",
        };
        let conditions = gate::conditions(request.headers());
        let signed = Signed { kind: Some(kind), version: Some(NAME), ..conditions };
        gate::admit(&self.gate.limits, Some(id), signed, request.extensions_mut())?;
        // Nothing behind this may take it for signed in another way.
        request.headers_mut().remove(header::AUTHORIZATION);
        *request.uri_mut() = stripped(request.uri())?;
        self.gate.pass(request, None).await
    }
}

/// Has the error say what was compared, but for a customer's key in it.
fn tell(request: &Request<Body>, claim: &Claim, text: Option<String>) {
    let confidential = request.headers().keys().any(|name| is_confidential(name.as_str()));
    if let (Some(context), Some(text), false) = (RequestContext::of(request.extensions()), text, confidential)
    {
        context.set_compared(Compared::over(&text, &claim.signature, None));
    }
}

/// Who a request says has signed it.
#[derive(Debug)]
struct Claim {
    mode: Mode,
    key: String,
    signature: String,
}

impl Claim {
    /// Reads a request that may still be answered at the time `now`.
    fn of(uri: &Uri, headers: &HeaderMap, now: SystemTime) -> S3Result<Self> {
        let pairs = pairs(uri);
        check_query(&pairs)?;
        let named =
            |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let in_query = named("Signature").is_some() || named("AWSAccessKeyId").is_some();
        if in_query && headers.contains_key(header::AUTHORIZATION) || named("X-Amz-Signature").is_some() {
            return Err(s3_error!(
                InvalidArgument,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                 parameter or the Authorization header should be specified"
            ));
        }
        if in_query {
            let (Some(signature), Some(expires), Some(key)) =
                (named("Signature"), named("Expires"), named("AWSAccessKeyId"))
            else {
                return Err(access_denied_as(
                    "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
                ));
            };
            let Ok(expires) = expires.parse::<u64>() else {
                return Err(access_denied_as("Invalid date (should be seconds since epoch)"));
            };
            let now = date::seconds(now);
            if now > expires {
                let times = vec![("Expires", date::shown(expires)), ("ServerTime", date::shown(now))];
                return Err(detailed(access_denied_as("Request has expired"), times));
            }
            return Ok(Self {
                mode: Mode::PresignedUrl,
                key: key.to_owned(),
                signature: signature.to_owned(),
            });
        }
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(AuthorizationV2 { access_key, signature }) =
            value.and_then(|value| AuthorizationV2::parse(value).ok())
        else {
            return Err(s3_error!(
                InvalidArgument,
                "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature"
            ));
        };
        if date::of_request(headers)?.abs_diff(date::seconds(now)) > u64::from(MAX_SKEW) {
            return Err(date::skewed());
        }
        Ok(Self { mode: Mode::HeaderAuth, key: access_key.to_owned(), signature: signature.to_owned() })
    }
}

/// Refuses what the signature does not cover although it makes another request of this one. Parameters that are given
/// twice are not covered either.
fn check_query(pairs: &[(String, String)]) -> S3Result<()> {
    let mut seen = BTreeSet::new();
    for (name, _) in pairs {
        let name = name.as_str();
        let counts = SUBRESOURCES.contains(&name) && name != "list-type" || name.starts_with("response-");
        if PARAMETERS.contains(&name) && !seen.insert(name) || counts && !(covers(name) && seen.insert(name))
        {
            return Err(s3_error!(
                InvalidRequest,
                "Signature Version 2 does not cover the query parameter {name} of this request. Please use \
                 AWS4-HMAC-SHA256."
            ));
        }
    }
    Ok(())
}

/// Whether a parameter of this name is signed.
fn covers(name: &str) -> bool {
    let signed =
        create_string_to_sign(Mode::HeaderAuth, "", "", Some(&[(name.to_owned(), String::new())]), &[], None);
    signed.ends_with(&format!("?{name}"))
}

/// What is signed; `path` as it is sent, but for the slash.
fn string_to_sign(request: &Request<Body>, mode: Mode, bucket: Option<&str>, path: &str) -> S3Result<String> {
    let mut headers = Vec::new();
    for (name, value) in request.headers() {
        match std::str::from_utf8(value.as_bytes()) {
            Ok(value) => headers.push((name.as_str(), value)),
            Err(_) if name.as_str().starts_with("x-amz-") => return Err(mismatch()),
            Err(_) => {}
        }
    }
    let mut pairs = pairs(request.uri());
    pairs.sort();
    Ok(create_string_to_sign(mode, request.method().as_str(), path, Some(&pairs), &headers, bucket))
}

fn pairs(uri: &Uri) -> Vec<(String, String)> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// What is asked for, without what signed it, in this version or, as if, in another.
fn stripped(uri: &Uri) -> S3Result<Uri> {
    let signs = |name: &str| PARAMETERS.contains(&name) || name == "X-Amz-SignedHeaders";
    let kept: Vec<_> = pairs(uri).into_iter().filter(|(name, _)| !signs(name)).collect();
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    let target = if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) };
    PathAndQuery::try_from(target).map(Uri::from).map_err(|_| s3_error!(InvalidURI))
}

/// Verifies a signature over `text`, as over a form's policy.
///
/// # Errors
/// SignatureDoesNotMatch.
pub(crate) fn verify(secret: &str, text: &str, signature: &str) -> S3Result<()> {
    let signature = BASE64.decode(signature.as_bytes()).map_err(|_| mismatch())?;
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).map_err(|_| mismatch())?;
    mac.update(text.as_bytes());
    mac.verify_slice(&signature).map_err(|_| mismatch())
}

/// S3's word on a signature that is another's, or over something else.
pub(crate) fn mismatch() -> S3Error {
    s3_error!(
        SignatureDoesNotMatch,
        "The request signature we calculated does not match the signature you provided. Check your key and signing \
         method."
    )
}

/// Reads what a request says of its signature, for fuzzers: what comes out of it has no signature left in its query, and no
/// sub-resource that is not signed.
#[cfg(feature = "fuzzing")]
pub(crate) fn claimed(uri: &Uri, headers: &HeaderMap) {
    if !signs(uri, headers) || Claim::of(uri, headers, SystemTime::UNIX_EPOCH).is_err() {
        return;
    }
    let Ok(left) = stripped(uri) else { return };
    for (name, _) in pairs(&left) {
        assert!(!PARAMETERS.contains(&name.as_str()), "{left}");
        assert!(!SUBRESOURCES.contains(&name.as_str()) || name == "list-type" || covers(&name), "{left}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn request(lines: &str) -> Request<Body> {
        let mut lines = lines.lines().map(str::trim);
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(target);
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        request.body(Body::empty()).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// The examples of the API reference, "Authentication examples" and "Query string request authentication"; the last as
    /// earlier editions have it.
    #[test]
    fn examples_of_the_specification() {
        let domains = ["us-west-1.s3.amazonaws.com", "s3.amazonaws.com"].map(str::to_owned);
        let domains = Domains::new(domains.to_vec()).unwrap();
        for (lines, signature, now) in [
            (
                "GET /photos/puppy.jpg
                Host: awsexamplebucket1.us-west-1.s3.amazonaws.com
                Date: Tue, 27 Mar 2007 19:36:42 +0000
                Authorization: AWS AKIAIOSFODNN7EXAMPLE:qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
                "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
                1_175_024_202,
            ),
            (
                "PUT /photos/puppy.jpg
                Content-Type: image/jpeg
                Content-Length: 94328
                Host: awsexamplebucket1.us-west-1.s3.amazonaws.com
                Date: Tue, 27 Mar 2007 21:15:45 +0000
                Authorization: AWS AKIAIOSFODNN7EXAMPLE:iqRzw+ileNPu1fhspnRs8nOjjIA=",
                "iqRzw+ileNPu1fhspnRs8nOjjIA=",
                1_175_030_145,
            ),
            (
                "GET /?prefix=photos&max-keys=50&marker=puppy
                User-Agent: Mozilla/5.0
                Host: awsexamplebucket1.us-west-1.s3.amazonaws.com
                Date: Tue, 27 Mar 2007 19:42:41 +0000
                Authorization: AWS AKIAIOSFODNN7EXAMPLE:m0WP8eCtspQl5Ahe6L1SozdX9YA=",
                "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
                1_175_024_561,
            ),
            (
                "GET /?acl
                Host: awsexamplebucket1.us-west-1.s3.amazonaws.com
                Date: Tue, 27 Mar 2007 19:44:46 +0000
                Authorization: AWS AKIAIOSFODNN7EXAMPLE:82ZHiFIjc+WbcwFKGUVEQspPn+0=",
                "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
                1_175_024_686,
            ),
            (
                "GET /photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D\
                 &Expires=1175139620
                Host: johnsmith.s3.amazonaws.com",
                "NpgCjnDzrM+WFzoENXmpNDUsSn8=",
                1_175_139_620,
            ),
        ] {
            let request = request(lines);
            let claim = Claim::of(request.uri(), request.headers(), at(now)).expect(lines);
            assert_eq!((claim.key.as_str(), claim.signature.as_str()), (KEY, signature));
            let place = domains.place(&request);
            let bucket = place.bucket.filter(|_| !place.in_path);
            let text = string_to_sign(&request, claim.mode, bucket.as_deref(), request.uri().path()).unwrap();
            verify(SECRET, &text, signature).expect(lines);
            let error = verify("another", &text, signature).unwrap_err();
            assert_eq!(error.code().as_str(), "SignatureDoesNotMatch");
        }
    }

    fn refused(lines: &str) -> Option<String> {
        let request = request(lines);
        let error = Claim::of(request.uri(), request.headers(), at(1_700_000_000)).err()?;
        Some(error.code().as_str().to_owned())
    }

    #[test]
    fn a_url_needs_all_three_parameters_and_time() {
        for (query, expected) in [
            ("AWSAccessKeyId=k&Signature=s&Expires=1700000000", None),
            ("AWSAccessKeyId=k&Signature=s&Expires=99999999999999", None),
            ("AWSAccessKeyId=k&Signature=s&Expires=1699999999", Some("AccessDenied")),
            ("AWSAccessKeyId=k&Signature=s&Expires=-1", Some("AccessDenied")),
            ("AWSAccessKeyId=k&Signature=s&Expires=soon", Some("AccessDenied")),
            ("AWSAccessKeyId=k&Signature=s", Some("AccessDenied")),
            ("AWSAccessKeyId=k&Expires=1800000000", Some("AccessDenied")),
            ("Signature=s&Expires=1800000000", Some("AccessDenied")),
            ("AWSAccessKeyId=k&Signature=s&Expires=1800000000&Expires=1", Some("InvalidRequest")),
            ("AWSAccessKeyId=k&Signature=s&Expires=1800000000&X-Amz-Signature=0", Some("InvalidArgument")),
        ] {
            assert_eq!(refused(&format!("GET /b/k?{query}")).as_deref(), expected, "{query}");
        }
        let both = "GET /b/k?AWSAccessKeyId=k&Signature=s&Expires=1800000000
            Authorization: AWS k:s";
        assert_eq!(refused(both).as_deref(), Some("InvalidArgument"));
    }

    #[test]
    fn a_header_needs_a_form_and_a_date_near_ours() {
        for (authorization, date, expected) in [
            ("AWS k:s", "Tue, 14 Nov 2023 22:13:20 GMT", None),
            ("AWS k:s", "Tue, 14 Nov 2023 22:28:20 +0000", None),
            ("AWS k:s", "Tue, 14 Nov 2023 22:28:21 +0000", Some("RequestTimeTooSkewed")),
            ("AWS k:s", "Tue, 14 Nov 2023 21:58:19 GMT", Some("RequestTimeTooSkewed")),
            ("AWS k:s", "yesterday", Some("AccessDenied")),
            ("AWS ks", "Tue, 14 Nov 2023 22:13:20 GMT", Some("InvalidArgument")),
        ] {
            let lines = format!("GET /b/k\nDate: {date}\nAuthorization: {authorization}");
            assert_eq!(refused(&lines).as_deref(), expected, "{lines}");
        }
        assert_eq!(refused("GET /b/k\nAuthorization: AWS k:s").as_deref(), Some("AccessDenied"));
    }

    #[test]
    fn a_url_does_not_become_another_request() {
        let with = |query: &str| {
            refused(&format!("GET /b/k?AWSAccessKeyId=k&Signature=s&Expires=1800000000&{query}"))
        };
        for covered in [
            "acl",
            "versionId=1",
            "list-type=2&prefix=a",
            "response-content-type=a",
            "partNumber=1&uploadId=u",
        ] {
            assert_eq!(with(covered), None, "{covered}");
        }
        for uncovered in [
            "retention",
            "legal-hold",
            "attributes",
            "%65ncryption",
            "acl&acl",
            "response-expires=1&response-expires=2",
            "response-other=1",
        ] {
            assert_eq!(with(uncovered).as_deref(), Some("InvalidRequest"), "{uncovered}");
        }
    }

    #[test]
    fn the_signature_is_taken_out_of_the_query() {
        let uri =
            "/b/k?Signature=a&x=1%202&AWSAccessKeyId=b&X-Amz-SignedHeaders=x-carob-at&Expires=1&acl".parse();
        assert_eq!(stripped(&uri.unwrap()).unwrap(), "/b/k?x=1+2&acl=");
        assert_eq!(stripped(&"/b/k?Signature=a".parse().unwrap()).unwrap(), "/b/k");
    }
}
