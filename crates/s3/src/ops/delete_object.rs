//! Amazon S3 API reference, DeleteObject.

use carob_bucket::BucketError;
use carob_identity::{Action, Resource};
use s3s::dto::{DeleteObjectInput, DeleteObjectOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::conditions::Conditional;
use crate::error::{access_denied, from_bucket};
use crate::ops::reading::check_version;
use crate::table::{Carob, identity};

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = &request.input;
    check_version(input.version_id.as_deref())?;
    let precondition = request.extensions.remove::<Conditional>().unwrap_or_default().for_delete()?;
    if precondition.if_match.is_some() {
        // A condition tells something of the object (user guide, "How to perform conditional deletes").
        let object = Resource::Object { bucket: &input.bucket, key: &input.key };
        let caller = identity(&request.extensions)?;
        if !carob.gatekeeper.allows(&caller, Action::GET_OBJECT, object).await? {
            return Err(access_denied());
        }
    }
    let bucket = carob.bucket(&input.bucket, input.expected_bucket_owner.as_deref()).await?;
    match bucket.delete(&input.key, precondition).await {
        // What is not there is deleted, whatever it should have been.
        Ok(_) | Err(BucketError::NoSuchKey(_)) => Ok(S3Response::new(DeleteObjectOutput::default())),
        Err(error) => Err(from_bucket(error)),
    }
}
