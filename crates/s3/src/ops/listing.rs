//! What the two listings share.

use carob_bucket::{Bucket, ListEntry, ListPage, ListQuery, ListStart};
use http::Extensions;
use s3s::dto::{CommonPrefix, EncodingType, Initiator, Owner};
use s3s::{S3Error, S3Result, s3_error};

use crate::access::{Here, here};
use crate::contents::Contents;
use crate::error::from_bucket;
use crate::table::Carob;
use crate::xml::Names;

/// The most entries in a page, and how many it has if nobody says.
const MAX_KEYS: usize = 1000;

/// Reads `max-keys`: more than 1,000 is 1,000.
///
/// # Errors
/// InvalidArgument for less than nothing.
pub(crate) fn max_keys(asked: Option<i32>) -> S3Result<usize> {
    let Some(asked) = asked else { return Ok(MAX_KEYS) };
    let asked = usize::try_from(asked).map_err(|_| {
        s3_error!(InvalidArgument, "Argument maxKeys must be an integer between 0 and 2147483647")
    })?;
    Ok(asked.min(MAX_KEYS))
}

/// Whether names are to be percent-encoded.
///
/// # Errors
/// InvalidArgument for another encoding than `url`.
pub(crate) fn url_encoded(asked: Option<&EncodingType>) -> S3Result<bool> {
    match asked {
        None => Ok(false),
        Some(encoding) if encoding.as_str() == "url" => Ok(true),
        Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
    }
}

pub(crate) async fn page(
    bucket: &Bucket,
    prefix: Option<&str>,
    delimiter: Option<&str>,
    start: ListStart,
    max_keys: usize,
) -> S3Result<ListPage> {
    let query = ListQuery {
        prefix: prefix.unwrap_or_default().to_owned(),
        delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()).map(str::to_owned),
        start,
        max_keys,
    };
    bucket.list(&query).await.map_err(from_bucket)
}

/// Whose the objects of a bucket are, as S3 shows it.
pub(crate) struct Owners<'a> {
    carob: &'a Carob,
    here: &'a Here,
    bucket: Owner,
}

impl<'a> Owners<'a> {
    pub(crate) fn in_bucket(carob: &'a Carob, extensions: &'a Extensions) -> S3Result<Self> {
        let here = here(extensions)?;
        Ok(Self { carob, here, bucket: carob.owner(&here.bucket.info().owner) })
    }

    /// The owner of an object, by [`Record::access`]: the bucket's, most often.
    pub(crate) fn of(&self, access: Option<&str>) -> Owner {
        match access {
            None => self.bucket.clone(),
            Some(_) => self.carob.owner_of_object(access, self.here),
        }
    }
}

/// Splits a page into S3's two lists. The owners are shown with the objects if given.
///
/// # Errors
/// InternalError for an object of which there is no telling when it was written.
pub(crate) fn split(
    page: &[ListEntry],
    names: Names<'_>,
    owners: Option<&Owners<'_>>,
) -> S3Result<(Contents, Vec<CommonPrefix>)> {
    let (mut objects, mut prefixes) = (Contents::with_capacity(page.len()), Vec::new());
    for entry in page {
        match entry {
            ListEntry::Object { key, summary } => {
                let owner = owners.map(|owners| owners.of(summary.access.as_deref()));
                objects.push(&names.shown(key), summary, owner.as_ref()).map_err(S3Error::internal_error)?;
            }
            ListEntry::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(names.write(prefix)) }),
        }
    }
    Ok((objects, prefixes))
}

/// Whoever began an upload is not kept apart from whose the object is to be.
pub(crate) fn initiator(owner: &Owner) -> Initiator {
    Initiator { id: owner.id.clone(), display_name: owner.display_name.clone() }
}
