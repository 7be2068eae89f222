//! The signed state of a bucket.

use carob_block::{Block, Cid};
use carob_identity::{Did, Hlc, Signature, Signer, verify};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{BucketId, CommitError, codec};

/// A bucket's whole state at one moment, signed by its author. The head `bucket/<id>` points at the newest.
///
/// Only a [`Commit`] whose signature was checked (or made) exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    cid: Cid,
    content: Unsigned,
    signature: Signature,
}

/// What a commit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// The space the bucket belongs to.
    pub space: Did,
    /// The bucket.
    pub bucket: BucketId,
    /// What the bucket was called at the time.
    pub name: String,
    /// The tree of live objects.
    pub objects: Cid,
    /// The tree of noncurrent versions and delete markers, once there are any.
    pub versions: Option<Cid>,
    /// The bucket's configuration, once there is any.
    pub config: Option<Cid>,
    /// The commits this one follows, newest line first. Weak links: on disk their CIDs are plain bytes.
    pub parents: Vec<Cid>,
    /// An ancestor far back, so that the commit at a given time is found in O(log n) steps. Weak as well.
    pub skip: Option<Cid>,
    /// One more than the first parent's; 0 for a bucket's first commit.
    pub seq: u64,
    /// When it was made; strictly later than every parent.
    pub time: Hlc,
    /// Who signed it.
    pub author: Did,
}

/// On disk: the map below in canonical DAG-CBOR; the signature is over the same map without `sig`.
#[derive(Serialize, Deserialize)]
struct Wire {
    v: u64,
    space: Did,
    bucket: BucketId,
    name: String,
    objects: Cid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    versions: Option<Cid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<Cid>,
    parents: Vec<ByteBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skip: Option<ByteBuf>,
    seq: u64,
    /// Milliseconds since the Unix epoch, and the counter of the hybrid logical clock.
    time: (u64, u16),
    author: Did,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sig: Option<ByteBuf>,
}

impl Unsigned {
    fn to_wire(&self) -> Wire {
        Wire {
            v: 1,
            space: self.space,
            bucket: self.bucket,
            name: self.name.clone(),
            objects: self.objects,
            versions: self.versions,
            config: self.config,
            parents: self.parents.iter().map(|cid| ByteBuf::from(cid.to_bytes())).collect(),
            skip: self.skip.map(|cid| ByteBuf::from(cid.to_bytes())),
            seq: self.seq,
            time: (self.time.millis, self.time.counter),
            author: self.author,
            sig: None,
        }
    }

    /// Signs as `signer`, who becomes the author.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`].
    pub fn sign(mut self, signer: &dyn Signer) -> Result<(Commit, Block), CommitError> {
        self.author = *signer.did();
        let mut wire = self.to_wire();
        let signature = signer.sign(codec::encode(&wire, "commit")?.data());
        wire.sig = Some(ByteBuf::from(signature.as_bytes().to_vec()));
        let block = codec::encode(&wire, "commit")?;
        Ok((Commit { cid: *block.cid(), content: self, signature }, block))
    }
}

impl Commit {
    /// Reads a commit and checks its signature.
    ///
    /// # Errors
    /// [`CommitError::Malformed`], [`CommitError::UnknownVersion`], [`CommitError::BadSignature`].
    pub fn from_block(block: &Block) -> Result<Self, CommitError> {
        let cid = *block.cid();
        let mut wire: Wire = codec::decode(block, "commit")?;
        codec::version_one(wire.v, "commit")?;
        let signature = wire.sig.take().unwrap_or_default();
        let signature = <[u8; 64]>::try_from(&signature[..]).map_err(|_| CommitError::BadSignature(cid))?;
        let signature = Signature::from_bytes(signature);
        verify(&wire.author, codec::encode(&wire, "commit")?.data(), &signature)
            .map_err(|_| CommitError::BadSignature(cid))?;
        let parents = wire.parents.iter().map(|bytes| codec::weak_link(cid, bytes));
        let content = Unsigned {
            space: wire.space,
            bucket: wire.bucket,
            name: wire.name,
            objects: wire.objects,
            versions: wire.versions,
            config: wire.config,
            parents: parents.collect::<Result<_, _>>()?,
            skip: wire.skip.map(|bytes| codec::weak_link(cid, &bytes)).transpose()?,
            seq: wire.seq,
            time: Hlc { millis: wire.time.0, counter: wire.time.1 },
            author: wire.author,
        };
        Ok(Self { cid, content, signature })
    }

    /// The commit's own CID: the root of the bucket.
    pub fn cid(&self) -> Cid {
        self.cid
    }

    /// The author's signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The head that holds the newest commit of the bucket `id`.
    pub fn head(id: BucketId) -> String {
        format!("bucket/{id}")
    }
}

impl std::ops::Deref for Commit {
    type Target = Unsigned;

    fn deref(&self) -> &Unsigned {
        &self.content
    }
}
