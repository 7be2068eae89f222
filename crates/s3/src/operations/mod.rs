//! The operations that are served: what each needs a right to, and which parts of a request it understands.
//!
//! Whatever stands in no row is refused, so that a header or query with a meaning is never ignored.

mod served;
mod subresources;

use carob_identity::Action;
use http::Uri;

use served::OPERATIONS;
pub(crate) use subresources::SUBRESOURCES;

/// What the right is asked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The space.
    Space,
    /// The bucket in the path.
    Bucket,
    /// The object in the path.
    Object,
    /// Each key in the body: the operation asks for itself.
    EachKey,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// S3's name.
    pub(crate) name: &'static str,
    /// The right it takes.
    pub(crate) action: Action,
    /// The right it takes where a version is named, if another.
    pub(crate) version_action: Option<Action>,
    pub(crate) scope: Scope,
    /// Sub-resources in the query that it understands, of [`SUBRESOURCES`].
    pub(crate) subresources: &'static [&'static str],
    /// `x-amz-*` headers that it understands besides [`ANY_OPERATION`]; one ending in `-` stands for a family.
    pub(crate) headers: &'static [&'static str],
    pub(crate) payload: Payload,
}

/// What the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Object data, to be passed on as it comes.
    Object,
    /// A document, or nothing.
    Document,
    /// A document, while the checksum headers tell of the object that it makes.
    Completion,
}

/// Finds an operation that is served.
pub(crate) fn find(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// Headers that every operation may carry. Those about payer, client and transport change nothing here:
/// `x-amz-te` offers to read a trailer that the answer would have to announce, and S3 ignores `x-amz-checksum-type`
/// and `-algorithm` outside multipart uploads.
pub(crate) const ANY_OPERATION: &[&str] = &[
    "x-amz-api-version",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-te",
    "x-amz-trailer",
    "x-amz-user-agent",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-sha512",
    "x-amz-checksum-md5",
    "x-amz-checksum-xxhash64",
    "x-amz-checksum-xxhash3",
    "x-amz-checksum-xxhash128",
    "x-amz-checksum-type",
];

/// An operation that takes `action` on `scope`, reads a document or nothing, and understands nothing special.
const fn on(scope: Scope, name: &'static str, action: Action) -> Operation {
    Operation {
        name,
        action,
        version_action: None,
        scope,
        subresources: &[],
        headers: &[],
        payload: Payload::Document,
    }
}

impl Operation {
    /// The right that a request with this query takes.
    pub(crate) fn action_for(&self, uri: &Uri) -> Action {
        let names_version =
            |query: &str| form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "versionId");
        match self.version_action {
            Some(action) if uri.query().is_some_and(names_version) => action,
            _ => self.action,
        }
    }

    /// Whether it may change anything.
    pub(crate) fn writes(&self) -> bool {
        !["Get", "Head", "List"].iter().any(|reads| self.name.starts_with(reads))
    }

    /// The conditions that it takes on what it replaces.
    pub(crate) fn conditions(&self) -> &'static [&'static str] {
        match self.name {
            "PutObject" | "CopyObject" | "CompleteMultipartUpload" => &["If-Match", "If-None-Match"],
            "DeleteObject" => &["If-Match"],
            "RenameObject" => &["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"],
            _ => &[],
        }
    }

    const fn of_version(self, action: Action) -> Self {
        Self { version_action: Some(action), ..self }
    }

    /// Whether the answer shows keys of the bucket, which a key for some of them may not see all of.
    pub(crate) fn lists_keys(&self) -> bool {
        let lists = ["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"];
        lists.contains(&self.action.name()) && self.name != "HeadBucket"
    }

    /// Whether the right to it depends on whose the object is that is there.
    pub(crate) fn reads_object(&self) -> bool {
        ["GetObject", "HeadObject", "GetObjectAttributes", "GetObjectAcl", "PutObjectAcl"]
            .contains(&self.name)
    }

    const fn subresources(self, subresources: &'static [&'static str]) -> Self {
        Self { subresources, ..self }
    }

    const fn headers(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }

    const fn payload(self, payload: Payload) -> Self {
        Self { payload, ..self }
    }
}
