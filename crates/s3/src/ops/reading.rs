//! What the reads of an object share: which bytes of which object, or why none.

use std::ops::Range;

use carob_bucket::{Checksum, Lock, MAX_PARTS, Object, PartList, Record};
use carob_identity::Action;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use s3s::{S3Error, S3Result, dto, s3_error};

use crate::access::{Deed, asker, here};
use crate::checksum::{ChecksumFields, part_sum};
use crate::conditions::{Conditional, Verdict};
use crate::encryption::CustomerKey;
use crate::error::{bad_part_number, custom, from_bucket, precondition_failed};
use crate::locate::Located;
use crate::range::ByteRange;
use crate::table::Carob;
use crate::target::{NamesVersion, Target};
use crate::{headers, instant};

/// The input of an operation that reads an object, or of one that asks about it.
pub(crate) trait ReadInput: NamesVersion {
    /// `partNumber`, for those that have it.
    fn part_number(&self) -> Option<i32> {
        None
    }
}

impl ReadInput for dto::GetObjectAttributesInput {}

impl ReadInput for dto::GetObjectInput {
    fn part_number(&self) -> Option<i32> {
        self.part_number
    }
}

impl ReadInput for dto::HeadObjectInput {
    fn part_number(&self) -> Option<i32> {
        self.part_number
    }
}

/// What is to be shown.
pub(crate) struct Selected {
    pub(crate) object: Object,
    pub(crate) range: Range<u64>,
    /// `Content-Range`, if this is a 206.
    pub(crate) content_range: Option<String>,
    /// How many parts there are, if one was asked for by number and the object was uploaded in parts.
    pub(crate) parts_count: Option<i32>,
    /// What S3 calls the version.
    pub(crate) version_id: Option<String>,
    /// When a lifecycle rule takes it away.
    pub(crate) expiration: Option<String>,
    /// How many tags it has, and what protects it, as far as the caller may know.
    pub(crate) tag_count: Option<i32>,
    pub(crate) lock: Lock,
    part_checksum: Option<Checksum>,
}

impl Selected {
    pub(crate) fn record(&self) -> &Record {
        self.object.record()
    }

    pub(crate) fn length(&self) -> i64 {
        headers::size(self.range.end.saturating_sub(self.range.start))
    }

    /// The checksum, if it is asked for and these are the bytes it is of.
    pub(crate) fn checksums(&self, mode: Option<&dto::ChecksumMode>) -> ChecksumFields {
        let whole = self.range == (0..self.record().size);
        let asked = mode.is_some_and(|mode| mode.as_str().eq_ignore_ascii_case("ENABLED"));
        match &self.part_checksum {
            _ if !asked => ChecksumFields::default(),
            Some(checksum) => ChecksumFields {
                kind: Some(headers::checksum_type(self.record())),
                ..ChecksumFields::of_part(Some(checksum))
            },
            None if whole => ChecksumFields::of(self.record()),
            None => ChecksumFields::default(),
        }
    }
}

/// Finds the object and decides on conditions, then on the range.
///
/// # Errors
/// NoSuchBucket, NoSuchKey, NoSuchVersion; InvalidRequest and AccessDenied for the customer's key; 304 and 412 for
/// conditions; InvalidRange and InvalidPartNumber.
pub(crate) async fn select<I: ReadInput>(
    carob: &Carob,
    input: &I,
    customer: Option<&CustomerKey>,
    extensions: &mut Extensions,
) -> S3Result<Selected> {
    let target = input.target()?;
    let part = input.part_number().map(check_part_number).transpose()?;
    let Located { object, version_id, expiration } = carob.object(extensions, target).await?;
    carob.encryption.admit(&object, customer)?;
    let record = object.record();
    let (tag_count, lock) = attached(carob, extensions, target, record)?;
    let conditional = extensions.remove::<Conditional>().unwrap_or_default();
    match conditional.verdict(record) {
        Verdict::Proceed => {}
        Verdict::NotModified => return Err(not_modified(record)),
        Verdict::Failed => return Err(precondition_failed()),
    }
    let asked = conditional.range(record);
    let (mut parts_count, mut part_checksum) = (None, None);
    let range = match (asked, part) {
        (Some(_), Some(_)) => {
            return Err(s3_error!(
                InvalidRequest,
                "Cannot specify both Range header and partNumber query parameter"
            ));
        }
        (Some(range), None) => Some(range.resolve(record.size).ok_or_else(|| invalid_range(record.size))?),
        (None, Some(number)) if record.parts.is_some() => {
            let parts = object.parts().await.map_err(from_bucket)?.unwrap_or(PartList(Vec::new())).0;
            parts_count = i32::try_from(parts.len()).ok();
            let at = parts.iter().position(|part| part.number == number).ok_or_else(invalid_part_number)?;
            let (before, rest) = parts.split_at(at);
            let start = before.iter().fold(0_u64, |sum, part| sum.saturating_add(part.size));
            let part = rest.first().ok_or_else(invalid_part_number)?;
            part_checksum = part_sum(record, part);
            Some(start..start.saturating_add(part.size))
        }
        // The one part that an object has which was not uploaded in parts. No range names nothing, so an empty
        // one is shown as it is.
        (None, Some(1)) => ByteRange::FromTo(0, None).resolve(record.size),
        (None, Some(_)) => return Err(invalid_part_number()),
        (None, None) => None,
    };
    let size = record.size;
    let content_range = range
        .as_ref()
        .filter(|range| !range.is_empty())
        .map(|range| format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)));
    let range = range.unwrap_or(0..size);
    Ok(Selected {
        object,
        range,
        content_range,
        parts_count,
        version_id,
        expiration,
        tag_count,
        lock,
        part_checksum,
    })
}

/// What of tags and protection the caller may know: each is a right of its own (API reference, GetObject).
fn attached(
    carob: &Carob,
    extensions: &Extensions,
    target: Target<'_>,
    record: &Record,
) -> S3Result<(Option<i32>, Lock)> {
    let (asker, here) = (asker(extensions)?, here(extensions)?);
    let may = |right| {
        let deed = Deed::on_key(right, target.key).of_version(target.version).to(Some(record));
        carob.gatekeeper.allows(asker, here, deed)
    };
    let Lock { retention, legal_hold } = record.lock;
    let tags = !record.tags.is_empty() && may(Action::GET_OBJECT_TAGGING);
    let retained = retention.is_some() && may(Action::GET_OBJECT_RETENTION);
    let held = legal_hold.is_some() && may(Action::GET_OBJECT_LEGAL_HOLD);
    let tag_count = if tags { i32::try_from(record.tags.len()).ok() } else { None };
    let lock = Lock { retention: retention.filter(|_| retained), legal_hold: legal_hold.filter(|_| held) };
    Ok((tag_count, lock))
}

/// # Errors
/// InvalidArgument outside 1 to 10,000.
pub(super) fn check_part_number(number: i32) -> S3Result<u16> {
    u16::try_from(number).ok().filter(|number| (1..=MAX_PARTS).contains(number)).ok_or_else(bad_part_number)
}

/// 304, with the headers that RFC 9110 §15.4.5 wants.
fn not_modified(record: &Record) -> S3Error {
    let mut error = s3_error!(NotModified, "Not Modified");
    let mut found = headers::of(record);
    let insert = |found: &mut HeaderMap, name, value: Option<&str>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            found.insert(name, value);
        }
    };
    insert(&mut found, header::ETAG, Some(&format!("\"{}\"", record.etag)));
    insert(&mut found, header::CACHE_CONTROL, record.headers.cache_control.as_deref());
    insert(&mut found, header::EXPIRES, record.headers.expires.as_deref());
    insert(&mut found, header::LAST_MODIFIED, Some(&instant::http_date(record.modified)));
    error.set_headers(found);
    error
}

fn invalid_range(size: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{size}")) {
        headers.insert(header::CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}

fn invalid_part_number() -> S3Error {
    custom(
        "InvalidPartNumber",
        StatusCode::RANGE_NOT_SATISFIABLE,
        "The requested partnumber is not satisfiable",
    )
}
