//! An object as of one commit, and its bytes.

use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use carob_block::{Cid, ReadBlocks};
use carob_commit::{Blake3Root, PartList, Record};
use carob_object::{
    Body, Budget, DataKey, LEAF_SIZE, ObjectReader, Run, SealedPart, Share, read, read_sealed, read_within,
};
use futures::future::{self, Either, Ready};
use futures::stream::{self, Once};
use futures::{Stream, StreamExt};

use crate::BucketError;
use crate::pins;

/// From so many parts on their list takes longer to read than a leaf to hash.
const MANY_PARTS: u32 = 1000;

/// An object as of one commit.
#[derive(Debug, Clone)]
pub struct Object {
    pub(crate) store: Arc<dyn ReadBlocks>,
    pub(crate) record: Arc<Record>,
    pub(crate) commit: Cid,
    /// Holds the root while a reader has the object.
    pub(crate) pin: Option<pins::Pin>,
    /// What it takes to read an encrypted body.
    pub(crate) opened: Option<Arc<[SealedPart]>>,
}

impl Object {
    /// What is known of it.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The commit it was read from.
    pub fn commit(&self) -> Cid {
        self.commit
    }

    /// The parts it was made of, if it came by a multipart upload.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn parts(&self) -> Result<Option<PartList>, BucketError> {
        let Some(parts) = self.record.parts else { return Ok(None) };
        let block = self.store.get(&parts).await?.ok_or_else(|| BucketError::missing(&parts))?;
        Ok(Some(PartList::from_block(&block)?))
    }

    /// The same object, readable if it is encrypted under this key.
    ///
    /// # Errors
    /// As [`Object::parts`].
    pub async fn opened_with(self, key: &DataKey) -> Result<Self, BucketError> {
        let Some(sealed) = &self.record.sealed else { return Ok(self) };
        let part = |size, salt: Option<_>| match salt {
            Some(salt) => Ok(SealedPart { size, key: key.body(&salt) }),
            None => Err(BucketError::damaged(io::Error::other("an encrypted body without salt"))),
        };
        let parts = match self.parts().await? {
            Some(list) => list.0.iter().map(|of| part(of.size, of.salt)).collect::<Result<_, _>>()?,
            None => Arc::from([part(self.record.size, sealed.salt)?]),
        };
        Ok(Self { opened: Some(parts), ..self })
    }

    /// The bytes of `range`, which is cut to the object's size. Every block is verified before a byte of it is
    /// given out; an error ends the stream.
    pub fn read(&self, range: Range<u64>) -> ByteStream {
        self.stream(self.reader(self.cut(range), Vec::new(), None))
    }

    /// The same as [`Object::read`], with memory from `budget`.
    ///
    /// # Errors
    /// [`BucketError::Overloaded`].
    pub async fn read_within(&self, range: Range<u64>, budget: &Budget) -> Result<ByteStream, BucketError> {
        let range = self.cut(range);
        if range.is_empty() {
            return Ok(self.read(range));
        }
        let size = self.record.size;
        // A leaf is read whole, however little of it is asked for; there are two of it while it is opened.
        let leaf = size.min(LEAF_SIZE as u64) as usize * if self.opened.is_some() { 2 } else { 1 };
        let first = budget.enter(leaf).await.ok_or(BucketError::Overloaded)?;
        let runs = self.runs().await?;
        let reader = self.reader(range, runs, Some((budget.clone(), first)));
        Ok(self.stream(reader))
    }

    fn reader(
        &self,
        range: Range<u64>,
        runs: Vec<Run>,
        shares: Option<(Budget, Share)>,
    ) -> Result<ObjectReader, BucketError> {
        let (store, content, size) = (Arc::clone(&self.store), self.record.content, self.record.stored());
        let body = Body { content, size, runs };
        let reader = match (&self.opened, &self.record.sealed, shares) {
            (Some(parts), _, shares) => read_sealed(store, body, parts, range, shares),
            (None, Some(_), _) => return Err(BucketError::Encrypted),
            (None, None, Some((budget, first))) => read_within(store, body, range, budget, first),
            (None, None, None) => read(store, content, size, range),
        };
        Ok(reader?)
    }

    /// What verifies ranges of the body. None for bodies so small, or of so many parts, that hashing a leaf takes no
    /// longer.
    async fn runs(&self) -> Result<Vec<Run>, BucketError> {
        let worth_it = match &self.record.blake3 {
            Some(tree) => tree.outboard.is_some(),
            None => self.record.etag.parts.is_some_and(|parts| parts <= MANY_PARTS),
        };
        if worth_it { self.all_runs().await } else { Ok(Vec::new()) }
    }

    /// What the body as it is stored consists of: each run with its BLAKE3 tree.
    pub(crate) async fn all_runs(&self) -> Result<Vec<Run>, BucketError> {
        let run = |size: u64, tree: &Blake3Root| Run { size, root: tree.root, outboard: tree.outboard };
        if let Some(tree) = &self.record.blake3 {
            return Ok(vec![run(self.record.stored(), tree)]);
        }
        let parts = self.parts().await?.unwrap_or(PartList(Vec::new())).0;
        let stored = parts.iter().map(|part| Some(run(part.stored()?, &part.blake3)));
        Ok(stored.collect::<Option<_>>().unwrap_or_default())
    }

    pub(crate) fn stream(&self, reader: Result<ObjectReader, BucketError>) -> ByteStream {
        let bytes = match reader {
            Ok(reader) => Either::Left(reader),
            Err(error) => Either::Right(stream::once(future::ready(Err(error)))),
        };
        ByteStream { bytes, _pin: self.pin.clone() }
    }

    pub(crate) fn cut(&self, range: Range<u64>) -> Range<u64> {
        let end = range.end.min(self.record.size);
        range.start.min(end)..end
    }
}

/// The bytes of an object, or of a part of it.
pub struct ByteStream {
    bytes: Either<ObjectReader, Once<Ready<Result<Bytes, BucketError>>>>,
    _pin: Option<pins::Pin>,
}

impl Stream for ByteStream {
    type Item = Result<Bytes, BucketError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.bytes {
            Either::Left(reader) => reader.poll_next_unpin(cx).map_err(BucketError::from),
            Either::Right(failed) => failed.poll_next_unpin(cx),
        }
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}
