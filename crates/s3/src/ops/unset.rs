//! What a bucket can be configured to and never is: reads that clients make unasked, answered as Amazon S3 does
//! where nothing is set. The writes are not there.

use http::StatusCode;
use s3s::dto::{
    GetBucketAclInput, GetBucketAclOutput, GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput,
    GetObjectAclInput, GetObjectAclOutput, Grant, Grantee, Payer, Permission, Type,
};
use s3s::{S3Error, S3Request, S3Response, S3Result};

use crate::error::custom;
use crate::table::Carob;
use crate::target::NamesVersion;

/// The code and message of the 404 that says that something is not set.
pub(crate) type Absent = (&'static str, &'static str);

pub(crate) const ENCRYPTION: Absent = (
    "ServerSideEncryptionConfigurationNotFoundError",
    "The server side encryption configuration was not found",
);
pub(crate) const LIFECYCLE: Absent =
    ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
pub(crate) const OWNERSHIP: Absent =
    ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found");
pub(crate) const POLICY: Absent = ("NoSuchBucketPolicy", "The bucket policy does not exist");
pub(crate) const PUBLIC_ACCESS: Absent =
    ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found");
pub(crate) const REPLICATION: Absent =
    ("ReplicationConfigurationNotFoundError", "The replication configuration was not found");
pub(crate) const WEBSITE: Absent =
    ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration");

/// The answer of a bucket that has none of it.
///
/// # Errors
/// Always: NoSuchBucket, or what `absent` says.
pub(crate) async fn absent<T>(
    carob: &Carob,
    bucket: &str,
    owner: Option<&str>,
    absent: Absent,
) -> S3Result<T> {
    carob.bucket(bucket, owner).await?;
    let (code, message) = absent;
    Err(not_found(code, message))
}

/// The answer of a bucket for which nothing set is an answer too.
///
/// # Errors
/// NoSuchBucket.
pub(crate) async fn empty<T: Default>(
    carob: &Carob,
    bucket: &str,
    owner: Option<&str>,
) -> S3Result<S3Response<T>> {
    carob.bucket(bucket, owner).await?;
    Ok(S3Response::new(T::default()))
}

/// Whoever owns a bucket pays.
pub(crate) async fn get_bucket_request_payment(
    carob: &Carob,
    request: S3Request<GetBucketRequestPaymentInput>,
) -> S3Result<S3Response<GetBucketRequestPaymentOutput>> {
    let input = request.input;
    carob.bucket(&input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let payer = Some(Payer::from_static(Payer::BUCKET_OWNER));
    Ok(S3Response::new(GetBucketRequestPaymentOutput { payer }))
}

/// The one right there is: the owner's.
pub(crate) async fn get_bucket_acl(
    carob: &Carob,
    request: S3Request<GetBucketAclInput>,
) -> S3Result<S3Response<GetBucketAclOutput>> {
    let input = request.input;
    let bucket = carob.bucket(&input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let owner = carob.owner(&bucket.info().owner);
    let grants = Some(vec![full_control(&owner)]);
    Ok(S3Response::new(GetBucketAclOutput { grants, owner: Some(owner) }))
}

pub(crate) async fn get_object_acl(
    carob: &Carob,
    request: S3Request<GetObjectAclInput>,
) -> S3Result<S3Response<GetObjectAclOutput>> {
    let target = request.input.target()?;
    carob.object(target).await?;
    let bucket = carob.bucket(target.bucket, target.expected_owner).await?;
    let owner = carob.owner(&bucket.info().owner);
    let grants = Some(vec![full_control(&owner)]);
    Ok(S3Response::new(GetObjectAclOutput { grants, owner: Some(owner), ..GetObjectAclOutput::default() }))
}

fn full_control(owner: &s3s::dto::Owner) -> Grant {
    Grant {
        grantee: Some(Grantee {
            display_name: owner.display_name.clone(),
            email_address: None,
            id: owner.id.clone(),
            type_: Type::from_static(Type::CANONICAL_USER),
            uri: None,
        }),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }
}

fn not_found(code: &'static str, message: &'static str) -> S3Error {
    custom(code, StatusCode::NOT_FOUND, message)
}
