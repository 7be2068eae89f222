//! Amazon S3 API reference, PutObjectTagging.

use std::collections::BTreeMap;

use carob_bucket::{Amendment, Found};
use carob_identity::Action;
use s3s::dto::{PutObjectTaggingInput, PutObjectTaggingOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::{Asker, Deed, Here, asker, here};
use crate::error::from_bucket;
use crate::table::Carob;
use crate::tags::{self, Tagged};
use crate::target::{NamesVersion, Target};

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutObjectTaggingInput>,
) -> S3Result<S3Response<PutObjectTaggingOutput>> {
    let input = request.input;
    let tags = tags::from_document(input.tagging.clone(), Tagged::Object)?;
    let (asker, here) = (asker(&request.extensions)?, here(&request.extensions)?);
    if here.rules.policy.as_ref().is_some_and(|policy| policy.looks_at("s3:requestobjecttag")) {
        may_tag(carob, asker, here, input.target()?, &tags).await?;
    }
    let version_id = carob.amend(&request.extensions, input.target()?, Amendment::Tags(tags)).await?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}

/// Decides what could not be decided before the tags were read.
async fn may_tag(
    carob: &Carob,
    asker: &Asker,
    here: &Here,
    target: Target<'_>,
    tags: &BTreeMap<String, String>,
) -> S3Result<()> {
    let found = here.snapshot.find(target.key, target.version).await.map_err(from_bucket)?;
    let record = match &found {
        Found::Object(object) => Some(object.record()),
        Found::DeleteMarker(_) | Found::Nothing => None,
    };
    let right = match target.version {
        None => Action::PUT_OBJECT_TAGGING,
        Some(_) => Action::new("s3:PutObjectVersionTagging"),
    };
    let deed = Deed::on_key(right, target.key).of_version(target.version).to(record);
    carob.gatekeeper.require(asker, here, Deed { tags: Some(tags), ..deed })
}
