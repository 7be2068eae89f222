//! Amazon S3 API reference, GetObjectAttributes.

use carob_bucket::{Found, Object, Part};
use carob_identity::Action;
use s3s::dto::{
    self, Checksum, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts, ObjectPart,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::access::{Deed, asker, here};
use crate::checksum::{ChecksumFields, ShowsChecksums, part_sum};
use crate::encryption::{self, CustomerKey};
use crate::error::from_bucket;
use crate::headers;
use crate::ops::multipart::{next_marker, page_size, part_marker};
use crate::ops::reading::select;
use crate::table::Carob;
use crate::target::NamesVersion;

const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<GetObjectAttributesInput>,
) -> S3Result<S3Response<GetObjectAttributesOutput>> {
    let input = &request.input;
    let wanted = wanted(&input.object_attributes)?;
    let wants = |name: &str| wanted.contains(&name);
    // It takes both rights; that to read was asked for already.
    let right = match input.version_id {
        None => Action::new("s3:GetObjectAttributes"),
        Some(_) => Action::new("s3:GetObjectVersionAttributes"),
    };
    let here = here(&request.extensions)?;
    let record = match &here.found {
        Some((_, _, Found::Object(object))) => Some(object.record()),
        _ => None,
    };
    let deed = Deed::on_key(right, &input.key).of_version(input.target()?.version).to(record);
    carob.gatekeeper.require(asker(&request.extensions)?, here, deed)?;
    encryption::refuse_on_read(&request.headers)?;
    let customer = CustomerKey::to_read(&request.headers)?;
    let selected = select(carob, input, customer.as_ref(), &mut request.extensions).await?;
    let record = selected.record();
    let object_parts = if wants("ObjectParts") {
        parts(&selected.object, input.max_parts, input.part_number_marker).await?
    } else {
        None
    };
    let output = GetObjectAttributesOutput {
        e_tag: wants("ETag").then(|| headers::etag(record)),
        checksum: (wants("Checksum") && record.checksum.is_some())
            .then(|| Checksum::default().with_checksums(ChecksumFields::attributes_of(record))),
        object_parts,
        object_size: wants("ObjectSize").then(|| headers::size(record.size)),
        storage_class: wants("StorageClass")
            .then(|| headers::storage_class(record.headers.storage_class.as_deref()).to_owned().into()),
        last_modified: Some(headers::timestamp(record.modified)),
        version_id: selected.version_id.clone(),
        ..GetObjectAttributesOutput::default()
    };
    Ok(S3Response::with_headers(output, headers::of(record)))
}

/// The names asked for: a header for each, or all in one.
fn wanted(asked: &[dto::ObjectAttributes]) -> S3Result<Vec<&'static str>> {
    if asked.iter().all(|value| value.as_str().trim().is_empty()) {
        return Err(s3_error!(
            InvalidRequest,
            "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty"
        ));
    }
    let names = asked.iter().flat_map(|value| value.as_str().split(',')).map(str::trim);
    let known = names.map(|name| KNOWN.into_iter().find(|known| *known == name));
    let known: Option<Vec<_>> = known.collect();
    known.ok_or_else(|| s3_error!(InvalidArgument, "Invalid attribute name specified."))
}

/// A page of the parts; `None` for an object that was put whole.
async fn parts(
    object: &Object,
    max_parts: Option<i32>,
    marker: Option<i32>,
) -> S3Result<Option<GetObjectAttributesParts>> {
    let max_parts = page_size(max_parts, "x-amz-max-parts")?;
    let after = part_marker(marker)?;
    let Some(list) = object.parts().await.map_err(from_bucket)? else { return Ok(None) };
    let mut rest = list.0.iter().filter(|part| part.number > after);
    let page: Vec<&Part> = rest.by_ref().take(max_parts).collect();
    let truncated = max_parts > 0 && rest.next().is_some();
    let next = next_marker(page.last().map(|part| part.number), after, truncated);
    Ok(Some(GetObjectAttributesParts {
        is_truncated: Some(truncated),
        max_parts: i32::try_from(max_parts).ok(),
        part_number_marker: Some(marker.unwrap_or(0)),
        next_part_number_marker: Some(next.into()),
        total_parts_count: i32::try_from(list.0.len()).ok(),
        parts: Some(page.into_iter().map(|part| shown(object, part)).collect()),
    }))
}

fn shown(object: &Object, part: &Part) -> ObjectPart {
    let checksum = part_sum(object.record(), part);
    let shown = ObjectPart {
        part_number: Some(part.number.into()),
        size: Some(headers::size(part.size)),
        ..ObjectPart::default()
    };
    shown.with_checksums(ChecksumFields::of_part(checksum.as_ref()))
}
