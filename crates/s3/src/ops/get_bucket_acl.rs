//! Amazon S3 API reference, GetBucketAcl.

use carob_policy::{Acl, Ownership};
use s3s::dto::{GetBucketAclInput, GetBucketAclOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::here;
use crate::acl;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetBucketAclInput>,
) -> S3Result<S3Response<GetBucketAclOutput>> {
    carob.bucket(&request.extensions, request.input.expected_bucket_owner.as_deref())?;
    let here = here(&request.extensions)?;
    let list = here.rules.acl.clone().filter(|_| here.rules.ownership != Ownership::BucketOwnerEnforced);
    let list = list.unwrap_or_else(|| Acl::private(&here.owner));
    let grants = Some(acl::shown(&list, |id| carob.owner_of_id(id)));
    let owner = Some(carob.owner(&here.bucket.info().owner));
    Ok(S3Response::new(GetBucketAclOutput { grants, owner }))
}
