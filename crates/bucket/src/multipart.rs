//! Multipart uploads: parts stored one by one, joined without reading them.

use std::collections::BTreeMap;
use std::sync::Arc;

use carob_block::{Cid, Session};
use carob_commit::{
    Blake3Root, ChecksumType, CompletedState, ETag, Encryption, Layout, Lock, ObjectHeaders, Part, PartList,
    PartState, Record, SealedBody, UploadChecksum, UploadId, UploadState,
};
use carob_index::Tree;
use carob_object::{Checksum, ChecksumAlgorithm, Joined, join, md5};
use tokio::sync::oneshot;

use crate::bucket::{check_key, check_metadata};
use crate::committer::{Op, Plan};
use crate::snapshot::read;
use crate::uploads;
use crate::{Bucket, BucketError, Precondition, Uploaded, Written};

/// The most parts an upload may have (Amazon S3 user guide, "multipart upload limits").
pub const MAX_PARTS: u16 = 10_000;

/// The least a part may have in bytes, unless it is the last.
pub const MIN_PART_BYTES: u64 = 5 << 20;

/// How often a completion is planned anew because parts were replaced meanwhile.
const ATTEMPTS: usize = 4;

/// What goes with a multipart upload from its beginning.
#[derive(Debug, Clone, Default)]
pub struct UploadOptions {
    /// Standard headers of the object to be.
    pub headers: ObjectHeaders,
    /// User metadata of the object to be.
    pub metadata: BTreeMap<String, String>,
    /// The checksum that is announced.
    pub checksum: Option<UploadChecksum>,
    /// Tags of the object to be.
    pub tags: BTreeMap<String, String>,
    /// What is to keep the object from being deleted.
    pub lock: Lock,
    /// Whose the object is to be and who else may do what with it; see [`Record::access`].
    pub access: Option<String>,
    /// What its parts are encrypted under.
    pub encryption: Option<Encryption>,
}

/// What a client says of a part when it completes an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartClaim {
    /// Its number.
    pub number: u16,
    /// Its entity tag without quotes, as the client was told.
    pub etag: String,
    /// Its checksum, if the client gives one.
    pub checksum: Option<Checksum>,
}

/// What goes with the completion of an upload.
#[derive(Debug, Clone, Default)]
pub struct CompleteOptions {
    /// The parts that make the object, in ascending order of numbers.
    pub parts: Vec<PartClaim>,
    /// The object's checksum as the client has computed it.
    pub checksum: Option<Checksum>,
    /// The object's size as the client has computed it.
    pub size: Option<u64>,
    /// What must hold of the key.
    pub precondition: Precondition,
}

impl Bucket {
    /// Begins a multipart upload of `key`.
    ///
    /// # Errors
    /// [`BucketError::KeyLength`], [`BucketError::MetadataTooLarge`]; what the store says.
    pub async fn begin_upload(&self, key: &str, options: UploadOptions) -> Result<UploadId, BucketError> {
        check_key(key)?;
        check_metadata(&options.metadata)?;
        let UploadOptions { headers, metadata, checksum, tags, lock, access, encryption } = options;
        let initiated = self.space().clock.now().timestamp();
        let mut random = [0; 8];
        self.space().entropy.fill(&mut random);
        let id = UploadId::new(initiated, random);
        let state = UploadState { initiated, headers, metadata, checksum, tags, lock, access, encryption };
        let state = Box::new(state);
        let (reply, answer) = oneshot::channel();
        self.submit(Op::Begin { key: key.to_owned(), id, state, reply }, answer).await?;
        Ok(id)
    }

    /// Keeps a stored body as part `number`, in place of an earlier one.
    ///
    /// # Errors
    /// [`BucketError::NoSuchUpload`], [`BucketError::PartNumber`].
    pub async fn put_part(
        &self,
        key: &str,
        id: UploadId,
        number: u16,
        body: Uploaded,
        checksum: Option<Checksum>,
    ) -> Result<PartState, BucketError> {
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(BucketError::PartNumber(number));
        }
        let Uploaded { body, session, tag, sealed } = body;
        let state = PartState {
            content: body.cid,
            size: body.size,
            md5: tag,
            blake3: Blake3Root { root: body.blake3, outboard: body.outboard },
            modified: self.space().clock.now().timestamp(),
            checksum,
            salt: sealed.map(|(_, salt)| salt),
        };
        let (reply, answer) = oneshot::channel();
        let (key, boxed) = (key.to_owned(), Box::new(state.clone()));
        self.submit(Op::Part { key, id, number, state: boxed, session, reply }, answer).await?;
        Ok(state)
    }

    /// Ends an upload and lets its parts go.
    ///
    /// # Errors
    /// [`BucketError::NoSuchUpload`].
    pub async fn abort_upload(&self, key: &str, id: UploadId) -> Result<(), BucketError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Op::Abort { key: key.to_owned(), id, reply }, answer).await
    }

    /// Makes the object of an upload's parts. No body is read. The same call again, within a day, gives the same
    /// result, also after a crash.
    ///
    /// # Errors
    /// [`BucketError::NoSuchUpload`], [`BucketError::InvalidPart`], [`BucketError::InvalidPartOrder`],
    /// [`BucketError::PartTooSmall`], [`BucketError::ChecksumMismatch`], [`BucketError::SizeMismatch`]; what the
    /// precondition says. The upload then goes on as it was.
    pub async fn complete_upload(
        &self,
        key: &str,
        id: UploadId,
        options: CompleteOptions,
    ) -> Result<Written, BucketError> {
        if !options.parts.is_sorted_by(|a, b| a.number < b.number) {
            return Err(BucketError::InvalidPartOrder);
        }
        for _ in 0..ATTEMPTS {
            let uploads = self.space().held_uploads(self.info()).await?;
            let (tree, _held) = uploads.ok_or(BucketError::NoSuchUpload(id))?;
            let Some(state) = self.upload_state(&tree, key, id).await? else {
                return self.earlier_result(&tree, key, id, &options.parts).await;
            };
            let parts = self.claimed_parts(&tree, key, id, &options.parts).await?;
            let session: Arc<dyn Session> = Arc::from(self.space().store.session());
            let record = self.plan(&state, &parts, &options, &*session).await?;
            let plan = Box::new(Plan { key: key.to_owned(), id, parts, record });
            let (reply, answer) = oneshot::channel();
            let precondition = options.precondition.clone();
            if let Some(written) =
                self.submit(Op::Complete { plan, session, precondition, reply }, answer).await?
            {
                return Ok(written);
            }
        }
        Err(BucketError::Contention)
    }

    /// What the upload came to, if it was completed with these parts: another request is none that comes again.
    async fn earlier_result(
        &self,
        tree: &Tree,
        key: &str,
        id: UploadId,
        claims: &[PartClaim],
    ) -> Result<Written, BucketError> {
        let gone = BucketError::NoSuchUpload(id);
        let Some(entry) = tree.get(&uploads::completed_key(id)).await? else { return Err(gone) };
        let result: CompletedState = read(&self.space().store, tree, &entry.value).await?;
        if result.key != key || claimed_etag(claims) != Some(result.record.etag) {
            return Err(gone);
        }
        Ok(Written { record: Arc::new(result.record), commit: self.snapshot().await?.cid() })
    }

    /// The parts that the client names, if they are there as it says.
    async fn claimed_parts(
        &self,
        tree: &Tree,
        key: &str,
        id: UploadId,
        claims: &[PartClaim],
    ) -> Result<Vec<(u16, PartState)>, BucketError> {
        let mut parts = Vec::with_capacity(claims.len());
        let mut cursor = tree.cursor();
        for claim in claims {
            let at = uploads::part_key(key, id, claim.number);
            cursor.seek(&at).await?;
            let found = cursor.next().await?.filter(|(found, _)| *found == at);
            let (_, entry) = found.ok_or(BucketError::InvalidPart(claim.number))?;
            let part: PartState = read(&self.space().store, tree, &entry.value).await?;
            let etag = ETag { md5: part.md5, parts: None }.to_string();
            let other =
                claim.checksum.as_ref().is_some_and(|claimed| part.checksum.as_ref() != Some(claimed));
            if other || !claim.etag.eq_ignore_ascii_case(&etag) {
                return Err(BucketError::InvalidPart(claim.number));
            }
            parts.push((claim.number, part));
        }
        let (_, before) = parts.split_last().ok_or(BucketError::InvalidPart(0))?;
        match before.iter().find(|(_, part)| part.size < MIN_PART_BYTES) {
            Some((number, part)) => Err(BucketError::PartTooSmall { number: *number, size: part.size }),
            None => Ok(parts),
        }
    }

    /// The record of the object, whose nodes and part list go to `session`.
    async fn plan(
        &self,
        state: &UploadState,
        parts: &[(u16, PartState)],
        options: &CompleteOptions,
        session: &dyn Session,
    ) -> Result<Record, BucketError> {
        // Encrypted are all or none, as the upload was begun.
        let odd = |part: &&(u16, PartState)| part.1.salt.is_some() != state.encryption.is_some();
        if let Some((number, _)) = parts.iter().find(odd) {
            return Err(BucketError::InvalidPart(*number));
        }
        let list = parts.iter().map(|(number, part)| Part {
            number: *number,
            size: part.size,
            blake3: part.blake3.clone(),
            checksum: part.checksum.as_ref().map(|checksum| checksum.value.clone()),
            salt: part.salt,
        });
        let list = PartList(list.collect());
        let size = list.size();
        let stored = list.0.iter().map(|part| part.stored().unwrap_or(u64::MAX));
        let bodies: Vec<(Cid, u64)> = parts.iter().map(|(_, part)| part.content).zip(stored).collect();
        let store = Arc::clone(&self.space().store) as _;
        let Joined { content, size: stored, canonical } = join(&store, session, &bodies).await?;
        if let Some(expected) = options.size.filter(|expected| *expected != size) {
            return Err(BucketError::SizeMismatch { expected, actual: size });
        }
        let (checksum, checksum_type) = whole_checksum(state, parts);
        if options.checksum.is_some() && options.checksum != checksum {
            return Err(BucketError::ChecksumMismatch);
        }
        let list = list.to_block()?;
        let record = Record {
            content,
            size,
            etag: etag_of(&parts.iter().map(|(_, part)| part.md5).collect::<Vec<_>>()),
            blake3: None,
            parts: Some(*list.cid()),
            layout: if canonical { Layout::Balanced } else { Layout::Joined },
            // Set when it is committed.
            modified: carob_identity::Timestamp::default(),
            headers: state.headers.clone(),
            metadata: state.metadata.clone(),
            checksum,
            checksum_type,
            version: None,
            null: false,
            lock: state.lock,
            tags: state.tags.clone(),
            access: state.access.clone(),
            sealed: state.encryption.clone().map(|encryption| SealedBody { encryption, salt: None, stored }),
        };
        let outboards: Vec<Cid> = parts.iter().filter_map(|(_, part)| part.blake3.outboard).collect();
        if let Some(missing) = session.missing(&outboards).await?.first() {
            return Err(BucketError::missing(missing));
        }
        session.put(vec![list]).await?;
        Ok(record)
    }

    async fn upload_state(
        &self,
        tree: &Tree,
        key: &str,
        id: UploadId,
    ) -> Result<Option<UploadState>, BucketError> {
        match tree.get(&uploads::upload_key(key, id)).await? {
            Some(entry) => Ok(Some(read(&self.space().store, tree, &entry.value).await?)),
            None => Ok(None),
        }
    }

    /// What an upload was begun with.
    ///
    /// # Errors
    /// [`BucketError::NoSuchUpload`].
    pub async fn upload_info(&self, key: &str, id: UploadId) -> Result<UploadState, BucketError> {
        let uploads = self.space().held_uploads(self.info()).await?;
        let (tree, _held) = uploads.ok_or(BucketError::NoSuchUpload(id))?;
        self.upload_state(&tree, key, id).await?.ok_or(BucketError::NoSuchUpload(id))
    }
}

/// The entity tag of an object of parts with these.
fn etag_of(parts: &[[u8; 16]]) -> ETag {
    ETag {
        md5: md5(parts.iter().map(|part| &part[..])),
        parts: Some(u32::try_from(parts.len()).unwrap_or(u32::MAX)),
    }
}

/// The entity tag of the object that a client means, if it names what may be parts.
fn claimed_etag(claims: &[PartClaim]) -> Option<ETag> {
    let tags = claims.iter().map(|claim| claim.etag.parse().ok());
    let parts = tags.map(|tag: Option<ETag>| tag.filter(|tag| tag.parts.is_none()).map(|tag| tag.md5));
    parts.collect::<Option<Vec<_>>>().map(|parts| etag_of(&parts))
}

/// The object's checksum from its parts', where all have one of one algorithm.
fn whole_checksum(state: &UploadState, parts: &[(u16, PartState)]) -> (Option<Checksum>, ChecksumType) {
    let sums: Option<Vec<(&Checksum, u64)>> =
        parts.iter().map(|(_, part)| part.checksum.as_ref().map(|sum| (sum, part.size))).collect();
    let Some(sums) = sums else { return (None, ChecksumType::FullObject) };
    // S3's own choice where the client made none.
    let default = UploadChecksum { algorithm: ChecksumAlgorithm::Crc64Nvme, kind: ChecksumType::FullObject };
    let UploadChecksum { algorithm, kind } = state.checksum.unwrap_or(default);
    let checksum = match kind {
        ChecksumType::FullObject => Checksum::of_joined(algorithm, &sums),
        ChecksumType::Composite => {
            Checksum::composite(algorithm, &sums.iter().map(|(sum, _)| *sum).collect::<Vec<_>>())
        }
    };
    (checksum, kind)
}
