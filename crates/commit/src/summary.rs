//! What a listing shows of an object.

use carob_block::{Cid, Codec, sha256_cid};
use carob_identity::Timestamp;
use carob_index::{Datum, Fields};
use carob_object::ChecksumAlgorithm;

use crate::{ChecksumType, CommitError, ETag, Inline, Record};

/// The part of a [`Record`] that a listing shows. A page has a thousand of them, so they are read where they stand in their
/// node and nothing else is looked at: by way of serde, that took a third of the processor time of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// [`Record::content`].
    pub content: Cid,
    /// [`Record::size`].
    pub size: u64,
    /// [`Record::etag`].
    pub etag: ETag,
    /// [`Record::modified`].
    pub modified: Timestamp,
    /// The storage class of [`Record::headers`].
    pub storage_class: Option<String>,
    /// The algorithm of [`Record::checksum`].
    pub checksum: Option<ChecksumAlgorithm>,
    /// [`Record::checksum_type`].
    pub checksum_type: ChecksumType,
    /// [`Record::access`].
    pub access: Option<String>,
}

impl Summary {
    /// Reads a [`Record`]'s tree value, as [`crate::TreeValue::from_value`] reads all of it. `node` is the tree the value came
    /// from, named in errors.
    ///
    /// # Errors
    /// [`CommitError::Malformed`].
    pub fn from_datum(value: Datum<'_>, node: Cid) -> Result<Inline<Self>, CommitError> {
        let read = match value {
            Datum::Link(cid) => link(cid).map(Inline::Linked),
            Datum::Map(fields) => summary(fields).map(Inline::Here),
            _ => Err("neither a record nor a link to one"),
        };
        read.map_err(|reason| CommitError::Malformed { cid: node, what: "record", source: reason.into() })
    }
}

impl From<Record> for Summary {
    fn from(record: Record) -> Self {
        Self {
            content: record.content,
            size: record.size,
            etag: record.etag,
            modified: record.modified,
            storage_class: record.headers.storage_class,
            checksum: record.checksum.map(|checksum| checksum.algorithm),
            checksum_type: record.checksum_type,
            access: record.access,
        }
    }
}

/// What is wrong with a value.
type Reason = &'static str;

/// The names of the fields are those of [`Record`] and of what it holds.
fn summary(fields: Fields<'_>) -> Result<Summary, Reason> {
    let (mut content, mut size, mut tag, mut modified) = (None, None, None, None);
    let (mut storage_class, mut checksum, mut access) = (None, None, None);
    let mut checksum_type = ChecksumType::default();
    // Byte by byte: names given whole would each be a call to compare them.
    for (name, value) in fields {
        match (name, value) {
            ([b'c'], Datum::Link(cid)) => content = Some(link(cid)?),
            ([b's'], Datum::Unsigned(bytes)) => size = Some(bytes),
            ([b'e'], Datum::Map(fields)) => tag = Some(etag(fields)?),
            ([b'm'], Datum::Unsigned(millis)) => modified = Some(Timestamp(millis)),
            ([b'h'], Datum::Map(fields)) => storage_class = optional_text(field(fields, b"sc"))?,
            ([b'k'], Datum::Map(fields)) => checksum = Some(algorithm(fields)?),
            ([b'k'], Datum::Null) => {}
            ([b'k', b't'], Datum::Text(b"FULL_OBJECT")) => checksum_type = ChecksumType::FullObject,
            ([b'k', b't'], Datum::Text(b"COMPOSITE")) => checksum_type = ChecksumType::Composite,
            ([b'a'], value) => access = optional_text(Some(value))?,
            ([b'c' | b's' | b'e' | b'm' | b'h' | b'k'] | [b'k', b't'], _) => {
                return Err("a field that is not what it should be");
            }
            _ => {}
        }
    }
    let missing = "a field is missing";
    Ok(Summary {
        content: content.ok_or(missing)?,
        size: size.ok_or(missing)?,
        etag: tag.ok_or(missing)?,
        modified: modified.ok_or(missing)?,
        storage_class,
        checksum,
        checksum_type,
        access,
    })
}

fn etag(fields: Fields<'_>) -> Result<ETag, Reason> {
    let (mut md5, mut parts) = (None, None);
    for (name, value) in fields {
        match (name, value) {
            ([b'm', b'd', b'5'], Datum::Bytes(bytes)) => md5 = bytes.try_into().ok(),
            ([b'p', b'a', b'r', b't', b's'], Datum::Unsigned(count)) => {
                parts = Some(u32::try_from(count).map_err(|_| "an entity tag of too many parts")?);
            }
            ([b'p', b'a', b'r', b't', b's'], Datum::Null) => {}
            ([b'm', b'd', b'5'] | [b'p', b'a', b'r', b't', b's'], _) => {
                return Err("an entity tag that is none");
            }
            _ => {}
        }
    }
    Ok(ETag { md5: md5.ok_or("an entity tag without an MD5")?, parts })
}

fn algorithm(checksum: Fields<'_>) -> Result<ChecksumAlgorithm, Reason> {
    let Some(Datum::Text(name)) = field(checksum, b"a") else { return Err("a checksum without a name") };
    let name = str::from_utf8(name).ok();
    name.and_then(ChecksumAlgorithm::from_name).ok_or("unknown checksum algorithm")
}

fn field<'a>(mut fields: Fields<'a>, name: &[u8]) -> Option<Datum<'a>> {
    fields.find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn optional_text(value: Option<Datum<'_>>) -> Result<Option<String>, Reason> {
    match value {
        None | Some(Datum::Null) => Ok(None),
        Some(Datum::Text(text)) => {
            str::from_utf8(text).map(|text| Some(text.to_owned())).map_err(|_| "text that is not UTF-8")
        }
        Some(_) => Err("something else than text"),
    }
}

fn link(cid: &[u8]) -> Result<Cid, Reason> {
    // CIDv1, sha2-256 of 32 bytes: what is left of almost every link of ours need not be parsed.
    if let [1, codec, 0x12, 0x20, digest @ ..] = cid
        && let (Some(codec), Ok(digest)) = (Codec::from_code(u64::from(*codec)), digest.try_into())
    {
        return Ok(sha256_cid(codec, digest));
    }
    Cid::try_from(cid).map_err(|_| "a link that is not a CID")
}
