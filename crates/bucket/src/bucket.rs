//! One bucket: what can be read of it and done to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use carob_block::{Cid, Session};
use carob_commit::{
    Blake3Root, ChecksumType, ETag, Encryption, Layout, Lock, ObjectHeaders, Record, SealedBody, VersionName,
};
use carob_identity::Timestamp;
use carob_object::{Checksum, ChecksumAlgorithm};
use tokio::sync::oneshot;

use crate::committer::Op;
use crate::space::Inner;
use crate::{
    BucketError, BucketInfo, ListPage, ListQuery, MAX_KEY_BYTES, MAX_METADATA_BYTES, Object, Precondition,
    Seal, Show, Snapshot, Upload, Uploaded,
};

/// One bucket. Cheap to clone. Its reads go to the newest durable commit; its writes are durable, and part of
/// a signed commit, when they return.
#[derive(Clone)]
pub struct Bucket {
    space: Arc<Inner>,
    info: BucketInfo,
    /// The one state that there is to it, if it is a past one.
    past: Option<Snapshot>,
}

/// What goes with a body into a record.
#[derive(Debug, Clone, Default)]
pub struct PutOptions {
    /// Standard headers to keep.
    pub headers: ObjectHeaders,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// The checksum to keep and report.
    pub checksum: Option<Checksum>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// What is to keep the version from being deleted. Without a retention, the bucket's default holds.
    pub lock: Lock,
    /// Whose it is and who else may do what with it; see [`Record::access`].
    pub access: Option<String>,
    /// For a copy of an encrypted object: what its body's key is sealed under from now on, if not as it is.
    pub resealed: Option<Encryption>,
    /// What must hold of the key.
    pub precondition: Precondition,
}

/// What goes with a deletion. The default deletes what is under the key now, whatever it is.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Deletes this version for good. Without one, a bucket with versioning gets a delete marker.
    pub version: Option<VersionName>,
    /// What must hold of the version.
    pub precondition: Precondition,
    /// Whether the caller has, and uses, the right to delete what a governance retention keeps.
    pub bypass_governance: bool,
    /// Without a version: only the object that this is the record of, not another that took its place meanwhile.
    pub unchanged: Option<Arc<Record>>,
}

impl From<Precondition> for DeleteOptions {
    fn from(precondition: Precondition) -> Self {
        Self { precondition, ..Self::default() }
    }
}

/// An acknowledged write.
#[derive(Debug, Clone)]
pub struct Written {
    /// The object's record.
    pub record: Arc<Record>,
    /// The commit that first holds it.
    pub commit: Cid,
}

/// An acknowledged deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Whether there was an object, or the version asked for.
    pub existed: bool,
    /// The version that was deleted, or the delete marker that was made.
    pub version: Option<VersionName>,
    /// Whether that version is a delete marker.
    pub delete_marker: bool,
    /// The first commit without it.
    pub commit: Cid,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Bucket").field(&self.info).finish()
    }
}

impl Bucket {
    pub(crate) fn new(space: Arc<Inner>, info: BucketInfo) -> Self {
        Self { space, info, past: None }
    }

    /// The same bucket as it once was: it can be read, and every change is refused.
    pub(crate) fn pinned(&self, past: Snapshot) -> Self {
        Self { past: Some(past), ..self.clone() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// What never changes of it.
    pub fn info(&self) -> &BucketInfo {
        &self.info
    }

    /// The durable state now, or the past state that the bucket is [as of](Bucket::as_of).
    ///
    /// # Errors
    /// [`BucketError::NoSuchBucket`] if it was deleted meanwhile; [`BucketError::Damaged`].
    pub async fn snapshot(&self) -> Result<Snapshot, BucketError> {
        match &self.past {
            Some(past) => Ok(past.clone()),
            None => self.space.held_snapshot(&self.info).await,
        }
    }

    /// The object now under `key`.
    ///
    /// # Errors
    /// As [`Bucket::snapshot`].
    pub async fn get(&self, key: &str) -> Result<Option<Object>, BucketError> {
        self.snapshot().await?.get(key).await
    }

    /// A page of keys; see [`Snapshot::list`].
    ///
    /// # Errors
    /// As [`Snapshot::list`].
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage, BucketError> {
        self.snapshot().await?.list(query).await
    }

    /// The same, shown to `show`; see [`Snapshot::show`].
    ///
    /// # Errors
    /// As [`Snapshot::list`].
    pub async fn show(&self, query: &ListQuery, show: &mut Show<'_>) -> Result<Option<String>, BucketError> {
        self.snapshot().await?.show(query, show).await
    }

    /// Begins a body, with these checksums beside MD5 and BLAKE3.
    pub fn upload(&self, checksums: &[ChecksumAlgorithm]) -> Upload {
        Upload::new(Arc::from(self.space.store.session()), checksums)
    }

    /// The same of a body that is to be encrypted. All hashes that clients know are of the body nonetheless.
    pub fn sealed_upload(&self, checksums: &[ChecksumAlgorithm], seal: Option<&Seal>) -> Upload {
        let upload = self.upload(checksums);
        let Some(seal) = seal else { return upload };
        let mut salt = [0; 16];
        self.space.entropy.fill(&mut salt);
        upload.sealed(seal, salt)
    }

    /// Puts an uploaded body under `key`.
    ///
    /// # Errors
    /// [`BucketError::KeyLength`], [`BucketError::MetadataTooLarge`]; what the precondition says; what
    /// the store says. After an error, nothing has changed; if the future is dropped, it may have.
    pub async fn put(&self, key: &str, body: Uploaded, options: PutOptions) -> Result<Written, BucketError> {
        check_key(key)?;
        check_metadata(&options.metadata)?;
        let Uploaded { body, session, tag, sealed } = body;
        let record = Record {
            content: body.cid,
            size: body.size,
            etag: ETag { md5: tag, parts: None },
            blake3: Some(Blake3Root { root: body.blake3, outboard: body.outboard }),
            parts: None,
            layout: Layout::Balanced,
            // Set when it is committed.
            modified: Timestamp::default(),
            headers: options.headers,
            metadata: options.metadata,
            checksum: options.checksum,
            checksum_type: ChecksumType::FullObject,
            version: None,
            null: false,
            lock: options.lock,
            tags: options.tags,
            access: options.access,
            sealed: sealed.map(|(encryption, salt)| SealedBody {
                encryption,
                salt: Some(salt),
                stored: body.stored,
            }),
        };
        let (reply, answer) = oneshot::channel();
        let precondition = options.precondition;
        let (key, record) = (key.to_owned(), Box::new(record));
        self.submit(Op::Put { key, record, session, source: None, precondition, reply }, answer).await
    }

    /// Puts a copy of an object, of this bucket or another of the space, under `key`. No body is read: the copy
    /// shares its blocks, and keeps entity tag, parts, and (unless `options` has another) checksum. Those of the parts go
    /// with one of another algorithm.
    ///
    /// # Errors
    /// As [`Bucket::put`].
    pub async fn copy(
        &self,
        source: &Object,
        key: &str,
        options: PutOptions,
    ) -> Result<Written, BucketError> {
        check_key(key)?;
        check_metadata(&options.metadata)?;
        let PutOptions { headers, metadata, checksum, tags, lock, access, resealed, precondition } = options;
        let (object, pin, source) = (source, source.pin.clone(), source.record());
        let session: Arc<dyn Session> = Arc::from(self.space.store.session());
        let mut record = Record { headers, metadata, tags, lock, access, ..source.clone() };
        if let Some(checksum) = checksum {
            if source.checksum.as_ref().is_none_or(|present| present.algorithm != checksum.algorithm)
                && let Some(parts) = object.parts().await?
            {
                let parts = parts.without_checksums().to_block()?;
                record.parts = Some(*parts.cid());
                session.put(vec![parts]).await?;
            }
            (record.checksum, record.checksum_type) = (Some(checksum), ChecksumType::FullObject);
        }
        if let (Some(sealed), Some(encryption)) = (&mut record.sealed, resealed) {
            sealed.encryption = encryption;
        }
        let outboard = source.blake3.as_ref().and_then(|blake3| blake3.outboard);
        let needed: Vec<Cid> = [Some(source.content), source.parts, outboard].into_iter().flatten().collect();
        if let Some(missing) = session.missing(&needed).await?.first() {
            return Err(BucketError::missing(missing));
        }
        let (reply, answer) = oneshot::channel();
        let (key, record) = (key.to_owned(), Box::new(record));
        self.submit(Op::Put { key, record, session, source: pin, precondition, reply }, answer).await
    }

    /// Deletes the object under `key`, or a version of it, if there is one.
    ///
    /// # Errors
    /// As [`Bucket::put`]; [`BucketError::Locked`].
    pub async fn delete(&self, key: &str, options: DeleteOptions) -> Result<Deleted, BucketError> {
        let mut results = self.delete_many(vec![(key.to_owned(), options)]).await?;
        results.pop().unwrap_or_else(|| Err(BucketError::closed()))
    }

    /// Deletes many keys in one commit. Each key's result stands where the key stood.
    ///
    /// # Errors
    /// As [`Bucket::put`]; what concerns one key is in the results.
    pub async fn delete_many(
        &self,
        keys: Vec<(String, DeleteOptions)>,
    ) -> Result<Vec<Result<Deleted, BucketError>>, BucketError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Op::Delete { keys, reply }, answer).await
    }

    /// Deletes the bucket itself, if it is empty; durable when it returns. See [`Space::delete_bucket`](crate::Space).
    ///
    /// # Errors
    /// [`BucketError::NoSuchBucket`] if it was deleted meanwhile, whatever bucket has its name now;
    /// [`BucketError::BucketNotEmpty`].
    pub async fn delete_bucket(&self) -> Result<(), BucketError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Op::DeleteBucket { reply }, answer).await
    }

    pub(crate) fn space(&self) -> &Arc<Inner> {
        &self.space
    }

    pub(crate) async fn submit<T>(
        &self,
        op: Op,
        answer: oneshot::Receiver<Result<T, BucketError>>,
    ) -> Result<T, BucketError> {
        if self.past.is_some() {
            return Err(BucketError::ReadOnly);
        }
        let ops = self.space.committer(&self.info)?;
        ops.send(op).await.map_err(|_| self.info.gone())?;
        answer.await.unwrap_or_else(|_| Err(self.info.gone()))
    }
}

pub(crate) fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), BucketError> {
    let bytes = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > MAX_METADATA_BYTES { Err(BucketError::MetadataTooLarge(bytes)) } else { Ok(()) }
}

pub(crate) fn check_key(key: &str) -> Result<(), BucketError> {
    let allowed = (1..=MAX_KEY_BYTES).contains(&key.len());
    if allowed { Ok(()) } else { Err(BucketError::KeyLength(key.len())) }
}
