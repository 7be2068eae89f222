//! Amazon S3 API reference, ListObjectVersions.

use std::sync::Arc;

use carob_bucket::{DeleteMarker, Record, VersionStart, VersionsEntry, VersionsQuery};
use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput,
    ObjectVersion, ObjectVersionStorageClass, Owner,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::error::from_bucket;
use crate::headers;
use crate::interleave::Markers;
use crate::ops::listing::{self, Owners};
use crate::table::Carob;
use crate::target::parse_version;
use crate::xml::Names;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<ListObjectVersionsInput>,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let input = request.input;
    let max_keys = listing::max_keys(input.max_keys)?;
    let url = listing::url_encoded(input.encoding_type.as_ref())?;
    let start = start(input.key_marker.as_deref(), input.version_id_marker.as_deref())?;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let query = VersionsQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().filter(|delimiter| !delimiter.is_empty()),
        start,
        max_keys,
    };
    let snapshot = bucket.snapshot().await.map_err(from_bucket)?;
    let page = snapshot.list_versions(&query).await.map_err(from_bucket)?;

    let names = Names::of(&request.extensions, url);
    let owners = Owners::in_bucket(carob, &request.extensions)?;
    let (mut versions, mut delete_markers, mut common_prefixes) = (Vec::new(), Vec::new(), Vec::new());
    let mut markers = Markers(Vec::new());
    for entry in page.entries {
        match entry {
            VersionsEntry::Object { key, record, latest } => {
                markers.0.push(false);
                versions.push(version(
                    names.write(&key),
                    &record,
                    latest,
                    owners.of(record.access.as_deref()).into_owned(),
                ));
            }
            VersionsEntry::DeleteMarker { key, marker, latest } => {
                markers.0.push(true);
                delete_markers.push(delete_marker(
                    names.write(&key),
                    marker,
                    latest,
                    owners.of(None).into_owned(),
                ));
            }
            VersionsEntry::Prefix(prefix) => {
                common_prefixes.push(CommonPrefix { prefix: Some(names.write(&prefix)) });
            }
        }
    }
    let is_truncated = page.next.is_some();
    let (next_key, next_version) = match page.next {
        Some(VersionStart::AfterKey(key)) => (Some(key), None),
        Some(VersionStart::AfterVersion(key, version)) => (Some(key), Some(version.to_string())),
        Some(VersionStart::Beginning) | None => (None, None),
    };
    let mut response = S3Response::new(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: Some(names.write(&input.prefix.unwrap_or_default())),
        key_marker: Some(names.write(&input.key_marker.unwrap_or_default())),
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        next_key_marker: next_key.map(|key| names.write(&key)),
        next_version_id_marker: next_version,
        delimiter: query.delimiter.map(|delimiter| names.write(&delimiter)),
        encoding_type: input.encoding_type,
        max_keys: i32::try_from(max_keys).ok(),
        is_truncated: Some(is_truncated),
        versions: Some(versions),
        delete_markers: Some(delete_markers),
        common_prefixes: Some(common_prefixes),
        ..ListObjectVersionsOutput::default()
    });
    response.extensions.insert(markers);
    Ok(response)
}

/// # Errors
/// InvalidArgument for a version marker without a key's, or one that is no version id.
fn start(key: Option<&str>, version: Option<&str>) -> S3Result<VersionStart> {
    let version = version.filter(|version| !version.is_empty());
    match (key.filter(|key| !key.is_empty()), parse_version(version)?) {
        (None, None) => Ok(VersionStart::Beginning),
        (None, Some(_)) => {
            Err(s3_error!(InvalidArgument, "A version-id marker cannot be specified without a key marker."))
        }
        (Some(key), None) => Ok(VersionStart::AfterKey(key.to_owned())),
        (Some(key), Some(version)) => Ok(VersionStart::AfterVersion(key.to_owned(), version)),
    }
}

fn version(key: String, record: &Arc<Record>, latest: bool, owner: Owner) -> ObjectVersion {
    let checksum = record.checksum.as_ref();
    ObjectVersion {
        key: Some(key),
        version_id: Some(record.version_name().to_string()),
        is_latest: Some(latest),
        last_modified: Some(headers::timestamp(record.modified)),
        e_tag: Some(headers::etag(record)),
        size: Some(headers::size(record.size)),
        storage_class: Some(ObjectVersionStorageClass::from(
            headers::storage_class(record.headers.storage_class.as_deref()).to_owned(),
        )),
        checksum_algorithm: checksum.map(|c| vec![ChecksumAlgorithm::from_static(c.algorithm.as_str())]),
        checksum_type: checksum.map(|_| headers::checksum_type(record)),
        owner: Some(owner),
        ..ObjectVersion::default()
    }
}

fn delete_marker(key: String, marker: DeleteMarker, latest: bool, owner: Owner) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        key: Some(key),
        version_id: Some(marker.name().to_string()),
        is_latest: Some(latest),
        last_modified: Some(headers::timestamp(marker.version.time())),
        owner: Some(owner),
    }
}
