//! What an error document says of what it is about, beyond its code (API reference, "Error responses"; the elements are
//! those that Amazon S3 answers with).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use crate::context::RequestContext;
use crate::xml::put_text;

/// The conditions that a request can make, under the names that errors give them.
const CONDITIONS: [&str; 14] = [
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "x-amz-copy-source-If-Match",
    "x-amz-copy-source-If-None-Match",
    "x-amz-copy-source-If-Modified-Since",
    "x-amz-copy-source-If-Unmodified-Since",
    "x-amz-rename-source-If-Match",
    "x-amz-rename-source-If-None-Match",
    "x-amz-rename-source-If-Modified-Since",
    "x-amz-rename-source-If-Unmodified-Since",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
];

/// What a request says of what it is about.
#[derive(Debug)]
pub(crate) struct Subject {
    method: Method,
    uri: Uri,
    authorization: Option<HeaderValue>,
    range: Option<HeaderValue>,
    condition: Option<&'static str>,
    /// Whether it names another object, which the error may be about.
    has_source: bool,
}

impl Subject {
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        let headers = request.headers();
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            authorization: headers.get(header::AUTHORIZATION).cloned(),
            range: headers.get(header::RANGE).cloned(),
            condition: condition(headers),
            has_source: ["x-amz-copy-source", "x-amz-rename-source"]
                .iter()
                .any(|name| headers.contains_key(*name)),
        }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// As sent, percent-encoded.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The elements that an error of that code has.
    pub(crate) fn elements(&self, code: &str, context: &RequestContext) -> String {
        let mut elements = Vec::new();
        for (element, text) in self.details(code, context) {
            elements.extend(format!("<{element}>").bytes());
            put_text(&mut elements, &text);
            elements.extend(format!("</{element}>").bytes());
        }
        String::from_utf8(elements).unwrap_or_default()
    }

    fn details(&self, code: &str, context: &RequestContext) -> Vec<(&'static str, Cow<'_, str>)> {
        let bucket = || context.bucket().filter(|_| !self.has_source).map(|name| name.to_owned().into());
        let key = || context.key().filter(|_| !self.has_source).map(|key| key.to_owned().into());
        let some = match code {
            "NoSuchKey" => vec![("Key", key())],
            "NoSuchVersion" => vec![("Key", key()), ("VersionId", self.parameter("versionId"))],
            "NoSuchUpload" => vec![("UploadId", self.parameter("uploadId"))],
            "PreconditionFailed" => vec![("Condition", self.condition.map(Cow::from))],
            "InvalidRange" => vec![("RangeRequested", text(self.range.as_ref()))],
            "MethodNotAllowed" => vec![("Method", Some(self.method.as_str().into()))],
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" => vec![("AWSAccessKeyId", self.access_key())],
            code if is_of_bucket(code) => vec![("BucketName", bucket())],
            _ => Vec::new(),
        };
        some.into_iter().filter_map(|(element, text)| Some((element, text?))).collect()
    }

    fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut query = form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes());
        query.find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// The access key that the request says it is signed with.
    fn access_key(&self) -> Option<Cow<'_, str>> {
        let authorization = text(self.authorization.as_ref());
        let version2 = |value: &str| value.strip_prefix("AWS ")?.split_once(':').map(|(id, _)| id.to_owned());
        let version4 = |value: &str| {
            let (_, credential) = value.split_once("Credential=")?;
            key_of(credential.split(',').next()?)
        };
        if let Some(value) = authorization {
            return version2(&value).or_else(|| version4(&value)).map(Cow::from);
        }
        let presigned = self.parameter("X-Amz-Credential").and_then(|value| key_of(&value));
        presigned.map(Cow::from).or_else(|| self.parameter("AWSAccessKeyId"))
    }
}

/// The access key of a credential, which may hold slashes; the date, the region and two words come after it.
fn key_of(credential: &str) -> Option<String> {
    credential.trim().rsplitn(5, '/').nth(4).map(str::to_owned)
}

/// The condition of a request that makes no other: of several it is not known here which one failed.
fn condition(headers: &HeaderMap) -> Option<&'static str> {
    let stated = |name: &HeaderName| {
        let is_it = |condition: &&str| name.as_str().eq_ignore_ascii_case(condition);
        name.as_str().contains("if-").then(|| CONDITIONS.into_iter().find(is_it))?
    };
    let mut stated = headers.keys().filter_map(stated);
    stated.next().filter(|_| stated.next().is_none())
}

fn text(value: Option<&HeaderValue>) -> Option<Cow<'_, str>> {
    value?.to_str().ok().map(Cow::from)
}

/// Whether an error is about a bucket, or about what is set of it.
fn is_of_bucket(code: &str) -> bool {
    matches!(
        code,
        "NoSuchBucket"
            | "InvalidBucketName"
            | "BucketAlreadyExists"
            | "BucketAlreadyOwnedByYou"
            | "BucketNotEmpty"
            | "NoSuchBucketPolicy"
            | "NoSuchCORSConfiguration"
            | "NoSuchLifecycleConfiguration"
            | "NoSuchPublicAccessBlockConfiguration"
            | "NoSuchTagSet"
            | "NoSuchWebsiteConfiguration"
            | "ObjectLockConfigurationNotFoundError"
            | "OwnershipControlsNotFoundError"
            | "ReplicationConfigurationNotFoundError"
            | "ServerSideEncryptionConfigurationNotFoundError"
    )
}
