//! What is kept with an object, and how it is shown again.

use std::collections::BTreeMap;

use carob_bucket::{ChecksumType, ETag, Lock, MAX_METADATA_BYTES, ObjectHeaders, Record};
use carob_identity::{Action, Timestamp};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode};
use s3s::dto;
use s3s::{S3Result, s3_error};

use crate::access::{Deed, asker, here};
use crate::acl::Ownable;
use crate::error::{custom, metadata_too_large, not_implemented};
use crate::table::Carob;
use crate::{instant, protection, tags};

/// Tells an object's content CID. Ours.
pub(crate) const CID: HeaderName = HeaderName::from_static("x-carob-cid");

/// What an object is if nobody said.
pub(crate) const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

const STANDARD: &str = "STANDARD";

/// Amazon's other storage classes that an object is read from as from STANDARD: kept with it and shown, and stored no
/// other way.
const READ_AT_ONCE: [&str; 5] =
    ["GLACIER_IR", "INTELLIGENT_TIERING", "ONEZONE_IA", "REDUCED_REDUNDANCY", "STANDARD_IA"];

/// The rest of them: archives, out of which an object must be restored before it can be read, and classes that no bucket
/// of ours could have.
const OTHER_STORAGE_CLASSES: [&str; 7] =
    ["DEEP_ARCHIVE", "EXPRESS_ONEZONE", "FSX_ONTAP", "FSX_OPENZFS", "GLACIER", "OUTPOSTS", "SNOW"];

/// The headers of an object as a request gives them.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) storage_class: Option<dto::StorageClass>,
    pub(crate) headers: ObjectHeaders,
    pub(crate) metadata: Option<dto::Metadata>,
    pub(crate) tagging: Option<String>,
    pub(crate) lock_mode: Option<dto::ObjectLockMode>,
    pub(crate) lock_until: Option<dto::Timestamp>,
    pub(crate) legal_hold: Option<dto::ObjectLockLegalHoldStatus>,
}

/// What is kept of them.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) headers: ObjectHeaders,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) lock: Lock,
    /// Whose it is and who may do what with it; see [`Record::access`].
    pub(crate) access: Option<String>,
}

/// Takes a [`Given`] out of an input of PutObject, CreateMultipartUpload or CopyObject: their fields have the same
/// names, but s3s has no trait over them.
macro_rules! given {
    ($input:expr) => {
        $crate::headers::Given {
            storage_class: $input.storage_class.take(),
            headers: carob_bucket::ObjectHeaders {
                content_type: $input.content_type.take(),
                cache_control: $input.cache_control.take(),
                content_disposition: $input.content_disposition.take(),
                content_encoding: $input.content_encoding.take(),
                content_language: $input.content_language.take(),
                expires: $input.expires.take(),
                website_redirect_location: $input.website_redirect_location.take(),
                storage_class: None,
            },
            metadata: $input.metadata.take(),
            tagging: $input.tagging.take(),
            lock_mode: $input.object_lock_mode.take(),
            lock_until: $input.object_lock_retain_until_date.take(),
            legal_hold: $input.object_lock_legal_hold_status.take(),
        }
    };
}
pub(crate) use given;

impl Given {
    /// What of it is kept with the object.
    ///
    /// # Errors
    /// InvalidStorageClass, NotImplemented, InvalidRedirectLocation, MetadataTooLarge; InvalidTag and
    /// InvalidArgument for tags, InvalidArgument for object lock.
    pub(crate) fn checked(self) -> S3Result<Kept> {
        let Self { storage_class, mut headers, metadata, tagging, lock_mode, lock_until, legal_hold } = self;
        let tags = tagging.as_deref().map(tags::from_header).transpose()?.unwrap_or_default();
        let lock = protection::from_headers(lock_mode.as_ref(), lock_until.as_ref(), legal_hold.as_ref())?;
        headers.storage_class = storage_class.as_ref().map(checked_class).transpose()?.flatten();
        if let Some(location) = &headers.website_redirect_location
            && !["/", "http://", "https://"].iter().any(|start| location.starts_with(start))
        {
            return Err(custom(
                "InvalidRedirectLocation",
                StatusCode::BAD_REQUEST,
                "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
            ));
        }
        headers.content_encoding = headers.content_encoding.and_then(|value| without_aws_chunked(&value));
        let metadata: BTreeMap<_, _> = metadata.unwrap_or_default().into_iter().collect();
        let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > MAX_METADATA_BYTES {
            return Err(metadata_too_large());
        }
        Ok(Kept { headers, metadata, tags, lock, access: None })
    }
}

impl Kept {
    /// Asks for the further rights that tags and object lock take, and takes over the access control list that the headers
    /// of the request give.
    ///
    /// # Errors
    /// AccessDenied; as [`Ownable::access`].
    pub(crate) fn authorized(
        self,
        carob: &Carob,
        extensions: &Extensions,
        headers: &HeaderMap,
        key: &str,
    ) -> S3Result<Self> {
        let (asker, here) = (asker(extensions)?, here(extensions)?);
        let rights = [
            (!self.tags.is_empty(), Action::PUT_OBJECT_TAGGING),
            (self.lock.retention.is_some(), Action::PUT_OBJECT_RETENTION),
            (self.lock.legal_hold.is_some(), Action::PUT_OBJECT_LEGAL_HOLD),
        ];
        for (_, right) in rights.into_iter().filter(|(needed, _)| *needed) {
            carob.gatekeeper.require(asker, here, Deed::on_key(right, key))?;
        }
        if self.lock != Lock::default() {
            protection::check_new(self.lock, here.snapshot.config(), carob.gatekeeper.clock.now())?;
        }
        let access = Ownable { asker, here, key }.access(headers, &carob.gatekeeper)?;
        Ok(Self { access, ..self })
    }
}

/// The class to keep; none for STANDARD.
///
/// # Errors
/// NotImplemented, InvalidStorageClass.
fn checked_class(class: &dto::StorageClass) -> S3Result<Option<String>> {
    match class.as_str() {
        STANDARD => Ok(None),
        class if READ_AT_ONCE.contains(&class) => Ok(Some(class.to_owned())),
        class if OTHER_STORAGE_CLASSES.contains(&class) => {
            Err(not_implemented(&format!("x-amz-storage-class: {class}")))
        }
        _ => Err(s3_error!(InvalidStorageClass, "The storage class you specified is not valid")),
    }
}

/// The storage class that was kept, where S3 names each.
pub(crate) fn storage_class(kept: Option<&str>) -> &str {
    kept.unwrap_or(STANDARD)
}

/// `aws-chunked` says how the request was sent, not what the object is.
fn without_aws_chunked(value: &str) -> Option<String> {
    let transport = |coding: &&str| coding.eq_ignore_ascii_case("aws-chunked");
    let codings: Vec<_> = value.split(',').map(str::trim).filter(|coding| !coding.is_empty()).collect();
    if !codings.iter().any(transport) {
        return (!codings.is_empty()).then(|| value.to_owned());
    }
    let kept: Vec<_> = codings.into_iter().filter(|coding| !transport(coding)).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// What every answer about an object says in headers of its own: the content CID.
pub(crate) fn of(record: &Record) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::try_from(record.content.to_string()) {
        headers.insert(CID, value);
    }
    headers
}

pub(crate) fn etag(record: &Record) -> dto::ETag {
    dto::ETag::Strong(record.etag.to_string())
}

pub(crate) fn part_etag(md5: [u8; 16]) -> dto::ETag {
    dto::ETag::Strong(ETag { md5, parts: None }.to_string())
}

/// What the object's checksum is of.
pub(crate) fn checksum_type(record: &Record) -> dto::ChecksumType {
    checksum_kind(record.checksum_type)
}

pub(crate) fn checksum_kind(kind: ChecksumType) -> dto::ChecksumType {
    dto::ChecksumType::from_static(match kind {
        ChecksumType::FullObject => dto::ChecksumType::FULL_OBJECT,
        ChecksumType::Composite => dto::ChecksumType::COMPOSITE,
    })
}

pub(crate) fn timestamp(time: Timestamp) -> dto::Timestamp {
    instant::system_time(time).into()
}

/// A size as s3s wants it; no object is near the difference.
pub(crate) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_chunked_is_not_kept() {
        for (value, kept) in [
            ("aws-chunked", None),
            ("AWS-Chunked", None),
            ("aws-chunked,gzip", Some("gzip")),
            ("gzip, aws-chunked", Some("gzip")),
            ("aws-chunked, aws-chunked", None),
            ("gzip, br", Some("gzip, br")),
            ("gzip", Some("gzip")),
            ("", None),
        ] {
            assert_eq!(without_aws_chunked(value).as_deref(), kept, "{value}");
        }
    }
}
