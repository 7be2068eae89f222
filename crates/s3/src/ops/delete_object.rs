//! Amazon S3 API reference, DeleteObject.

use carob_bucket::{BucketError, DeleteOptions, Found};
use carob_identity::Action;
use s3s::dto::{DeleteObjectInput, DeleteObjectOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::{Deed, asker, here};
use crate::amend::asks_to_bypass;
use crate::conditions::Conditional;
use crate::deletion::Expected;
use crate::error::from_bucket;
use crate::table::Carob;
use crate::target::NamesVersion;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = &request.input;
    let target = input.target()?;
    let expected = Expected {
        etag: request.extensions.remove::<Conditional>().unwrap_or_default().for_delete()?,
        modified: input.if_match_last_modified_time.clone(),
        size: input.if_match_size,
    };
    let mut found = Found::Nothing;
    if !expected.is_none() {
        // A condition tells something of the object (user guide, "How to perform conditional deletes").
        let (asker, here) = (asker(&request.extensions)?, here(&request.extensions)?);
        found = here.snapshot.find(target.key, target.version).await.map_err(from_bucket)?;
        let record = match &found {
            Found::Object(object) => Some(object.record()),
            Found::DeleteMarker(_) | Found::Nothing => None,
        };
        carob.gatekeeper.require(asker, here, Deed::on_key(Action::GET_OBJECT, target.key).to(record))?;
    }
    let asked = asks_to_bypass(input.bypass_governance_retention, &request.extensions)?;
    let bypass_governance = carob.bypasses(asked, &request.extensions, target.key)?;
    let bucket = carob.bucket(&request.extensions, target.expected_owner)?;
    let options = expected.of(&found, target.version)?;
    match bucket.delete(target.key, DeleteOptions { bypass_governance, ..options }).await {
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
