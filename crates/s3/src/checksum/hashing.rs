//! Hashing what is no new object: documents, and bodies that are read again. Much of it at once leaves the async
//! threads.

use bytes::Bytes;
use carob_bucket::{ByteStream, Checksum, ChecksumAlgorithm, ChecksumHasher};
use futures::StreamExt;
use s3s::S3Result;

use crate::error::{from_bucket, internal};

/// What is hashed at once on an async thread, in bytes: some tens of microseconds.
const FEW: usize = 64 << 10;

/// MD5 and one checksum.
#[derive(Debug)]
pub(super) struct Hashed {
    pub(super) md5: Vec<u8>,
    pub(super) checksum: Checksum,
}

/// Hashes a document.
///
/// # Errors
/// InternalError, when the process is going down.
pub(super) async fn of_document(algorithm: ChecksumAlgorithm, document: Bytes) -> S3Result<Hashed> {
    let hashers = [ChecksumAlgorithm::Md5, algorithm].map(ChecksumHasher::new);
    let [md5, checksum] = update(hashers, document).await?.map(ChecksumHasher::finish);
    Ok(Hashed { md5: md5.value, checksum })
}

/// The checksum of a body that is read again.
///
/// # Errors
/// What the bucket says.
pub(crate) async fn of_stream(algorithm: ChecksumAlgorithm, mut body: ByteStream) -> S3Result<Checksum> {
    let mut hasher = [ChecksumHasher::new(algorithm)];
    while let Some(chunk) = body.next().await {
        hasher = update(hasher, chunk.map_err(from_bucket)?).await?;
    }
    let [checksum] = hasher.map(ChecksumHasher::finish);
    Ok(checksum)
}

async fn update<const N: usize>(
    mut hashers: [ChecksumHasher; N],
    data: Bytes,
) -> S3Result<[ChecksumHasher; N]> {
    let few = data.len() <= FEW;
    let job = move || {
        hashers.iter_mut().for_each(|hasher| hasher.update(&data));
        hashers
    };
    if few {
        return Ok(job());
    }
    tokio::task::spawn_blocking(job).await.map_err(|error| internal(error.into()))
}
