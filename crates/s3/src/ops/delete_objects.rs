//! Amazon S3 API reference, DeleteObjects.

use carob_bucket::{BucketError, DeleteOptions, Found, MAX_KEY_BYTES};
use carob_identity::Action;
use http::Extensions;
use s3s::dto::{DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error, ObjectIdentifier};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::access::{Deed, asker, here};
use crate::amend::asks_to_bypass;
use crate::checksum::Declared;
use crate::conditions::etag_condition;
use crate::context::RequestContext;
use crate::deletion::Expected;
use crate::error::{from_bucket, malformed_xml, no_such_version};
use crate::observer::Touched;
use crate::table::Carob;
use crate::xml::Names;

/// The most keys in one request.
const MAX_KEYS: usize = 1000;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    // The values were compared with the body as it was read.
    if Declared::parse(&request.headers)?.is_empty() {
        return Err(s3_error!(InvalidRequest, "Missing required header for this request: Content-MD5"));
    }
    let input = request.input;
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > MAX_KEYS || objects.iter().any(|object| object.key.is_empty()) {
        return Err(malformed_xml());
    }
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;

    // Each key either goes to the committer or has its answer already; the order of the request is kept.
    let mut admitted = Vec::new();
    let mut outcomes = Vec::with_capacity(objects.len());
    let bypass = asks_to_bypass(input.bypass_governance_retention, &request.extensions)?;
    for object in &objects {
        match admit(carob, &request.extensions, object, bypass).await {
            Ok(options) => {
                admitted.push((object.key.clone(), options));
                outcomes.push(None);
            }
            Err(error) => outcomes.push(Some(error)),
        }
    }
    let results = if admitted.is_empty() {
        Vec::new()
    } else {
        bucket.delete_many(admitted).await.map_err(from_bucket)?
    };

    let names = Names::of(&request.extensions, false);
    let quiet = input.delete.quiet.unwrap_or(false);
    let (mut deleted, mut errors, mut touched) = (Vec::new(), Vec::new(), Vec::new());
    let mut results = results.into_iter();
    for (object, refused) in objects.into_iter().zip(outcomes) {
        let outcome = match refused {
            Some(error) => Err(error),
            None => match results.next() {
                // What is not there is deleted, whatever it should have been.
                Some(Err(BucketError::NoSuchKey(_))) => Ok(None),
                Some(Ok(deleted)) => Ok(Some(deleted)),
                Some(Err(error)) => Err(from_bucket(error)),
                None => Err(s3_error!(InternalError)),
            },
        };
        let made = outcome.as_ref().ok().and_then(|deleted| deleted.as_ref()?.version);
        touched.push(Touched {
            key: object.key.clone(),
            version: object.version_id.clone().or_else(|| made.map(|version| version.to_string())),
            code: outcome.as_ref().err().map(|error| error.code().as_str().to_owned()),
        });
        let key = Some(names.write(&object.key));
        let version_id = object.version_id.map(|id| names.write(&id));
        match outcome {
            Ok(_) if quiet => {}
            Ok(outcome) => {
                let marker = outcome.filter(|deleted| deleted.delete_marker);
                deleted.push(DeletedObject {
                    key,
                    version_id,
                    delete_marker: marker.map(|_| true),
                    delete_marker_version_id: marker.and_then(|m| m.version).map(|name| name.to_string()),
                });
            }
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                key,
                message: error.message().map(str::to_owned),
                version_id,
            }),
        }
    }
    if let Some(context) = RequestContext::of(&request.extensions) {
        context.set_touched(touched);
    }
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

/// Whether the caller may delete this one, and what it must be.
async fn admit(
    carob: &Carob,
    extensions: &Extensions,
    object: &ObjectIdentifier,
    bypass: bool,
) -> S3Result<DeleteOptions> {
    let (asker, here) = (asker(extensions)?, here(extensions)?);
    let gatekeeper = &carob.gatekeeper;
    let right = match object.version_id {
        None => Action::DELETE_OBJECT,
        Some(_) => Action::DELETE_OBJECT_VERSION,
    };
    // What is no version id is told to those alone who may delete the key.
    let named = object.version_id.as_deref().map(str::parse).transpose();
    let version = named.as_ref().ok().copied().flatten();
    let tagged = here.rules.policy.as_ref().is_some_and(|policy| policy.looks_at("s3:existingobjecttag/"));
    let expected = Expected {
        etag: object.e_tag.as_ref().map(|etag| etag_condition(etag.value())),
        modified: object.last_modified_time.clone(),
        size: object.size,
    };
    let found = if tagged || !expected.is_none() {
        here.snapshot.find(&object.key, version).await.map_err(from_bucket)?
    } else {
        Found::Nothing
    };
    let record = match &found {
        Found::Object(object) => Some(object.record()),
        Found::DeleteMarker(_) | Found::Nothing => None,
    };
    let deed = |right| Deed::on_key(right, &object.key).of_version(version).to(record);
    gatekeeper.require(asker, here, deed(right))?;
    if !expected.is_none() {
        gatekeeper.require(asker, here, deed(Action::GET_OBJECT))?;
    }
    if object.key.len() > MAX_KEY_BYTES {
        return Err(from_bucket(BucketError::KeyLength(object.key.len())));
    }
    if named.is_err() {
        return Err(no_such_version());
    }
    let bypass_governance = carob.bypasses(bypass, extensions, &object.key)?;
    Ok(DeleteOptions { bypass_governance, ..expected.of(&found, version)? })
}
