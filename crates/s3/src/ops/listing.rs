//! What the two listings share.

use std::borrow::Cow;

use carob_bucket::{Bucket, ListQuery, ListStart, Listed};
use http::Extensions;
use s3s::dto::{CommonPrefix, EncodingType, Initiator, Owner};
use s3s::{S3Result, s3_error};

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

/// What to list.
pub(crate) fn query(
    prefix: Option<&str>,
    delimiter: Option<&str>,
    start: ListStart,
    max_keys: usize,
) -> ListQuery {
    ListQuery {
        prefix: prefix.unwrap_or_default().to_owned(),
        delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()).map(str::to_owned),
        start,
        max_keys,
    }
}

/// A page as S3 shows it, in two lists.
pub(crate) struct Page {
    pub(crate) objects: Contents,
    pub(crate) prefixes: Vec<CommonPrefix>,
    /// The name of its last entry.
    pub(crate) last: Option<String>,
    pub(crate) next_token: Option<String>,
}

impl Page {
    /// Reads and writes it at once. The owners are shown with the objects if given.
    ///
    /// # Errors
    /// As [`Bucket::list`].
    pub(crate) async fn read(
        bucket: &Bucket,
        query: &ListQuery,
        names: Names<'_>,
        owners: Option<&Owners<'_>>,
    ) -> S3Result<Self> {
        let (mut objects, mut prefixes) = (Contents::of_at_most(query.max_keys), Vec::new());
        let mut last = None;
        let mut show = |listed: Listed<'_>| {
            match listed {
                Listed::Object { key, summary } => {
                    let owner = owners.map(|owners| owners.of(summary.access.as_deref()));
                    objects.push(key, names, summary, owner.as_deref());
                }
                Listed::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(names.write(prefix)) }),
            }
            if objects.len() + prefixes.len() == query.max_keys {
                last = Some(names.write(listed.name()));
            }
        };
        let next_token = bucket.show(query, &mut show).await.map_err(from_bucket)?;
        Ok(Self { objects, prefixes, last, next_token })
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> i32 {
        i32::try_from(self.objects.len() + self.prefixes.len()).unwrap_or(i32::MAX)
    }
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
    pub(crate) fn of(&self, access: Option<&str>) -> Cow<'_, Owner> {
        match access {
            None => Cow::Borrowed(&self.bucket),
            Some(_) => Cow::Owned(self.carob.owner_of_object(access, self.here)),
        }
    }
}

/// Whoever began an upload is not kept apart from whose the object is to be.
pub(crate) fn initiator(owner: &Owner) -> Initiator {
    Initiator { id: owner.id.clone(), display_name: owner.display_name.clone() }
}
