//! Amazon S3 API reference, DeleteObject.

use carob_bucket::{BucketError, DeleteOptions};
use carob_identity::{Action, Resource};
use s3s::dto::{DeleteObjectInput, DeleteObjectOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::conditions::Conditional;
use crate::error::{access_denied, from_bucket};
use crate::table::{Carob, identity};
use crate::target::NamesVersion;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = &request.input;
    let target = input.target()?;
    let precondition = request.extensions.remove::<Conditional>().unwrap_or_default().for_delete()?;
    if precondition.if_match.is_some() {
        // A condition tells something of the object (user guide, "How to perform conditional deletes").
        let object = Resource::Object { bucket: target.bucket, key: target.key };
        let caller = identity(&request.extensions)?;
        if !carob.gatekeeper.allows(&caller, Action::GET_OBJECT, object).await? {
            return Err(access_denied());
        }
    }
    let asked = input.bypass_governance_retention.unwrap_or(false);
    let bypass_governance =
        carob.bypasses(asked, &identity(&request.extensions)?, target.bucket, target.key).await?;
    let bucket = carob.bucket(target.bucket, target.expected_owner).await?;
    let options = DeleteOptions { version: target.version, precondition, bypass_governance };
    match bucket.delete(target.key, options).await {
        Ok(deleted) => Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted.delete_marker.then_some(true),
            version_id: deleted.version.map(|version| version.to_string()),
            ..DeleteObjectOutput::default()
        })),
        // What is not there is deleted, whatever it should have been.
        Err(BucketError::NoSuchKey(_)) => Ok(S3Response::new(DeleteObjectOutput::default())),
        Err(error) => Err(from_bucket(error)),
    }
}
