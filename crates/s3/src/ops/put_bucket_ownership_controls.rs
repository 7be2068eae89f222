//! Amazon S3 API reference, PutBucketOwnershipControls.

use carob_policy::{Acl, Ownership};
use s3s::dto::{PutBucketOwnershipControlsInput, PutBucketOwnershipControlsOutput};
use s3s::{S3Error, S3Request, S3Response, S3Result};

use crate::access::{OWNERSHIP, here};
use crate::error::{custom, malformed_xml};
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketOwnershipControlsInput>,
) -> S3Result<S3Response<PutBucketOwnershipControlsOutput>> {
    let input = request.input;
    let [rule] = &*input.ownership_controls.rules else { return Err(malformed_xml()) };
    let ownership = Ownership::named(rule.object_ownership.as_str()).ok_or_else(malformed_xml)?;
    let here = here(&request.extensions)?;
    check_list(ownership, here.rules.acl.as_ref(), &here.owner)?;
    let owner = input.expected_bucket_owner.as_deref();
    let text = Some(ownership.name().into());
    carob.set(OWNERSHIP, &request.extensions, owner, text).await?;
    Ok(S3Response::new(PutBucketOwnershipControlsOutput::default()))
}

/// Where lists come to mean nothing, there may be none that lets others in: somebody relies on it.
///
/// # Errors
/// InvalidBucketAclWithObjectOwnership.
pub(super) fn check_list(ownership: Ownership, acl: Option<&Acl>, owner: &str) -> S3Result<()> {
    let lets_in = acl.is_some_and(|acl| *acl != Acl::private(owner));
    if ownership == Ownership::BucketOwnerEnforced && lets_in { Err(invalid_list()) } else { Ok(()) }
}

fn invalid_list() -> S3Error {
    custom(
        "InvalidBucketAclWithObjectOwnership",
        http::StatusCode::BAD_REQUEST,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    )
}
