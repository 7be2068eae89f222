//! One line, as Amazon S3 writes it (user guide, "Amazon S3 server access log format").

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use carob_identity::Source;
use http::{HeaderName, Request, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use time::OffsetDateTime;
use time::macros::format_description;

use super::destination::Destination;
use crate::host::Place;
use crate::version2;

const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// What stands in a query that is nobody's business later.
const SECRET: [&str; 3] = ["signature", "x-amz-signature", "x-amz-security-token"];

/// What the operation is called whose query has this name.
const RESOURCES: [(&str, &str); 20] = [
    ("acl", "ACL"),
    ("cors", "CORS"),
    ("delete", "MULTI_OBJECT_DELETE"),
    ("encryption", "ENCRYPTION"),
    ("legal-hold", "OBJECT_LOCK_LEGALHOLD"),
    ("lifecycle", "LIFECYCLE"),
    ("location", "LOCATION"),
    ("logging", "LOGGING_STATUS"),
    ("notification", "NOTIFICATION"),
    ("object-lock", "OBJECT_LOCK_CONFIGURATION"),
    ("partNumber", "PART"),
    ("policy", "BUCKETPOLICY"),
    ("requestPayment", "REQUEST_PAYMENT"),
    ("retention", "OBJECT_LOCK_RETENTION"),
    ("tagging", "TAGGING"),
    ("uploadId", "UPLOAD"),
    ("uploads", "UPLOADS"),
    ("versioning", "VERSIONING"),
    ("versions", "BUCKETVERSIONS"),
    ("website", "WEBSITE"),
];

/// What is kept of the head of a request whose bucket is logged.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(super) destination: Arc<Destination>,
    began: OffsetDateTime,
    remote: Option<IpAddr>,
    operation: String,
    key: String,
    target: String,
    /// The version of the signature, and where it is.
    signed: Option<(&'static str, &'static str)>,
    referer: String,
    agent: String,
    version: String,
    host: String,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) request: &'a str,
    pub(crate) host_id: &'a str,
    /// The canonical id of the account that asked, if the signature was good.
    pub(crate) requester: Option<String>,
    pub(crate) status: u16,
    pub(crate) code: Option<&'a str>,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) time: Duration,
    pub(crate) first_byte: Duration,
    /// Whether an access control list let it in.
    pub(crate) acl_required: bool,
}

impl Pending {
    pub(super) fn new<T>(
        destination: Arc<Destination>,
        request: &Request<T>,
        place: &Place,
        began: OffsetDateTime,
    ) -> Self {
        let text = |name: HeaderName| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.filter(|value| !value.is_empty()).unwrap_or("-").replace('"', "%22")
        };
        let path = request.uri().path();
        let key = match place.in_path {
            true => path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key),
            false => path.strip_prefix('/').unwrap_or(path),
        };
        let key = percent_decode_str(key).decode_utf8_lossy();
        let query = request.uri().query().unwrap_or_default();
        let named = |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(found, _)| found == name);
        let method = request.method();
        let resource =
            RESOURCES.iter().find(|(name, _)| named(name).is_some()).map(|(_, resource)| *resource);
        let resource = resource.unwrap_or(if key.is_empty() { "BUCKET" } else { "OBJECT" });
        let copied = request.headers().contains_key("x-amz-copy-source");
        let verb = if copied { "COPY" } else { method.as_str() };
        let version = match version2::signs(request.uri(), request.headers()) {
            true => "SigV2",
            false => "SigV4",
        };
        let in_query = named("X-Amz-Signature").is_some() || version == "SigV2";
        let signed = match request.headers().contains_key(header::AUTHORIZATION) {
            true => Some((version, "AuthHeader")),
            false => in_query.then_some((version, "QueryString")),
        };
        Self {
            destination,
            began,
            remote: request.extensions().get::<Source>().map(|source| source.0),
            operation: format!("REST.{verb}.{resource}"),
            key: dash(&utf8_percent_encode(&key, KEY).to_string()),
            target: format!(
                "{method} {}{} {:?}",
                path.replace('"', "%22"),
                without_secrets(query),
                request.version()
            ),
            signed,
            referer: text(header::REFERER),
            agent: text(header::USER_AGENT),
            version: dash(
                &named("versionId").map_or_else(String::new, |(_, id)| id.replace(char::is_whitespace, "")),
            ),
            host: text(header::HOST),
        }
    }

    pub(super) fn line(&self, outcome: &Outcome<'_>) -> String {
        let when = self
            .began
            .format(format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000"));
        let number = |number: u64| if number == 0 { "-".to_owned() } else { number.to_string() };
        let Outcome {
            request,
            host_id,
            requester,
            status,
            code,
            sent,
            received,
            time,
            first_byte,
            acl_required,
        } = outcome;
        let Self { destination, operation, key, target, referer, agent, version, host, .. } = self;
        format!(
            "{} {} [{}] {} {} {request} {operation} {key} \"{target}\" {status} {} {} {} {} {} \"{referer}\" \"{agent}\" \
             {version} {host_id} {} - {} {host} - - {}\n",
            destination.owner.canonical_id(),
            destination.source,
            when.unwrap_or_default(),
            self.remote.map_or_else(|| "-".to_owned(), |remote| remote.to_string()),
            requester.as_deref().unwrap_or("-"),
            code.unwrap_or("-"),
            number(*sent),
            number((*received).max(*sent)),
            time.as_millis(),
            first_byte.as_millis(),
            self.signed.map_or("-", |(version, _)| version),
            self.signed.map_or("-", |(_, place)| place),
            if *acl_required { "Yes" } else { "-" },
        )
    }
}

fn dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// A query as a request sent it, with its question mark, but for what signs it.
fn without_secrets(query: &str) -> String {
    let secret = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
        SECRET.contains(&name.as_str())
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !secret(pair)).collect();
    if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")).replace('"', "%22") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_left_out() {
        assert_eq!(without_secrets("a=1&X-Amz-Signature=abc&b&Signature=c"), "?a=1&b");
        assert_eq!(without_secrets("X-Amz-%53ignature=abc&x-amz-security-token=t"), "");
        assert_eq!(without_secrets(""), "");
    }
}
