//! Amazon S3 API reference, PutBucketAcl.

use carob_policy::{Acl, Ownership};
use s3s::dto::{PutBucketAclInput, PutBucketAclOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::{ACL, here};
use crate::acl::{self, OnWhat, check_public, not_supported};
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketAclInput>,
) -> S3Result<S3Response<PutBucketAclOutput>> {
    let input = request.input;
    let here = here(&request.extensions)?;
    if here.rules.ownership == Ownership::BucketOwnerEnforced {
        return Err(not_supported());
    }
    let document = input.access_control_policy.as_ref();
    let list = acl::asked(document, &request.headers, OnWhat::Bucket, (&here.owner, &here.owner), carob)?;
    check_public(&list, &here.rules)?;
    let text = (list != Acl::private(&here.owner)).then(|| list.to_text().into());
    carob.set(ACL, &request.extensions, input.expected_bucket_owner.as_deref(), text).await?;
    Ok(S3Response::new(PutBucketAclOutput::default()))
}
