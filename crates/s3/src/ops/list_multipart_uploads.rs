//! Amazon S3 API reference, ListMultipartUploads.

use carob_bucket::{UploadsEntry, UploadsPage, UploadsQuery};
use s3s::dto::{CommonPrefix, ListMultipartUploadsInput, ListMultipartUploadsOutput, MultipartUpload};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::error::from_bucket;
use crate::headers;
use crate::ops::listing::{self, Owners};
use crate::ops::multipart::{algorithm, page_size};
use crate::table::Carob;
use crate::xml::Names;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let input = request.input;
    let max_uploads = page_size(input.max_uploads, "max-uploads")?;
    let url = listing::url_encoded(input.encoding_type.as_ref())?;
    let key_marker = input.key_marker.filter(|marker| !marker.is_empty());
    // Without a key it marks nothing.
    let id_marker = input.upload_id_marker.filter(|marker| !marker.is_empty() && key_marker.is_some());
    let id = id_marker.as_deref().map(str::parse).transpose();
    let id = id.map_err(|_| s3_error!(InvalidArgument, "Invalid uploadId marker"))?;
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let prefix = input.prefix.unwrap_or_default();
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let query = UploadsQuery {
        prefix: prefix.clone(),
        delimiter: delimiter.clone(),
        after: key_marker.clone().map(|key| (key, id)),
        max_uploads,
    };
    let UploadsPage { entries, next } = bucket.uploads(&query).await.map_err(from_bucket)?;

    let names = Names::of(&request.extensions, url);
    let owners = Owners::in_bucket(carob, &request.extensions)?;
    let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            UploadsEntry::Upload { key, id, state } => {
                let owner = owners.of(state.access.as_deref()).into_owned();
                uploads.push(MultipartUpload {
                    key: Some(names.write(&key)),
                    upload_id: Some(id.to_string()),
                    initiated: Some(headers::timestamp(state.initiated)),
                    initiator: Some(listing::initiator(&owner)),
                    owner: Some(owner),
                    storage_class: Some(
                        headers::storage_class(state.headers.storage_class.as_deref()).to_owned().into(),
                    ),
                    checksum_algorithm: state.checksum.map(|checksum| algorithm(checksum.algorithm)),
                    checksum_type: state.checksum.map(|checksum| headers::checksum_kind(checksum.kind)),
                });
            }
            UploadsEntry::Prefix(prefix) => {
                prefixes.push(CommonPrefix { prefix: Some(names.write(&prefix)) });
            }
        }
    }
    let (next_key, next_id) = next.map_or((None, None), |(key, id)| (Some(key), id));
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: Some(names.write(&prefix)),
        delimiter: delimiter.map(|delimiter| names.write(&delimiter)),
        key_marker: Some(names.write(&key_marker.unwrap_or_default())),
        upload_id_marker: Some(id_marker.unwrap_or_default()),
        is_truncated: Some(next_key.is_some()),
        next_key_marker: next_key.map(|key| names.write(&key)),
        next_upload_id_marker: next_id.map(|id| id.to_string()),
        max_uploads: i32::try_from(max_uploads).ok(),
        encoding_type: input.encoding_type,
        uploads: Some(uploads),
        common_prefixes: Some(prefixes),
        ..ListMultipartUploadsOutput::default()
    }))
}
