//! Writing a body as it streams in.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, Cid, Session};
use md5::{Digest, Md5};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::assembler::{Assembled, Assembler};
use crate::budget::{Budget, Share};
use crate::leaf::LeafBuffer;
use crate::sealed::{BodyKey, SEALED_LEAF, Segments};
use crate::strand::Strand;
use crate::{Checksum, ChecksumAlgorithm, LEAF_SIZE, ObjectError};

/// Bodies below this many bytes are hashed where they are: it takes less time than moving to another thread.
const INLINE_LIMIT: u64 = 64 * 1024;

/// How many full leaves of a body are hashed, or wait for it, while the next one is filled, if a budget gives the memory: so
/// that MD5 has work whenever the client, the disk or the other hashes are slow for a moment. Otherwise one.
const AHEAD: usize = 3;

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
/// Within a [`Budget`] it takes a share before each leaf, and holds up to four. Where it would have to wait for a share, it
/// first puts the leaves that are being hashed, so that it waits empty-handed.
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
    md5: Strand<Md5>,
    others: Strand<Assembler>,
    /// Those that are under way, in the order of the body.
    leaves: VecDeque<Leaf>,
}

/// A full leaf that is being hashed.
#[derive(Debug)]
struct Leaf {
    /// Ends when MD5 is done with it.
    md5: oneshot::Receiver<()>,
    /// The blocks that it completes; `None` when they were put.
    blocks: Option<oneshot::Receiver<Result<Vec<Block>, ObjectError>>>,
    _share: Option<Share>,
}

impl ObjectWriter {
    /// Starts a body, to be checked by `checksums` too.
    pub fn new(session: Arc<dyn Session>, checksums: &[ChecksumAlgorithm]) -> Self {
        let (md5, others) = (Strand::new(Md5::new()), Strand::new(Assembler::new(checksums)));
        let hashes = Hashes { md5, others, leaves: VecDeque::new() };
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
    pub fn sealed(self, key: &BodyKey) -> Self {
        let sealed =
            |hashes: &Hashes| hashes.others.run_here(|others| others.seal(Segments::new(key))).is_some();
        let hashes = self.hashes.filter(sealed);
        Self { leaf: LeafBuffer::of(SEALED_LEAF), sealed: true, hashes, ..self }
    }

    /// Has the body, which is to have `length` bytes, take its memory from `budget`; `beside` is what whoever feeds it
    /// needs for each leaf beside the leaf.
    #[must_use]
    pub fn within(mut self, budget: Budget, length: u64, beside: usize) -> Self {
        self.allowance = Some(Allowance { budget, length, beside, filling: None, entered: false });
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
        let mut hashes = self.hashes.ok_or_else(given_up)?;
        let rest = self.leaf.rest();
        let last = (self.sealed || self.written == 0 || !rest.is_empty()).then(|| rest.clone());
        let end_md5 = move |md5: &mut Md5| {
            md5.update(&rest);
            md5.finalize_reset().into()
        };
        let end_others = move |others: &mut Assembler| {
            if let Some(leaf) = last {
                others.leaf(leaf, true)?;
            }
            others.finish()
        };
        let (md5, end) = if self.written < INLINE_LIMIT {
            let md5 = hashes.md5.run_here(end_md5).ok_or_else(given_up)?;
            (md5, hashes.others.run_here(end_others).ok_or_else(given_up)??)
        } else {
            let (md5, others) = (hashes.md5.run(end_md5), hashes.others.run(end_others));
            hashes.settle(&*self.session, 0).await?;
            let end = others.await.map_err(hashing_failed)??;
            (md5.await.map_err(hashing_failed)?, end)
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

    /// Waits until no leaf is being hashed, and all their shares are given back.
    async fn settle(&mut self) -> Result<(), ObjectError> {
        let mut hashes = self.hashes.take().ok_or_else(given_up)?;
        hashes.settle(&*self.session, 0).await?;
        self.hashes = Some(hashes);
        Ok(())
    }

    /// Starts hashing a full leaf, and waits while too many are.
    async fn push(&mut self, leaf: Bytes) -> Result<(), ObjectError> {
        let mut hashes = self.hashes.take().ok_or_else(given_up)?;
        hashes.start(leaf, self.allowance.as_mut().and_then(|allowance| allowance.filling.take()));
        let ahead = if self.allowance.is_some() { AHEAD } else { 1 };
        hashes.settle(&*self.session, ahead).await?;
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
}

impl Hashes {
    fn start(&mut self, leaf: Bytes, share: Option<Share>) {
        let same = leaf.clone();
        self.leaves.push_back(Leaf {
            md5: self.md5.run(move |md5| md5.update(&same)),
            blocks: Some(self.others.run(move |others| {
                others.leaf(leaf, false)?;
                Ok(others.take_finished())
            })),
            _share: share,
        });
    }

    /// Puts the blocks of hashed leaves, and waits until at most so many leaves are `left` that are not.
    async fn settle(&mut self, session: &dyn Session, left: usize) -> Result<(), ObjectError> {
        while self.leaves.len() > left {
            let Some(mut first) = self.leaves.pop_front() else { break };
            if let Some(blocks) = first.blocks.take() {
                put(session, blocks.await.map_err(hashing_failed)??).await?;
            }
            self.put_hashed(session).await?;
            first.md5.await.map_err(hashing_failed)?;
        }
        self.put_hashed(session).await
    }

    /// Puts the blocks that are there already.
    async fn put_hashed(&mut self, session: &dyn Session) -> Result<(), ObjectError> {
        for leaf in &mut self.leaves {
            let Some(blocks) = &mut leaf.blocks else { continue };
            match blocks.try_recv() {
                Ok(blocks) => {
                    leaf.blocks = None;
                    put(session, blocks?).await?;
                }
                Err(TryRecvError::Empty) => break,
                Err(closed) => return Err(hashing_failed(closed)),
            }
        }
        Ok(())
    }
}

async fn put(session: &dyn Session, blocks: Vec<Block>) -> Result<(), ObjectError> {
    if !blocks.is_empty() {
        session.put(blocks).await?;
    }
    Ok(())
}

fn hashing_failed(source: impl Error + Send + Sync + 'static) -> ObjectError {
    ObjectError::aborted("hashing a leaf", source)
}

fn given_up() -> ObjectError {
    ObjectError::aborted("writing a body", "an earlier call failed or was cancelled")
}
