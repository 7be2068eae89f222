//! Refusals that need nothing but the request's head: what has a meaning here is honoured or refused.

use http::{HeaderMap, HeaderName, Method, Request, Uri};
use percent_encoding::percent_decode_str;
use s3s::path::{check_bucket_name, check_key};
use s3s::{S3Error, S3Result, s3_error};

use crate::conditions::Conditional;
use crate::error::{detailed, invalid_argument, method_not_allowed, not_implemented, precondition_failed};
use crate::host::Place;
use crate::operations::{ANY_OPERATION, Operation, SUBRESOURCES};
use crate::{past, verified};

/// Sub-resources that buckets have and keys have not.
const OF_BUCKETS: [&str; 19] = [
    "accelerate",
    "analytics",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "versioning",
    "versions",
];

/// Checks that there are such requests at all, before it is known what a verified one asks for.
///
/// # Errors
/// MethodNotAllowed, PreconditionFailed for what a bucket takes in forms alone, InvalidRequest, InvalidArgument.
pub(crate) fn check_route<T>(request: &Request<T>, place: &Place) -> S3Result<()> {
    let (method, query) = (request.method(), request.uri().query().unwrap_or_default());
    let names: Vec<_> = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name).collect();
    let has = |name: &str| names.iter().any(|found| found == name);
    let copies = method == Method::PUT || (method == Method::POST && !has("uploadId"));
    if let Some(source) = request.headers().get("x-amz-copy-source").filter(|_| !copies) {
        let message = "You can only specify a copy source header for copy requests.";
        return Err(invalid_argument(message, "x-amz-copy-source", source.to_str().unwrap_or_default()));
    }
    match (method.as_str(), &place.bucket, place.has_key) {
        ("GET" | "HEAD", _, true) if has("uploads") => {
            Err(s3_error!(InvalidRequest, "Key is not expected for the {method} method ?uploads subresource"))
        }
        ("GET" | "HEAD", _, true) => match names.iter().find(|name| OF_BUCKETS.contains(&&***name)) {
            Some(name) => {
                Err(s3_error!(InvalidRequest, "There is no such thing as the ?{name} sub-resource for a key"))
            }
            None => Ok(()),
        },
        ("PUT", _, true) => match (has("partNumber"), has("uploadId")) {
            (true, false) => {
                let message = "This operation does not accept partNumber without uploadId";
                let number = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "partNumber");
                Err(invalid_argument(message, "partNumber", &number.unwrap_or_default().1))
            }
            (false, true) => Err(not_allowed(method, "UPLOAD")),
            _ => Ok(()),
        },
        ("POST", None, _) => Err(not_allowed(method, "SERVICE")),
        ("POST", ..) if names.iter().any(|name| SUBRESOURCES.contains(&&**name)) => Ok(()),
        ("POST", _, true) => Err(not_allowed(method, "OBJECT")),
        ("POST", _, false) => {
            let form = "Bucket POST must be of the enclosure-type multipart/form-data".to_owned();
            Err(detailed(precondition_failed(), vec![("Condition", form)]))
        }
        _ => Ok(()),
    }
}

fn not_allowed(method: &Method, resource: &'static str) -> S3Error {
    let elements = vec![("Method", method.to_string()), ("ResourceType", resource.to_owned())];
    detailed(method_not_allowed(), elements)
}

/// Checks the head of a request for `operation`.
///
/// # Errors
/// NotImplemented, naming the first header or query that is not understood; InvalidArgument for the source of a copy.
pub(crate) fn check(operation: &Operation, uri: &Uri, headers: &HeaderMap) -> S3Result<()> {
    check_query(operation, uri)?;
    if COPIES.contains(&operation.name) {
        check_source(headers)?;
    }
    headers.keys().try_for_each(|name| check_header_name(operation, name))
}

/// What nobody may do unsigned, whatever a bucket allows to everybody.
///
/// # Errors
/// AccessDenied.
pub(crate) fn check_unsigned(operation: &Operation) -> S3Result<()> {
    let said = match operation.name {
        "CreateMultipartUpload" => "Anonymous users cannot initiate multipart uploads.  Please authenticate.",
        "CopyObject" | "UploadPartCopy" => "Anonymous users cannot copy objects.  Please authenticate.",
        _ => return Ok(()),
    };
    Err(s3_error!(AccessDenied, "{said}"))
}

/// A condition on what is there that a write does not know would not keep anything from being done.
///
/// # Errors
/// NotImplemented, naming the condition.
pub(crate) fn check_conditions(operation: &Operation, given: &Conditional) -> S3Result<()> {
    let both = ["If-Match", "If-None-Match"];
    if operation.writes() && both.into_iter().all(|name| given.names().any(|given| given == name)) {
        return Err(not_implemented("If-None-Match with If-Match"));
    }
    let unknown = given.names().find(|name| operation.writes() && !operation.conditions().contains(name));
    unknown.map_or(Ok(()), |name| Err(not_implemented(name)))
}

const COPIES: [&str; 2] = ["CopyObject", "UploadPartCopy"];

/// Of a source that cannot be read s3s does not say why, and some it reads: `%ZZ` as it stands.
fn check_source(headers: &HeaderMap) -> S3Result<()> {
    let Some(value) = headers.get("x-amz-copy-source") else { return Ok(()) };
    let text = value.to_str().unwrap_or("%");
    let path = text.split_once('?').map_or(text, |(path, _)| path);
    let hex = |piece: &str| piece.bytes().take_while(u8::is_ascii_hexdigit).count() >= 2;
    let decoded = percent_decode_str(path).decode_utf8();
    let Some(source) = decoded.ok().filter(|_| path.split('%').skip(1).all(hex)) else {
        return Err(s3_error!(InvalidArgument, "Invalid copy source encoding"));
    };
    let source = source.strip_prefix('/').unwrap_or(&source);
    match source.split_once('/') {
        _ if source.starts_with("arn:") => Ok(()),
        None | Some((_, "")) => Err(s3_error!(
            InvalidArgument,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        )),
        Some((bucket, _)) if !check_bucket_name(bucket) => {
            Err(s3_error!(InvalidArgument, "Invalid copy source bucket name"))
        }
        Some((_, key)) if !check_key(key) => {
            Err(s3_error!(InvalidArgument, "Invalid copy source object key"))
        }
        Some(_) => Ok(()),
    }
}

fn check_query(operation: &Operation, uri: &Uri) -> S3Result<()> {
    for (name, _) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        let unknown = SUBRESOURCES.contains(&&*name) && !operation.subresources.contains(&&*name);
        if unknown || name.to_ascii_lowercase().starts_with("x-carob-") {
            return Err(not_implemented(&name));
        }
    }
    Ok(())
}

/// Headers without a meaning where s3cmd sends them: it gives a copy every header that a HEAD of the source
/// answered, and begins a copy in parts with the headers of one in a single request.
const ECHOED: &[(&str, &[&str])] = &[
    ("CopyObject", &["x-carob-cid"]),
    ("CreateMultipartUpload", &["x-carob-cid", "x-amz-metadata-directive"]),
];

/// How the headers begin that mean something to S3 in one request or another. It ignores every other `x-amz-` header, and
/// so is that ignored here: proxies and tracing add such headers.
const MEANINGFUL: &[&str] = &[
    "x-amz-acl",
    "x-amz-bucket-",
    "x-amz-bypass-",
    "x-amz-checksum-",
    "x-amz-client-",
    "x-amz-confirm-",
    "x-amz-content-",
    "x-amz-copy-",
    "x-amz-create-",
    "x-amz-decoded-",
    "x-amz-expected-",
    "x-amz-fwd-",
    "x-amz-grant-",
    "x-amz-if-",
    "x-amz-meta",
    "x-amz-mp-",
    "x-amz-object-",
    "x-amz-rename-",
    "x-amz-replication-",
    "x-amz-request-route",
    "x-amz-request-token",
    "x-amz-restore",
    "x-amz-s3session-",
    "x-amz-server-side-",
    "x-amz-skip-",
    "x-amz-source-",
    "x-amz-storage-",
    "x-amz-tagging",
    "x-amz-transition-",
    "x-amz-website-",
    "x-amz-write-",
];

fn check_header_name(operation: &Operation, name: &HeaderName) -> S3Result<()> {
    let name = name.as_str();
    if ECHOED.iter().any(|(echoing, names)| *echoing == operation.name && names.contains(&name)) {
        return Ok(());
    }
    if name == "x-amz-security-token" {
        return Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."));
    }
    if (name == past::AT && past::reads(operation.name))
        || (name == verified::VERIFIED && operation.name == "GetObject")
    {
        return Ok(());
    }
    if name.starts_with("x-carob-") {
        return Err(not_implemented(name));
    }
    if !MEANINGFUL.iter().any(|start| name.starts_with(start)) || ANY_OPERATION.contains(&name) {
        return Ok(());
    }
    let known = |known: &&str| *known == name || (known.ends_with('-') && name.starts_with(known));
    if operation.headers.iter().any(known) { Ok(()) } else { Err(not_implemented(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations;

    fn refused(operation: &str, uri: &str, headers: &[(&'static str, &'static str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let operation = operations::find(operation).unwrap();
        let error = check(operation, &uri.parse().unwrap(), &map).err()?;
        Some(format!("{} {}", error.code().as_str(), error.message().unwrap_or_default()))
    }

    #[test]
    fn headers_with_a_meaning_we_lack_are_named() {
        for name in [
            "x-amz-write-offset-bytes",
            "x-amz-copy-source",
            "x-amz-checksum-md6",
            "x-amz-if-unheard-of",
            "x-carob-unheard-of",
        ] {
            let found = refused("PutObject", "/b/k", &[(name, "1")]).unwrap();
            assert!(found.starts_with("NotImplemented ") && found.ends_with(name), "{name}: {found}");
        }
    }

    #[test]
    fn what_asks_for_nothing_special_passes() {
        for (name, value) in [
            ("x-amz-acl", "private"),
            ("x-amz-acl", "public-read"),
            ("x-amz-grant-read", "id=0"),
            ("x-amz-request-payer", "requester"),
            ("x-amz-meta-colour", "red"),
            ("x-amz-storage-class", "STANDARD"),
            ("cache-control", "no-cache"),
            ("x-amz-unheard-of", "1"),
            ("x-amz-cf-id", "1"),
        ] {
            assert_eq!(refused("PutObject", "/b/k?x-id=PutObject", &[(name, value)]), None, "{name}");
        }
        assert_eq!(refused("CreateBucket", "/b", &[("x-amz-object-ownership", "BucketOwnerEnforced")]), None);
    }

    #[test]
    fn what_s3cmd_repeats_of_a_head_passes_where_a_copy_begins() {
        for operation in ["CopyObject", "CreateMultipartUpload"] {
            for name in ["x-carob-cid", "x-amz-metadata-directive"] {
                assert_eq!(refused(operation, "/b/k", &[(name, "COPY")]), None, "{operation} {name}");
            }
            assert!(refused(operation, "/b/k", &[("x-carob-at", "1")]).is_some());
        }
        assert!(refused("PutObject", "/b/k", &[("x-carob-cid", "bafy")]).is_some());
        assert!(refused("UploadPartCopy", "/b/k", &[("x-amz-metadata-directive", "COPY")]).is_some());
    }

    #[test]
    fn a_subresource_of_another_operation_is_not_dropped() {
        assert!(refused("DeleteObject", "/b/k?acl", &[]).is_some());
        assert!(refused("DeleteBucket", "/b?policyStatus", &[]).is_some());
        assert!(refused("PutObject", "/b/k?partNumber=1", &[]).is_some());
        assert!(refused("PutObject", "/b/k?%75ploads", &[]).is_some(), "percent-encoded");
        assert!(refused("GetObject", "/b/k?x-carob-at=1", &[]).is_some());
        assert!(refused("HeadObject", "/b/k", &[("x-carob-verified", "bao")]).is_some());
        assert_eq!(refused("GetObject", "/b/k", &[("x-carob-verified", "bao")]), None);
        assert_eq!(refused("GetObject", "/b/k?partNumber=1&foo=bar", &[]), None);
        assert_eq!(refused("ListObjectsV2", "/b?list-type=2&prefix=acl", &[]), None);
    }

    #[test]
    fn the_source_of_a_copy_can_be_read() {
        for (source, expected) in [
            ("bucket/key", None),
            ("/bucket/a%20b+c%2F%C3%A9?versionId=null", None),
            ("arn:aws:s3:us-east-1:123456789012:accesspoint/a/object/k", None),
            ("bucket/%ZZ", Some("encoding")),
            ("bucket/%C3%", Some("encoding")),
            ("bucket/%A/b", Some("encoding")),
            ("bucket/%C3", Some("encoding")),
            ("%", Some("encoding")),
            ("bucket", Some("sourcebucket/sourcekey")),
            ("bucket/", Some("sourcebucket/sourcekey")),
            ("my-buc@k/key", Some("bucket name")),
            ("192.168.1.1/key", Some("bucket name")),
        ] {
            for operation in COPIES {
                let found = refused(operation, "/b/k", &[("x-amz-copy-source", source)]);
                assert_eq!(found.is_some(), expected.is_some(), "{source}");
                let found = found.unwrap_or("InvalidArgument ".to_owned());
                assert!(found.starts_with("InvalidArgument "), "{source}: {found}");
                assert!(found.ends_with(expected.unwrap_or_default()), "{source}: {found}");
            }
        }
        let long = format!("bucket/{}", "k".repeat(1025)).leak();
        assert!(refused("CopyObject", "/b/k", &[("x-amz-copy-source", long)]).is_some());
    }

    #[test]
    fn a_write_asks_one_thing_of_the_entity_tag() {
        let given = |names: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.insert(*name, "*".parse().unwrap());
            }
            Conditional::parse(&headers)
        };
        let both = given(&["if-match", "if-none-match"]);
        for (operation, refused) in
            [("PutObject", true), ("CompleteMultipartUpload", true), ("GetObject", false)]
        {
            let operation = operations::find(operation).unwrap();
            assert_eq!(check_conditions(operation, &both).is_err(), refused);
            assert!(check_conditions(operation, &given(&["if-match"])).is_ok());
        }
    }

    #[test]
    fn session_tokens_are_invalid_since_none_were_given_out() {
        let found = refused("GetObject", "/b/k", &[("x-amz-security-token", "t")]).unwrap();
        assert!(found.starts_with("InvalidToken"));
    }
}
