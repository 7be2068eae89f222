//! Amazon S3 API reference, CopyObject.

use carob_bucket::{
    Bucket, ChecksumAlgorithm, ChecksumType, Object, ObjectHeaders, PutOptions, Record, Written,
};
use carob_identity::Action;
use http::Extensions;
use s3s::dto::{CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::access::{Asker, Deed, Here, asker};
use crate::checksum::{self, ChecksumFields, ShowsChecksums};
use crate::conditions::Conditional;
use crate::encryption::{self, Asked, CustomerKey, Wanted, by_reference};
use crate::error::from_bucket;
use crate::headers::{self, Kept, given};
use crate::locate::{Located, expiration, written_version};
use crate::ops::copying::{self, Copied, Source};
use crate::ops::multipart::named_algorithm;
use crate::ops::put_object::check_early;
use crate::table::{Carob, begin_long_work};

/// The largest object that is copied in one request (Amazon S3 user guide, "Copying objects"), in bytes.
const MAX_COPY: u64 = 5 << 30;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let input = &mut request.input;
    copying::read_plus(&request.headers, &mut input.copy_source)?;
    let precondition = request.extensions.remove::<Conditional>().unwrap_or_default().for_put();
    let replace =
        replaces(input.metadata_directive.as_ref().map(s3s::dto::MetadataDirective::as_str), "metadata")?;
    let replace_tags =
        replaces(input.tagging_directive.as_ref().map(s3s::dto::TaggingDirective::as_str), "tagging")?;
    let algorithm =
        input.checksum_algorithm.as_ref().map(|name| named_algorithm(name.as_str())).transpose()?;
    let source = Source::of(&input.copy_source)?;
    let onto_itself = source.bucket == input.bucket && source.key == input.key && source.version.is_none();
    let asked = Asked::parse(&request.headers)?;
    let source_customer = CustomerKey::of_source(&request.headers)?;
    let changes = replace
        || asked.is_some()
        // With nothing asked for, it is no longer under that key.
        || source_customer.is_some()
        || algorithm.is_some()
        || input.storage_class.is_some()
        || input.website_redirect_location.is_some();
    if onto_itself && !changes {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the \
             object's metadata, storage class, website redirect location or encryption attributes."
        ));
    }
    let mut kept = given!(input).checked()?;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let owner = input.expected_source_bucket_owner.as_deref();
    let Copied { here: from, located } =
        copying::find(carob, &mut request.extensions, &input.copy_source, owner).await?;
    let Located { object: source, version_id: source_version, .. } = located;
    let record = source.record();
    if record.size > MAX_COPY {
        return Err(s3_error!(
            InvalidRequest,
            "The specified copy source is larger than the maximum allowable size for a copy source: {MAX_COPY}"
        ));
    }
    check_early(&bucket, &input.key, &precondition).await?;
    let wanted = carob.encryption.wanted(asked, &bucket).await?;
    carob.encryption.admit(&source, source_customer.as_ref())?;
    if !replace {
        // Redirect and storage class are not copied.
        let ObjectHeaders { website_redirect_location, storage_class, .. } = kept.headers;
        let headers = ObjectHeaders { website_redirect_location, storage_class, ..record.headers.clone() };
        kept = Kept { headers, metadata: record.metadata.clone(), ..kept };
    }
    if !replace_tags {
        if !record.tags.is_empty() {
            may_copy_tags(carob, asker(&request.extensions)?, &from, &input.copy_source, record)?;
        }
        kept.tags.clone_from(&record.tags);
    }
    let kept = kept.authorized(carob, &request.extensions, &request.headers, &input.key)?;
    let Kept { headers, metadata, tags, lock, access } = kept;
    let options =
        PutOptions { headers, metadata, checksum: None, tags, lock, access, resealed: None, precondition };
    let copy = Copy { source, source_customer, wanted, algorithm, options };
    let (written, wanted) = copy.make(carob, &bucket, &input.key, &request.extensions).await?;
    let record = &*written.record;
    let mut answer = answer(record, source_version, wanted.as_ref().and_then(Wanted::customer));
    answer.output.expiration = expiration(&bucket, &input.key, record).await;
    Ok(answer)
}

/// A copy that is allowed.
struct Copy {
    source: Object,
    source_customer: Option<CustomerKey>,
    wanted: Option<Wanted>,
    /// Of the checksum that is asked for.
    algorithm: Option<ChecksumAlgorithm>,
    options: PutOptions,
}

impl Copy {
    async fn make(
        self,
        carob: &Carob,
        bucket: &Bucket,
        key: &str,
        extensions: &Extensions,
    ) -> S3Result<(Written, Option<Wanted>)> {
        let Self { source, source_customer, wanted, algorithm, mut options } = self;
        let record = source.record();
        let (size, kept) = (record.size, record.checksum.as_ref().map(|checksum| checksum.algorithm));
        let customer = source_customer.as_ref();
        let encryption = record.sealed.as_ref().map(|sealed| &sealed.encryption);
        let written = if by_reference(encryption, wanted.as_ref()) {
            options.resealed = carob.encryption.reseal(encryption, customer, wanted.as_ref()).await?;
            let unknown = match record.checksum_type {
                ChecksumType::FullObject => algorithm.filter(|algorithm| kept != Some(*algorithm)),
                // What is copied is one object, not parts: Amazon S3 gives it a checksum of the whole.
                ChecksumType::Composite => algorithm.or(kept),
            };
            let (source, body) = match unknown {
                Some(algorithm) => {
                    let source = carob.encryption.open(source, customer).await?;
                    let body = source.read_within(0..size, &carob.bodies).await.map_err(from_bucket)?;
                    (source, Some((algorithm, body)))
                }
                None => (source, None),
            };
            begin_long_work(extensions);
            if let Some((algorithm, body)) = body {
                options.checksum = Some(checksum::of_stream(algorithm, body).await?);
            }
            bucket.copy(&source, key, options).await
        } else {
            let seal = carob.encryption.new_seal(wanted.as_ref()).await?;
            let source = carob.encryption.open(source, customer).await?;
            let _until_copied = copying::memory(carob, size).await?;
            begin_long_work(extensions);
            let checksums: Vec<_> = algorithm.or(kept).into_iter().collect();
            let body = copying::rewrite(bucket, &source, 0..size, &checksums, seal.as_ref()).await?;
            options.checksum = body.checksums().first().cloned();
            bucket.put(key, body, options).await
        };
        Ok((written.map_err(from_bucket)?, wanted))
    }
}

/// The source's tags take a right of their own.
fn may_copy_tags(
    carob: &Carob,
    asker: &Asker,
    from: &Here,
    source: &CopySource,
    record: &Record,
) -> S3Result<()> {
    let Source { key, version, .. } = Source::of(source)?;
    let right = match version {
        None => Action::GET_OBJECT_TAGGING,
        Some(_) => Action::new("s3:GetObjectVersionTagging"),
    };
    carob.gatekeeper.require(asker, from, Deed::on_key(right, key).of_version(version).to(Some(record)))
}

fn answer(
    record: &Record,
    copy_source_version_id: Option<String>,
    customer: Option<&CustomerKey>,
) -> S3Response<CopyObjectOutput> {
    let result = CopyObjectResult {
        e_tag: Some(headers::etag(record)),
        last_modified: Some(headers::timestamp(record.modified)),
        ..CopyObjectResult::default()
    };
    let result = result.with_checksums(ChecksumFields::of(record));
    let output = CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id,
        version_id: written_version(record),
        ..CopyObjectOutput::default()
    };
    S3Response::with_headers(output, encryption::of_record(record, customer))
}

/// Reads a directive: whether it says REPLACE.
///
/// # Errors
/// InvalidArgument for another than COPY and REPLACE.
fn replaces(directive: Option<&str>, what: &str) -> S3Result<bool> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(s3_error!(InvalidArgument, "Unknown {what} directive.")),
    }
}
