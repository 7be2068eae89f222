//! Amazon S3 API reference, GetBucketOwnershipControls.

use s3s::dto::{
    GetBucketOwnershipControlsInput, GetBucketOwnershipControlsOutput, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule,
};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::{OWNERSHIP, here};
use crate::ops::unset::not_found;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetBucketOwnershipControlsInput>,
) -> S3Result<S3Response<GetBucketOwnershipControlsOutput>> {
    carob.bucket(&request.extensions, request.input.expected_bucket_owner.as_deref())?;
    let here = here(&request.extensions)?;
    if !here.snapshot.config().documents.contains_key(OWNERSHIP) {
        return Err(not_found(
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found",
        ));
    }
    let object_ownership = ObjectOwnership::from_static(here.rules.ownership.name());
    let rules = vec![OwnershipControlsRule { object_ownership }];
    let ownership_controls = Some(OwnershipControls { rules });
    Ok(S3Response::new(GetBucketOwnershipControlsOutput { ownership_controls }))
}
