//! Amazon S3 API reference, CreateBucket.

use std::collections::BTreeMap;

use bytes::Bytes;
use carob_bucket::{BucketError, Config, ObjectLock, Versioning};
use carob_identity::Did;
use carob_policy::{Acl, Ownership};
use http::HeaderMap;
use s3s::dto::{CreateBucketConfiguration, CreateBucketInput, CreateBucketOutput};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::access::{ACL, OWNERSHIP};
use crate::acl::{Given, OnWhat};
use crate::error::{from_bucket, not_implemented};
use crate::ops::put_bucket_ownership_controls::check_list;
use crate::table::Carob;
use crate::tags::{self, Tagged};

/// The region in which nothing needs to be said of the location, and creating a bucket anew is no error.
const FIRST_REGION: &str = "us-east-1";

/// How often it is tried anew because somebody else deletes the bucket at the same time.
const ATTEMPTS: usize = 8;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<CreateBucketInput>,
) -> S3Result<S3Response<CreateBucketOutput>> {
    let input = request.input;
    check_configuration(input.create_bucket_configuration.as_ref(), &carob.region)?;
    let asked = input.create_bucket_configuration.and_then(|configuration| configuration.tags);
    let mut config =
        Config { tags: tags::from_tags(asked.unwrap_or_default(), Tagged::Bucket)?, ..Config::default() };
    if input.object_lock_enabled_for_bucket.unwrap_or(false) {
        config.versioning = Versioning::Enabled;
        config.object_lock = Some(ObjectLock::default());
    }
    let account = carob.account(&request.extensions)?;
    config.documents = rules(carob, &request.headers, &account.id.canonical_id())?;
    create(carob, &input.bucket, &account.id, &config).await?;
    let location = Some(format!("/{}", input.bucket));
    Ok(S3Response::new(CreateBucketOutput { location, ..CreateBucketOutput::default() }))
}

/// The documents of the rules that the headers of the request give.
fn rules(carob: &Carob, headers: &HeaderMap, owner: &str) -> S3Result<BTreeMap<String, Bytes>> {
    let mut documents = BTreeMap::new();
    let asked = headers.get("x-amz-object-ownership");
    let ownership = asked.map(|value| {
        let known = value.to_str().ok().and_then(Ownership::named);
        let given = String::from_utf8_lossy(value.as_bytes());
        known.ok_or_else(|| s3_error!(InvalidArgument, "Invalid x-amz-object-ownership header: {given}"))
    });
    let given =
        Given::parse(headers, OnWhat::Bucket, &*carob.directory)?.map(|given| given.acl(owner, owner));
    if let Some(ownership) = ownership.transpose()? {
        check_list(ownership, given.as_ref(), owner)?;
        documents.insert(OWNERSHIP.to_owned(), Bytes::from_static(ownership.name().as_bytes()));
    }
    if let Some(acl) = given.filter(|acl| *acl != Acl::private(owner)) {
        documents.insert(ACL.to_owned(), acl.to_text().into());
    }
    Ok(documents)
}

/// Makes the bucket, or finds that the account has it already.
async fn create(carob: &Carob, name: &str, account: &Did, config: &Config) -> S3Result<()> {
    for _ in 0..ATTEMPTS {
        let exists = match carob.space.create_bucket_with(name, *account, config).await {
            Ok(_) => return Ok(()),
            Err(exists @ BucketError::BucketExists(_)) => exists,
            Err(error) => return Err(from_bucket(error)),
        };
        match carob.space.bucket(name).await {
            Ok(bucket) if bucket.info().owner != *account => {
                return Err(s3_error!(
                    BucketAlreadyExists,
                    "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                     system. Please select a different name and try again."
                ));
            }
            // "You will get this error in all AWS Regions except us-east-1" (API reference, BucketAlreadyOwnedByYou).
            Ok(_) if &*carob.region == FIRST_REGION => return Ok(()),
            Ok(_) => return Err(from_bucket(exists)),
            // It was deleted meanwhile, and so can be made.
            Err(BucketError::NoSuchBucket(_)) => {}
            Err(error) => return Err(from_bucket(error)),
        }
    }
    Err(from_bucket(BucketError::Contention))
}

fn check_configuration(configuration: Option<&CreateBucketConfiguration>, region: &str) -> S3Result<()> {
    let mut asked = None;
    if let Some(configuration) = configuration {
        if configuration.bucket.is_some() || configuration.location.is_some() {
            return Err(not_implemented("directory buckets"));
        }
        asked = configuration.location_constraint.as_ref().map(s3s::dto::BucketLocationConstraint::as_str);
    }
    match asked.filter(|asked| !asked.is_empty()) {
        None if region == FIRST_REGION => Ok(()),
        None => Err(s3_error!(
            IllegalLocationConstraintException,
            "The unspecified location constraint is incompatible for the region specific endpoint this request was \
             sent to."
        )),
        // Amazon S3 refuses to hear its first region named; MinIO's clients name it.
        Some(asked) if asked == region => Ok(()),
        Some(asked) if asked == FIRST_REGION || !is_region(asked) => {
            Err(s3_error!(InvalidLocationConstraint, "The specified location-constraint is not valid"))
        }
        Some(asked) => Err(s3_error!(
            IllegalLocationConstraintException,
            "The {asked} location constraint is incompatible for the region specific endpoint this request was sent \
             to."
        )),
    }
}

/// Whether this looks like a region of Amazon's: `eu-west-1`, or `EU`.
fn is_region(text: &str) -> bool {
    let Some((place, number)) = text.rsplit_once('-') else { return text == "EU" };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && place.contains('-') && place.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_no_region_is_told_from_one_elsewhere() {
        for region in ["EU", "eu-west-1", "ap-southeast-12", "us-gov-west-1"] {
            assert!(is_region(region), "{region}");
        }
        for other in ["", "eu", "eu-1", "eu-west", "eu--1", "-1", "eu-west-", "EU-west-1", "here", "a b-c-1"]
        {
            assert!(!is_region(other), "{other}");
        }
    }
}
