//! What an error document says of what it is about, beyond its code (API reference, "Error responses"; the elements are
//! those that Amazon S3 answers with).

use std::borrow::Cow;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use crate::arguments::{self, Place};
use crate::context::RequestContext;
use crate::date;
use crate::mismatch::Compared;
use crate::options::MAX_SKEW;
use crate::past;
use crate::scope::key_of;
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

/// What s3s says where a header of Amazon's is not signed.
const NOT_SIGNED: &str = "<Message>There were headers present in the request which were not signed</Message>";

/// What a request says of what it is about.
#[derive(Debug)]
pub(crate) struct Subject {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Subject {
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// As sent, percent-encoded.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The elements that an error of that code has; `error` is its document up to there.
    pub(crate) fn elements(&self, code: &str, error: &str, context: &RequestContext) -> String {
        let mut elements = Vec::new();
        let details = match (context.elements(code), code) {
            (Some(kept), _) => kept.iter().map(|(name, text)| (*name, text.as_str().into())).collect(),
            (None, "InvalidArgument") => self.argument(error),
            (None, "AccessDenied") if error.contains(NOT_SIGNED) => {
                vec![("HeadersNotSigned", self.unsigned_headers().into())]
            }
            (None, code) => self.details(code, context),
        };
        for (element, text) in details {
            elements.extend(format!("<{element}>").bytes());
            put_text(&mut elements, &text);
            elements.extend(format!("</{element}>").bytes());
        }
        String::from_utf8(elements).unwrap_or_default()
    }

    fn details(&self, code: &str, context: &RequestContext) -> Vec<(&'static str, Cow<'_, str>)> {
        let source = context.failed_source();
        let bucket =
            || Some(source.map_or_else(|| context.bucket(), |source| Some(&source.bucket))?.to_owned());
        // What is not there to be renamed is named in a header, too, and in no other way.
        let renames = self.headers.contains_key("x-amz-rename-source");
        let target = || context.key().filter(|_| !renames);
        let key = || Some(source.map_or_else(target, |source| Some(&source.key))?.to_owned());
        let version = || match source {
            Some(source) => source.version.clone().map(Cow::from),
            None => self.parameter("versionId"),
        };
        let some = match code {
            "NoSuchKey" => vec![("Key", key().map(Cow::from))],
            "NoSuchVersion" => vec![("Key", key().map(Cow::from)), ("VersionId", version())],
            "NoSuchUpload" => vec![("UploadId", self.parameter("uploadId"))],
            "PreconditionFailed" => vec![("Condition", condition(&self.headers).map(Cow::from))],
            "InvalidRange" => vec![("RangeRequested", text(self.headers.get(header::RANGE)))],
            "MethodNotAllowed" => vec![("Method", Some(self.method.as_str().into()))],
            "InvalidAccessKeyId" => {
                let told = context.compared().and_then(Compared::access_key).map(|key| key.to_owned().into());
                vec![("AWSAccessKeyId", told.or_else(|| self.access_key()))]
            }
            "SignatureDoesNotMatch" => {
                let read = || Compared::of_version_4(&self.method, &self.uri, &self.headers);
                // Where the request's own signature is verified, it is that of a chunk of its body that is wrong.
                let read = || context.access_key().is_none().then(read).flatten();
                let compared = context.compared().cloned().or_else(read);
                let told = compared.as_ref().and_then(Compared::access_key).map(|key| key.to_owned().into());
                let mut elements = vec![("AWSAccessKeyId", told.or_else(|| self.access_key()))];
                elements.extend(compared.iter().flat_map(Compared::elements));
                elements
            }
            "RequestTimeTooSkewed" => vec![
                ("RequestTime", self.time()),
                // Signatures are compared with the system's clock, whatever other clock there is.
                ("ServerTime", Some(date::shown(date::seconds(SystemTime::now())).into())),
                ("MaxAllowedSkewMilliseconds", Some((u64::from(MAX_SKEW) * 1000).to_string().into())),
            ],
            code if is_of_bucket(code) => vec![("BucketName", bucket().map(Cow::from))],
            _ => Vec::new(),
        };
        some.into_iter().filter_map(|(element, text)| Some((element, text?))).collect()
    }

    /// The argument that an error is about, if the request has it.
    fn argument(&self, error: &str) -> Vec<(&'static str, Cow<'_, str>)> {
        let Some((name, place)) = arguments::named(error) else { return Vec::new() };
        let value = match place {
            Place::Parameter(name) => self.parameter(name),
            Place::Header(name) => text(self.headers.get(name)),
        };
        value.map_or_else(Vec::new, |value| vec![("ArgumentName", name.into()), ("ArgumentValue", value)])
    }

    fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut query = form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes());
        query.find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// The headers that the signature has to cover and does not, in order; s3s and the gate see to it that it covers them.
    fn unsigned_headers(&self) -> String {
        let signed = past::signed_headers(&self.headers, &self.uri);
        let covered = |name: &str| signed.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
        let free = |name: &str| ["x-amz-content-sha256", date::AMZ_DATE.as_str()].contains(&name);
        let mut names: Vec<_> = self.headers.keys().map(HeaderName::as_str).collect();
        names.retain(|name| name.starts_with("x-amz-") && !free(name) && !covered(name));
        names.sort_unstable();
        names.join(", ")
    }

    /// When the request says that it was made, in its own words.
    fn time(&self) -> Option<Cow<'_, str>> {
        let header = self.headers.get(date::AMZ_DATE).or_else(|| self.headers.get(header::DATE));
        self.parameter("X-Amz-Date").or_else(|| text(header))
    }

    /// The access key that the request says it is signed with.
    fn access_key(&self) -> Option<Cow<'_, str>> {
        let authorization = text(self.headers.get(header::AUTHORIZATION));
        let version2 = |value: &str| value.strip_prefix("AWS ")?.split_once(':').map(|(id, _)| id.to_owned());
        let version4 = |value: &str| {
            let (_, credential) = value.split_once("Credential=")?;
            key_of(credential.split(',').next()?).map(str::to_owned)
        };
        if let Some(value) = authorization {
            return version2(&value).or_else(|| version4(&value)).map(Cow::from);
        }
        let presigned =
            self.parameter("X-Amz-Credential").and_then(|value| key_of(&value).map(str::to_owned));
        presigned.map(Cow::from).or_else(|| self.parameter("AWSAccessKeyId"))
    }
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
