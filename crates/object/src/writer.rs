//! Writing a body as it streams in.

use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, Cid, Session};
use md5::{Digest, Md5};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::assembler::{Assembled, Assembler};
use crate::budget::{Budget, Share};
use crate::leaf::LeafBuffer;
use crate::sealed::{BodyKey, SEALED_LEAF, Segments};
use crate::{Checksum, ChecksumAlgorithm, LEAF_SIZE, ObjectError};

/// Bodies below this many bytes are hashed where they are: it takes less time than moving to another thread.
const INLINE_LIMIT: u64 = 64 * 1024;

/// A body that has been written to a session; not durable before the session is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenObject {
    /// The content: a raw leaf, or the root of a UnixFS file.
    pub cid: Cid,
    /// Bytes of the body.
    pub size: u64,
    /// Bytes that are stored: more, if it is sealed.
    pub stored: u64,
    /// MD5 of the body, S3's `ETag`.
    pub md5: [u8; 16],
    /// BLAKE3 of what is stored.
    pub blake3: [u8; 32],
    /// The Bao outboard as a UnixFS file; `None` for bodies of up to 16 KiB, which have none.
    pub outboard: Option<Cid>,
    /// The checksums asked for, in that order.
    pub checksums: Vec<Checksum>,
}

/// Streams a body into a session: cuts it into leaves, hashes it in one pass, puts the blocks.
///
/// Holds at most two leaves of the body at a time, one being filled and one being hashed, and the beginnings
/// of the tree and the outboard over them. Hashing leaves the async threads; MD5, which no machine does fast,
/// runs beside all other hashes. Dropping a writer ends it: blocks already put go with the session.
///
/// Within a [`Budget`] it takes a share before each leaf. Where it would have to wait for one, it first puts the leaf
/// that is being hashed, so that it waits empty-handed.
///
/// A call that fails or is cancelled loses bytes, so every later call fails.
#[derive(Debug)]
pub struct ObjectWriter {
    session: Arc<dyn Session>,
    leaf: LeafBuffer,
    written: u64,
    /// Whether what is stored is not the body, but the body sealed.
    sealed: bool,
    /// `None` outside a budget.
    allowance: Option<Allowance>,
    /// The hashes so far; `None` once a call has failed or was cancelled.
    hashes: Option<Hashes>,
}

#[derive(Debug)]
struct Hashes {
    md5: Turn<Md5>,
    others: Turn<Assembler>,
}

impl ObjectWriter {
    /// Starts a body, to be checked by `checksums` too.
    pub fn new(session: Arc<dyn Session>, checksums: &[ChecksumAlgorithm]) -> Self {
        let hashes = Hashes { md5: Turn::Here(Md5::new()), others: Turn::Here(Assembler::new(checksums)) };
        Self {
            session,
            leaf: LeafBuffer::default(),
            written: 0,
            sealed: false,
            allowance: None,
            hashes: Some(hashes),
        }
    }

    /// Has the body sealed under `key`, which no other body may have, before it is stored. For a body that has not begun.
    #[must_use]
    pub fn sealed(mut self, key: &BodyKey) -> Self {
        if let Some(Hashes { others: Turn::Here(others), .. }) = &mut self.hashes {
            others.seal(Segments::new(key));
        }
        Self { leaf: LeafBuffer::of(SEALED_LEAF), sealed: true, ..self }
    }

    /// Has the body, which is to have `length` bytes, take its memory from `budget`; `beside` is what whoever feeds it
    /// needs for each leaf beside the leaf.
    #[must_use]
    pub fn within(mut self, budget: Budget, length: u64, beside: usize) -> Self {
        self.allowance =
            Some(Allowance { budget, length, beside, filling: None, hashing: None, entered: false });
        self
    }

    /// Bytes taken so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Waits until there is memory for the next bytes of the body, if more are to come. Bytes that are not asked for
    /// before take none, so this is for whoever reads them from somewhere.
    ///
    /// # Errors
    /// [`ObjectError::Crowded`] before the first byte; and as [`ObjectWriter::write`].
    pub async fn ready(&mut self) -> Result<(), ObjectError> {
        match &self.allowance {
            Some(allowance) if self.written < allowance.length => self.make_room().await,
            _ => Ok(()),
        }
    }

    /// Appends a chunk of any size. Waits while leaves before it are hashed or stored.
    ///
    /// # Errors
    /// [`ObjectError::Store`] if a block could not be put; [`ObjectError::Aborted`] after an earlier failure;
    /// [`ObjectError::Crowded`] for the first bytes, unless they were waited for.
    pub async fn write(&mut self, mut chunk: Bytes) -> Result<(), ObjectError> {
        while !chunk.is_empty() {
            self.make_room().await?;
            let before = chunk.len();
            let leaf = self.leaf.fill(&mut chunk);
            self.written += (before - chunk.len()) as u64;
            if let Some(leaf) = leaf {
                self.push(leaf).await?;
            }
        }
        Ok(())
    }

    /// Ends the body and puts what is left of it.
    ///
    /// # Errors
    /// As [`ObjectWriter::write`].
    pub async fn finish(self) -> Result<WrittenObject, ObjectError> {
        // Until the last block is put.
        let _allowance = self.allowance;
        let (mut md5, mut others) = self.hashes.ok_or_else(given_up)?.back().await?;
        let blocks = others.take_finished();
        let rest = self.leaf.rest();
        let last = (self.sealed || self.written == 0 || !rest.is_empty()).then(|| rest.clone());
        let end_md5 = move || {
            md5.update(&rest);
            md5.finalize().into()
        };
        let end_others = move || {
            if let Some(leaf) = last {
                others.leaf(leaf, true)?;
            }
            others.finish()
        };
        let (md5, end) = if self.written < INLINE_LIMIT {
            (end_md5(), end_others()?)
        } else {
            let (md5, others) = (spawn_blocking(end_md5), spawn_blocking(end_others));
            put(&*self.session, blocks).await?;
            (md5.await.map_err(hashing_failed)?, others.await.map_err(hashing_failed)??)
        };
        let Assembled { cid, size: stored, blake3, outboard, checksums, blocks } = end;
        put(&*self.session, blocks).await?;
        let size = self.written;
        Ok(WrittenObject { cid, size, stored, md5, blake3, outboard, checksums })
    }

    /// Takes a share for the leaf that is being filled.
    async fn make_room(&mut self) -> Result<(), ObjectError> {
        let Some(allowance) = &mut self.allowance else { return Ok(()) };
        if allowance.filling.is_some() {
            return Ok(());
        }
        let bytes = allowance.next(self.written, self.sealed);
        let budget = allowance.budget.clone();
        let entered = std::mem::replace(&mut allowance.entered, true);
        let share = match budget.try_take(bytes) {
            Some(share) => share,
            None if entered => {
                self.settle().await?;
                budget.take(bytes).await
            }
            None => budget.enter(bytes).await.ok_or(ObjectError::Crowded)?,
        };
        if let Some(allowance) = &mut self.allowance {
            allowance.filling = Some(share);
        }
        Ok(())
    }

    /// Waits for the leaf that is being hashed, puts its blocks and gives its share back.
    async fn settle(&mut self) -> Result<(), ObjectError> {
        let (md5, mut others) = self.hashes.take().ok_or_else(given_up)?.back().await?;
        put(&*self.session, others.take_finished()).await?;
        self.hashes = Some(Hashes { md5: Turn::Here(md5), others: Turn::Here(others) });
        if let Some(allowance) = &mut self.allowance {
            allowance.hashing = None;
        }
        Ok(())
    }

    /// Starts hashing a full leaf, once the one before it is done, and puts the blocks of that one meanwhile.
    async fn push(&mut self, leaf: Bytes) -> Result<(), ObjectError> {
        let (mut md5, mut others) = self.hashes.take().ok_or_else(given_up)?.back().await?;
        let blocks = others.take_finished();
        let _stored = self.allowance.as_mut().and_then(Allowance::advance);
        let same = leaf.clone();
        let hashes = Hashes {
            md5: Turn::away(move || {
                md5.update(&same);
                Ok(md5)
            }),
            others: Turn::away(move || others.leaf(leaf, false).map(|()| others)),
        };
        put(&*self.session, blocks).await?;
        self.hashes = Some(hashes);
        Ok(())
    }
}

/// What a body holds of a budget.
#[derive(Debug)]
struct Allowance {
    budget: Budget,
    length: u64,
    beside: usize,
    /// The share of the leaf that is being filled.
    filling: Option<Share>,
    /// That of the one that is being hashed.
    hashing: Option<Share>,
    /// Whether the first share was asked for.
    entered: bool,
}

impl Allowance {
    /// What the next leaf takes, after `written` bytes: a small body only as much as it needs.
    fn next(&self, written: u64, sealed: bool) -> usize {
        let left = self.length.saturating_sub(written).min(LEAF_SIZE as u64) as usize;
        // Whoever writes more than it said takes whole leaves.
        let leaf = if left == 0 { LEAF_SIZE } else { left };
        // While it is sealed there are two of it.
        let leaf = if sealed { leaf.saturating_mul(2) } else { leaf };
        leaf.saturating_add(self.beside.min(left))
    }

    /// The leaf that was filled is hashed from now on. Gives the share of the one before.
    fn advance(&mut self) -> Option<Share> {
        std::mem::replace(&mut self.hashing, self.filling.take())
    }
}

impl Hashes {
    async fn back(self) -> Result<(Md5, Assembler), ObjectError> {
        Ok((self.md5.back().await?, self.others.back().await?))
    }
}

/// Hash state that jobs on blocking threads take turns with.
#[derive(Debug)]
enum Turn<T> {
    Here(T),
    Away(JoinHandle<Result<T, ObjectError>>),
}

impl<T: Send + 'static> Turn<T> {
    fn away(job: impl FnOnce() -> Result<T, ObjectError> + Send + 'static) -> Self {
        Self::Away(spawn_blocking(job))
    }

    async fn back(self) -> Result<T, ObjectError> {
        match self {
            Self::Here(state) => Ok(state),
            Self::Away(job) => job.await.map_err(hashing_failed)?,
        }
    }
}

async fn put(session: &dyn Session, blocks: Vec<Block>) -> Result<(), ObjectError> {
    if !blocks.is_empty() {
        session.put(blocks).await?;
    }
    Ok(())
}

fn hashing_failed(source: JoinError) -> ObjectError {
    ObjectError::aborted("hashing a leaf", source)
}

fn given_up() -> ObjectError {
    ObjectError::aborted("writing a body", "an earlier call failed or was cancelled")
}
