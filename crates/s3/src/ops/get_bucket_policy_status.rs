//! Amazon S3 API reference, GetBucketPolicyStatus.

use carob_policy::{Acl, Ownership, Policy};
use s3s::dto::{GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, PolicyStatus};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::here;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetBucketPolicyStatusInput>,
) -> S3Result<S3Response<GetBucketPolicyStatusOutput>> {
    carob.bucket(&request.extensions, request.input.expected_bucket_owner.as_deref())?;
    let rules = &here(&request.extensions)?.rules;
    let lists = !rules.block.ignore_public_acls && rules.ownership != Ownership::BucketOwnerEnforced;
    let by_list = lists && rules.acl.as_ref().is_some_and(Acl::is_public);
    let by_policy =
        !rules.block.restrict_public_buckets && rules.policy.as_ref().is_some_and(Policy::is_public);
    let policy_status = Some(PolicyStatus { is_public: Some(by_list || by_policy) });
    Ok(S3Response::new(GetBucketPolicyStatusOutput { policy_status }))
}
