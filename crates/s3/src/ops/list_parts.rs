//! Amazon S3 API reference, ListParts.

use carob_bucket::PartState;
use s3s::dto::{ListPartsInput, ListPartsOutput, Part};
use s3s::{S3Request, S3Response, S3Result};

use crate::checksum::{ChecksumFields, ShowsChecksums};
use crate::encryption::CustomerKey;
use crate::error::from_bucket;
use crate::headers;
use crate::locate::abort;
use crate::ops::listing::{self, Owners};
use crate::ops::multipart::{algorithm, next_marker, page_size, part_marker, upload_id};
use crate::table::Carob;
use crate::xml::Names;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<ListPartsInput>,
) -> S3Result<S3Response<ListPartsOutput>> {
    let input = request.input;
    let max_parts = page_size(input.max_parts, "max-parts")?;
    let after = part_marker(input.part_number_marker)?;
    let id = upload_id(&input.upload_id)?;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let page = bucket.parts(&input.key, id, after, max_parts).await.map_err(from_bucket)?;

    let customer = CustomerKey::to_read(&request.headers)?;
    carob.encryption.admit_part(&page.upload, customer.as_ref())?;

    let end = abort(&bucket, &input.key, page.upload.initiated).await;
    let names = Names::of(&request.extensions, false);
    let owners = Owners::in_bucket(carob, &request.extensions)?;
    let owner = owners.of(page.upload.access.as_deref()).into_owned();
    // Whoever asks for none would go on forever.
    let truncated = max_parts > 0 && page.truncated;
    let next = next_marker(page.parts.last().map(|(number, _)| *number), after, truncated);
    let checksum = page.upload.checksum;
    Ok(S3Response::new(ListPartsOutput {
        abort_date: end.as_ref().map(|end| headers::timestamp(end.when)),
        abort_rule_id: end.map(|end| end.rule),
        bucket: Some(input.bucket),
        key: Some(names.write(&input.key)),
        upload_id: Some(input.upload_id),
        part_number_marker: Some(input.part_number_marker.unwrap_or(0)),
        next_part_number_marker: Some(next.into()),
        max_parts: i32::try_from(max_parts).ok(),
        is_truncated: Some(truncated),
        parts: Some(page.parts.iter().map(|(number, part)| shown(*number, part)).collect()),
        initiator: Some(listing::initiator(&owner)),
        owner: Some(owner),
        storage_class: Some(
            headers::storage_class(page.upload.headers.storage_class.as_deref()).to_owned().into(),
        ),
        checksum_algorithm: checksum.map(|checksum| algorithm(checksum.algorithm)),
        checksum_type: checksum.map(|checksum| headers::checksum_kind(checksum.kind)),
        ..ListPartsOutput::default()
    }))
}

fn shown(number: u16, part: &PartState) -> Part {
    let shown = Part {
        part_number: Some(number.into()),
        size: Some(headers::size(part.size)),
        e_tag: Some(headers::part_etag(part.md5)),
        last_modified: Some(headers::timestamp(part.modified)),
        ..Part::default()
    };
    shown.with_checksums(ChecksumFields::of_part(part.checksum.as_ref()))
}
