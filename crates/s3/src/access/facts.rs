//! What conditions of a policy can look at (Service Authorization Reference, "Condition keys for Amazon S3"; IAM user
//! guide, "AWS global condition context keys").

use carob_identity::AccountNumber;
use carob_policy::{Caller, Context, current_time};
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::percent_decode_str;

use super::{Asker, Deed, Gatekeeper, Here};
use crate::{tags, version2};

/// How a request was signed, and what it said before the gate took it apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signed {
    /// `REST-HEADER` or `REST-QUERY-STRING`; `None` if nobody has signed.
    pub(crate) kind: Option<&'static str>,
    /// `AWS` or `AWS4-HMAC-SHA256`.
    pub(crate) version: Option<&'static str>,
    /// When a presigned URL was signed, in seconds since 1970.
    pub(crate) at: Option<u64>,
    pub(crate) if_match: Option<HeaderValue>,
    pub(crate) if_none_match: Option<HeaderValue>,
}

/// Headers that are condition keys under their own names.
const HEADERS: &[&str] = &[
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// Object lock's headers, and their condition keys.
const LOCKS: &[(&str, &str)] = &[
    ("x-amz-object-lock-mode", "s3:object-lock-mode"),
    ("x-amz-object-lock-retain-until-date", "s3:object-lock-retain-until-date"),
    ("x-amz-object-lock-legal-hold", "s3:object-lock-legal-hold"),
];

impl Gatekeeper {
    /// What is known of a request to do `deed`.
    pub(super) fn context(&self, asker: &Asker, caller: &Caller, here: &Here, deed: Deed<'_>) -> Context {
        let mut context = Context::default();
        let now = asker.now.millis();
        context.insert("aws:CurrentTime", current_time(now));
        context.insert("aws:EpochTime", (now / 1000).to_string());
        // What a proxy in front of us speaks, it alone knows.
        context.insert("aws:SecureTransport", if self.tls { "true" } else { "false" });
        context.insert("aws:RequestedRegion", &*self.region);
        context.insert("aws:ViaAWSService", "false");
        context.insert("aws:PrincipalIsAWSService", "false");
        if let Some(source) = asker.source {
            context.insert("aws:SourceIp", source.0.to_canonical().to_string());
        }
        let owner = AccountNumber::of(&here.bucket.info().owner).to_string();
        context.insert("aws:ResourceAccount", owner.clone());
        context.insert("s3:ResourceAccount", owner);
        principal(&mut context, caller);
        signature(&mut context, asker);
        headers(&mut context, &asker.headers);
        query(&mut context, asker, deed);
        if let Some(version) = deed.version {
            context.insert("s3:VersionId", version.to_string());
        }
        if let Some(tags) = deed.tags {
            requested_tags(&mut context, tags);
        }
        for (key, value) in deed.record.iter().flat_map(|record| &record.tags) {
            context.insert(&format!("s3:ExistingObjectTag/{key}"), value);
        }
        context
    }
}

fn principal(context: &mut Context, caller: &Caller) {
    let Caller::Account { number, user, .. } = caller else {
        context.insert("aws:PrincipalType", "Anonymous");
        context.insert("aws:userid", "anonymous");
        return;
    };
    context.insert("aws:PrincipalType", if user.is_some() { "User" } else { "Account" });
    context.insert("aws:PrincipalAccount", number);
    context.insert("aws:userid", user.as_ref().unwrap_or(number));
    if let Some(user) = user {
        context.insert("aws:username", user);
    }
    if let Some(arn) = caller.arn() {
        context.insert("aws:PrincipalArn", arn);
    }
}

fn signature(context: &mut Context, asker: &Asker) {
    let Some(signed) = &asker.signed else { return };
    if let Some(kind) = signed.kind {
        context.insert("s3:authType", kind);
    }
    if let Some(version) = signed.version {
        context.insert("s3:signatureversion", version);
        if version == version2::NAME {
            // It does not say when it was made.
            context.insert("s3:signatureAge", "0");
        }
    }
    if let Some(at) = signed.at {
        let age = asker.now.millis().saturating_sub(at.saturating_mul(1000));
        context.insert("s3:signatureAge", age.to_string());
    }
    for (key, value) in [("s3:if-match", &signed.if_match), ("s3:if-none-match", &signed.if_none_match)] {
        if let Some(value) = value.as_ref().and_then(|value| value.to_str().ok()) {
            context.insert(key, value);
        }
    }
}

fn headers(context: &mut Context, headers: &HeaderMap) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(agent) = text(header::USER_AGENT.as_str()) {
        context.insert("aws:UserAgent", agent);
    }
    if let Some(referer) = text(header::REFERER.as_str()) {
        context.insert("aws:Referer", referer);
    }
    for name in HEADERS {
        if let Some(value) = text(name) {
            context.insert(&format!("s3:{name}"), value);
        }
    }
    for (name, key) in LOCKS {
        if let Some(value) = text(name) {
            context.insert(key, value);
        }
    }
    if let Some(source) = text("x-amz-copy-source") {
        let path = source.split_once('?').map_or(source, |(path, _)| path);
        // As the operation reads it.
        let path = path.trim_start_matches('/').replace('+', " ");
        let path = percent_decode_str(&path).decode_utf8_lossy();
        context.insert("s3:x-amz-copy-source", path);
    }
    if let Some(Ok(tags)) = text("x-amz-tagging").map(tags::from_header) {
        requested_tags(context, &tags);
    }
}

fn requested_tags(context: &mut Context, tags: &std::collections::BTreeMap<String, String>) {
    for (key, value) in tags {
        context.insert(&format!("s3:RequestObjectTag/{key}"), value);
    }
    context.insert_all("s3:RequestObjectTagKeys", tags.keys().cloned().collect());
}

fn query(context: &mut Context, asker: &Asker, deed: Deed<'_>) {
    for (name, value) in form_urlencoded::parse(asker.uri.query().unwrap_or_default().as_bytes()) {
        match &*name {
            // The one that counts, where several are given.
            "prefix" => context.insert("s3:prefix", deed.listed.unwrap_or_default()),
            "delimiter" | "max-keys" => context.insert(&format!("s3:{name}"), value),
            _ => {}
        }
    }
    // A key that is asked for by its own name.
    if let Some(listed) = deed.listed.filter(|listed| !listed.is_empty()) {
        context.insert("s3:prefix", listed);
    }
}
