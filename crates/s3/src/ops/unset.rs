//! What a bucket can be configured to and never is: reads that clients make unasked, answered as Amazon S3 does
//! where nothing is set. The writes are not there.

use http::{Extensions, StatusCode};
use s3s::{S3Error, S3Response, S3Result};

use crate::error::custom;
use crate::table::Carob;

/// The code and message of the 404 that says that something is not set.
pub(crate) type Absent = (&'static str, &'static str);

pub(crate) const REPLICATION: Absent =
    ("ReplicationConfigurationNotFoundError", "The replication configuration was not found");
/// Analytics, inventories, metrics and intelligent tiering alike.
pub(crate) const REPORT: Absent = ("NoSuchConfiguration", "The specified configuration does not exist.");
pub(crate) const WEBSITE: Absent =
    ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration");

/// The answer of a bucket that has none of it.
///
/// # Errors
/// Always: NoSuchBucket, or what `absent` says.
pub(crate) async fn absent<T>(
    carob: &Carob,
    extensions: &Extensions,
    owner: Option<&str>,
    absent: Absent,
) -> S3Result<T> {
    carob.bucket(extensions, owner)?;
    let (code, message) = absent;
    Err(not_found(code, message))
}

/// The answer of a bucket for which nothing set is an answer too.
///
/// # Errors
/// NoSuchBucket.
pub(crate) async fn empty<T: Default>(
    carob: &Carob,
    extensions: &Extensions,
    owner: Option<&str>,
) -> S3Result<S3Response<T>> {
    carob.bucket(extensions, owner)?;
    Ok(S3Response::new(T::default()))
}

pub(super) fn not_found(code: &'static str, message: &'static str) -> S3Error {
    custom(code, StatusCode::NOT_FOUND, message)
}
