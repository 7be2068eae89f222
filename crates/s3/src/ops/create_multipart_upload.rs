//! Amazon S3 API reference, CreateMultipartUpload.

use carob_bucket::{ChecksumAlgorithm, ChecksumType, UploadChecksum, UploadOptions};
use s3s::dto::{self, CreateMultipartUploadInput, CreateMultipartUploadOutput};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::encryption::{self, Asked, Wanted};
use crate::error::from_bucket;
use crate::headers::{self, Kept, given};
use crate::locate::abort;
use crate::ops::multipart::{algorithm, checksum_type, named_algorithm};
use crate::table::Carob;
use crate::xml::Names;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let mut input = request.input;
    let asked = Asked::parse(&request.headers)?;
    let kept = given!(input).checked()?;
    let kept = kept.authorized(carob, &request.extensions, &request.headers, &input.key)?;
    let Kept { headers, metadata, tags, lock, access } = kept;
    let checksum = announced(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let wanted = carob.encryption.wanted(asked, &bucket).await?;
    let seal = carob.encryption.new_seal(wanted.as_ref()).await?;
    let encryption = seal.map(|seal| seal.encryption);
    let shown = encryption::of_upload(encryption.as_ref(), wanted.as_ref().and_then(Wanted::customer));
    let options = UploadOptions { headers, metadata, checksum, tags, lock, access, encryption };
    let id = bucket.begin_upload(&input.key, options).await.map_err(from_bucket)?;
    let end = abort(&bucket, &input.key, carob.gatekeeper.clock.now()).await;
    let names = Names::of(&request.extensions, false);
    let output = CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(names.write(&input.key)),
        upload_id: Some(id.to_string()),
        abort_date: end.as_ref().map(|end| headers::timestamp(end.when)),
        abort_rule_id: end.map(|end| end.rule),
        checksum_algorithm: checksum.map(|checksum| algorithm(checksum.algorithm)),
        checksum_type: checksum.map(|checksum| headers::checksum_kind(checksum.kind)),
        ..CreateMultipartUploadOutput::default()
    };
    Ok(S3Response::with_headers(output, shown))
}

/// Amazon S3 user guide, "Checking object integrity in Amazon S3", the table of algorithms and types.
fn announced(
    name: Option<&dto::ChecksumAlgorithm>,
    kind: Option<&dto::ChecksumType>,
) -> S3Result<Option<UploadChecksum>> {
    let kind = kind.map(checksum_type).transpose()?;
    let Some(name) = name else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(s3_error!(
                InvalidRequest,
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )),
        };
    };
    let algorithm = named_algorithm(name.as_str())?;
    let kind = match (kind, algorithm) {
        (None | Some(ChecksumType::FullObject), ChecksumAlgorithm::Crc64Nvme) => ChecksumType::FullObject,
        (None, _) => ChecksumType::Composite,
        (Some(ChecksumType::FullObject), algorithm) if algorithm.joins() => ChecksumType::FullObject,
        (Some(kind @ ChecksumType::FullObject), _) | (Some(kind), ChecksumAlgorithm::Crc64Nvme) => {
            return Err(s3_error!(
                InvalidRequest,
                "The {} checksum type cannot be used with the {} checksum algorithm.",
                headers::checksum_kind(kind).as_str(),
                algorithm.as_str().to_ascii_lowercase()
            ));
        }
        (Some(ChecksumType::Composite), _) => ChecksumType::Composite,
    };
    Ok(Some(UploadChecksum { algorithm, kind }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: Option<&'static str>, kind: Option<&'static str>) -> Result<String, String> {
        let name = name.map(dto::ChecksumAlgorithm::from_static);
        let kind = kind.map(dto::ChecksumType::from_static);
        let found =
            announced(name.as_ref(), kind.as_ref()).map_err(|error| error.code().as_str().to_owned())?;
        Ok(found.map_or_else(String::new, |found| {
            format!("{} {}", found.algorithm.as_str(), headers::checksum_kind(found.kind).as_str())
        }))
    }

    #[test]
    fn algorithms_and_types_go_together_as_the_table_says() {
        let ok = |text: &str| Ok(text.to_owned());
        let refused = || Err("InvalidRequest".to_owned());
        for (name, kind, expected) in [
            (None, None, ok("")),
            (None, Some("COMPOSITE"), refused()),
            (Some("CRC32"), None, ok("CRC32 COMPOSITE")),
            (Some("crc32c"), Some("full_object"), ok("CRC32C FULL_OBJECT")),
            (Some("CRC64NVME"), None, ok("CRC64NVME FULL_OBJECT")),
            (Some("CRC64NVME"), Some("COMPOSITE"), refused()),
            (Some("SHA1"), Some("FULL_OBJECT"), refused()),
            (Some("SHA256"), Some("COMPOSITE"), ok("SHA256 COMPOSITE")),
            (Some("SHA256"), Some("HALF"), refused()),
            (Some("ROT13"), None, refused()),
            (Some("SHA512"), None, ok("SHA512 COMPOSITE")),
            (Some("XXHASH3"), Some("FULL_OBJECT"), refused()),
            (Some("MD5"), Some("COMPOSITE"), ok("MD5 COMPOSITE")),
        ] {
            assert_eq!(outcome(name, kind), expected, "{name:?} {kind:?}");
        }
    }
}
