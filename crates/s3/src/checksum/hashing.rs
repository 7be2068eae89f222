//! Hashing what is no new object: documents, and bodies that are read again. Much of it at once leaves the async
//! threads.

use bytes::Bytes;
use carob_bucket::{ByteStream, Checksum, ChecksumAlgorithm};
use data_encoding::BASE64;
use futures::StreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::{S3Result, dto};

use crate::error::{from_bucket, internal};

/// What is hashed at once on an async thread, in bytes: some tens of microseconds.
const FEW: usize = 64 << 10;

/// MD5 and one checksum.
#[derive(Debug)]
pub(super) struct Hashed {
    pub(super) md5: Vec<u8>,
    pub(super) checksum: Option<Checksum>,
}

/// Hashes a document.
///
/// # Errors
/// InternalError, when the process is going down.
pub(super) async fn of_document(algorithm: ChecksumAlgorithm, document: Bytes) -> S3Result<Hashed> {
    let mut hasher = hasher(algorithm);
    hasher.md5 = Some(Default::default());
    let mut sums = update(hasher, document).await?.finalize();
    let md5 = sums.checksum_md5.take().and_then(|text| BASE64.decode(text.as_bytes()).ok());
    Ok(Hashed { md5: md5.unwrap_or_default(), checksum: value(algorithm, sums) })
}

/// The checksum of a body that is read again.
///
/// # Errors
/// What the bucket says.
pub(crate) async fn of_stream(
    algorithm: ChecksumAlgorithm,
    mut body: ByteStream,
) -> S3Result<Option<Checksum>> {
    let mut hasher = hasher(algorithm);
    while let Some(chunk) = body.next().await {
        hasher = update(hasher, chunk.map_err(from_bucket)?).await?;
    }
    Ok(value(algorithm, hasher.finalize()))
}

async fn update(mut hasher: ChecksumHasher, data: Bytes) -> S3Result<ChecksumHasher> {
    if data.len() <= FEW {
        hasher.update(&data);
        return Ok(hasher);
    }
    let job = move || {
        hasher.update(&data);
        hasher
    };
    tokio::task::spawn_blocking(job).await.map_err(|error| internal(error.into()))
}

fn hasher(algorithm: ChecksumAlgorithm) -> ChecksumHasher {
    let mut hasher = ChecksumHasher::default();
    match algorithm {
        ChecksumAlgorithm::Crc32 => hasher.crc32 = Some(Default::default()),
        ChecksumAlgorithm::Crc32c => hasher.crc32c = Some(Default::default()),
        ChecksumAlgorithm::Crc64Nvme => hasher.crc64nvme = Some(Default::default()),
        ChecksumAlgorithm::Sha1 => hasher.sha1 = Some(Default::default()),
        ChecksumAlgorithm::Sha256 => hasher.sha256 = Some(Default::default()),
    }
    hasher
}

fn value(algorithm: ChecksumAlgorithm, sums: dto::Checksum) -> Option<Checksum> {
    let text = match algorithm {
        ChecksumAlgorithm::Crc32 => sums.checksum_crc32,
        ChecksumAlgorithm::Crc32c => sums.checksum_crc32c,
        ChecksumAlgorithm::Crc64Nvme => sums.checksum_crc64nvme,
        ChecksumAlgorithm::Sha1 => sums.checksum_sha1,
        ChecksumAlgorithm::Sha256 => sums.checksum_sha256,
    };
    Checksum::from_base64(algorithm, &text?)
}
