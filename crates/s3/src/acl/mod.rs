//! Access control lists in requests and answers.

mod document;
mod given;
mod placed;

use carob_policy::Acl;
use http::HeaderMap;
use s3s::dto::AccessControlPolicy;
use s3s::{S3Result, s3_error};

use crate::error::custom;
use crate::table::Carob;

#[cfg(feature = "fuzzing")]
pub(crate) use document::from_document;
pub(crate) use document::shown;
pub(crate) use given::{Given, OnWhat};
pub(crate) use placed::{Ownable, check_public, not_supported};

/// The list that PutBucketAcl and PutObjectAcl ask for, in a document or in headers; `owners` are the canonical ids of
/// whose it is and of the bucket's owner.
///
/// # Errors
/// MissingSecurityHeader without a list, UnexpectedContent with two; what is wrong with it.
pub(crate) fn asked(
    document: Option<&AccessControlPolicy>,
    headers: &HeaderMap,
    on: OnWhat,
    (owner, bucket_owner): (&str, &str),
    carob: &Carob,
) -> S3Result<Acl> {
    // Whatever is in either.
    if document.is_some() && Given::is_in(headers) {
        return Err(s3_error!(UnexpectedContent, "This request does not support content"));
    }
    match (document, Given::parse(headers, on, &*carob.directory)?) {
        (Some(document), _) => document::from_document(document, owner, &*carob.directory),
        (None, Some(given)) => Ok(given.acl(owner, bucket_owner)),
        (None, None) => Err(custom(
            "MissingSecurityHeader",
            http::StatusCode::BAD_REQUEST,
            "Your request was missing a required header",
        )),
    }
}
