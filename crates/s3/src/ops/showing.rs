//! What GetObject and HeadObject show of an object alike. Their outputs have the same fields, but s3s has no trait
//! over them.

use carob_bucket::ObjectHeaders;
use s3s::dto;

use crate::checksum::ShowsChecksums;
use crate::headers;
use crate::ops::reading::Selected;
use crate::protection::{hold_status, mode_name};

/// An answer that shows an object.
pub(crate) trait ShowsObject {
    /// With `kept` for the headers that the object was put with.
    fn show(selected: &Selected, kept: ObjectHeaders, mode: Option<&dto::ChecksumMode>) -> Self;
}

macro_rules! shows_object {
    ($($output:ident),+) => {
        $(impl ShowsObject for dto::$output {
            fn show(selected: &Selected, kept: ObjectHeaders, mode: Option<&dto::ChecksumMode>) -> Self {
                let record = selected.record();
                let content_type = kept.content_type.unwrap_or_else(|| headers::DEFAULT_CONTENT_TYPE.to_owned());
                let output = Self {
                    content_length: Some(selected.length()),
                    content_range: selected.content_range.clone(),
                    accept_ranges: Some("bytes".to_owned()),
                    e_tag: Some(headers::etag(record)),
                    last_modified: Some(headers::timestamp(record.modified)),
                    metadata: Some(record.metadata.clone().into_iter().collect()),
                    content_type: Some(content_type),
                    cache_control: kept.cache_control,
                    content_disposition: kept.content_disposition,
                    content_encoding: kept.content_encoding,
                    content_language: kept.content_language,
                    expires: kept.expires,
                    website_redirect_location: kept.website_redirect_location,
                    storage_class: kept.storage_class.map(dto::StorageClass::from),
                    parts_count: selected.parts_count,
                    version_id: selected.version_id.clone(),
                    expiration: selected.expiration.clone(),
                    tag_count: selected.tag_count,
                    object_lock_mode: selected.lock.retention.map(|retention| {
                        dto::ObjectLockMode::from_static(mode_name(retention.mode))
                    }),
                    object_lock_retain_until_date: selected.lock.retention.map(|retention| {
                        headers::timestamp(retention.until)
                    }),
                    object_lock_legal_hold_status: selected.lock.legal_hold.map(hold_status),
                    ..Self::default()
                };
                output.with_checksums(selected.checksums(mode))
            }
        })+
    };
}

shows_object!(GetObjectOutput, HeadObjectOutput);
