//! A bucket of another gateway brought here: what is missing of it is asked for, and nothing of it is believed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use carob_block::{Block, Cid, Codec, Session};
use carob_commit::{Commit, KeptCommit};
use carob_identity::{Did, Hlc};

use crate::adopt::{Adoption, States, broken, check_locks, untrustworthy};
use crate::fork::Fork;
use crate::graft::Graft;
use crate::origin::Origin;
use crate::reach::Wanted;
use crate::snapshot::block;
use crate::{Bucket, BucketError, BucketInfo, Snapshot, Space, names};

/// How many blocks are asked for at a time.
const WANTED: usize = 512;

/// How many blocks are looked for here at a time.
const LOOKED_FOR: usize = 1024;

/// The longest way from a commit to a block, and the most blocks that wait to be looked for: far beyond what a bucket comes
/// to, so that no other can make this grow.
const MAX_DEPTH: usize = 128;
const MAX_TODO: usize = 4 << 20;

/// The most states that a history may have: a thousand commits a second, each kept for an hour.
const MAX_STATES: usize = 4 << 20;

/// How many bytes of blocks are handed to the store at a time.
const BATCH: usize = 4 << 20;

/// How many bytes are made durable at a time, so that no more of them comes twice.
const DURABLE: u64 = 16 << 20;

/// What to pull.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// What the bucket is, or is to be, called here.
    pub name: String,
    /// The space that it must belong to there. Without it, whichever signed it is believed the first time.
    pub space: Option<Did>,
    /// Whether past states are brought along.
    pub history: bool,
    /// How many bytes of blocks may come, if that is bounded.
    pub max_bytes: Option<u64>,
}

/// How far a pull is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullFigures {
    /// Blocks that came.
    pub fetched: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks that were here already. What is below a node that is known to be whole is not counted.
    pub skipped: u64,
    /// Blocks that are still to be looked for; there may be more below them.
    pub left: u64,
}

/// What came of a pull.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The bucket.
    pub bucket: BucketInfo,
    /// The state that it is in.
    pub state: Snapshot,
    /// The commit that it was pulled from, and whose it is.
    pub from: Cid,
    /// The space that signed it.
    pub space: Did,
    /// How many commits came of it; none if there was nothing new.
    pub commits: u64,
    /// What was fetched.
    pub figures: PullFigures,
}

/// A pull under way: commits first ([`Pull::offer`], [`Pull::begin`]), then what they reach ([`Pull::wanted`], [`Pull::add`],
/// [`Pull::received`]) until nothing is wanted, then [`Pull::finish`].
///
/// Until it is finished nobody sees anything of it. What was received is durable and held as long as this is there; given up or
/// cut short, it is found again by the next pull, unless a collection came first.
#[derive(Debug)]
pub struct Pull {
    space: Space,
    options: PullOptions,
    session: Arc<dyn Session>,
    here: Option<Here>,
    /// What was said of the other's history: the number and time of each commit that came.
    offered: HashMap<[u8; 32], (u64, Hlc)>,
    kept: Vec<KeptCommit>,
    newest: Option<Commit>,
    /// Nodes of which it is known that all below them is here, or will be looked for.
    seen: HashSet<[u8; 32]>,
    todo: Vec<(Cid, Arc<Step>)>,
    /// What was asked for and did not come yet.
    pending: HashMap<Cid, Arc<Step>>,
    /// How many bytes came, commits among them.
    came: u64,
    waiting: Vec<Block>,
    bytes: usize,
    /// How many had come when all of them were durable.
    durable: u64,
    figures: PullFigures,
}

/// The bucket as it is before.
#[derive(Debug)]
struct Here {
    bucket: Bucket,
    state: Snapshot,
    origin: Origin,
}

/// A block on the way from a commit down.
#[derive(Debug)]
struct Step {
    cid: Cid,
    before: Option<Arc<Self>>,
    depth: usize,
}

impl Space {
    /// Begins a pull into a bucket that was pulled from the same place before, or a new one.
    ///
    /// # Errors
    /// [`BucketError::InvalidBucketName`]; [`BucketError::BucketExists`] for a bucket that was not pulled; what the store says.
    pub async fn pull(&self, options: PullOptions) -> Result<Pull, BucketError> {
        names::check(&options.name)?;
        let here = match self.bucket(&options.name).await {
            Err(BucketError::NoSuchBucket(_)) => None,
            Err(error) => return Err(error),
            Ok(bucket) => {
                let state = bucket.snapshot().await?;
                let origin = Origin::read(state.config());
                let origin = origin.ok_or_else(|| BucketError::BucketExists(options.name.clone()))?;
                Some(Here { bucket, state, origin })
            }
        };
        Ok(Pull {
            space: self.clone(),
            options,
            session: self.inner.store.session().into(),
            here,
            offered: HashMap::new(),
            kept: Vec::new(),
            newest: None,
            seen: HashSet::new(),
            todo: Vec::new(),
            pending: HashMap::new(),
            came: 0,
            waiting: Vec::new(),
            bytes: 0,
            durable: 0,
            figures: PullFigures::default(),
        })
    }
}

impl Pull {
    /// Takes a block of the other's [commits](crate::KeptStates::commits).
    ///
    /// # Errors
    /// [`BucketError::Untrustworthy`], [`BucketError::TooManyBytes`]; what the store says.
    pub async fn offer(&mut self, block: Block) -> Result<(), BucketError> {
        self.count(&block)?;
        let most = if self.options.history { MAX_STATES } else { 1 };
        if self.offered.len().max(self.kept.len()) >= most {
            return Err(broken("more commits than were asked for"));
        }
        if let Ok(kept) = KeptCommit::from_block(&block) {
            self.kept.push(kept);
            return Ok(());
        }
        let commit = Commit::from_block(&block).map_err(|error| untrustworthy(error.into()))?;
        let offered =
            digest(&commit.cid()).map(|digest| self.offered.insert(digest, (commit.seq, commit.time)));
        if offered.flatten().is_some() {
            return Err(broken("a commit came twice"));
        }
        self.session.put(vec![block]).await?;
        Ok(())
    }

    /// Takes the other's newest commit, and says whether there is anything to do.
    ///
    /// # Errors
    /// [`BucketError::Untrustworthy`] for a commit that the space did not sign or that is older than what was pulled;
    /// [`BucketError::NotPulled`].
    pub async fn begin(&mut self, root: Cid) -> Result<bool, BucketError> {
        let none = || broken("no commit of that name came");
        digest(&root).filter(|digest| self.offered.contains_key(digest)).ok_or_else(none)?;
        let newest = block(&*self.space.inner.store, &root).await.map_err(|_| none())?;
        let newest = Commit::from_block(&newest).map_err(|error| untrustworthy(error.into()))?;
        let trusted = self.options.space.or(self.here.as_ref().map(|here| here.origin.space));
        if newest.author != newest.space {
            return Err(broken("the newest commit is not signed by its space"));
        }
        if trusted.is_some_and(|space| space != newest.space) {
            return Err(broken("the newest commit belongs to another space"));
        }
        if let Some(Here { state, origin, .. }) = &self.here {
            let refused = |reason| BucketError::NotPulled { bucket: self.options.name.clone(), reason };
            if (newest.space, newest.bucket) != (origin.space, origin.bucket) {
                return Err(refused("it was pulled from another bucket"));
            }
            if !origin.is_as_pulled(state.commit()) {
                return Err(refused("it was changed here since"));
            }
            if newest.cid() == origin.commit {
                return Ok(false);
            }
            if newest.seq <= origin.seq {
                return Err(broken("the newest commit is older than what was pulled before"));
            }
            let (known, since) = (origin.seq, state.commit().time);
            let offered = &self.offered;
            self.kept.retain(|kept| {
                let commit = digest(&kept.commit).and_then(|digest| offered.get(&digest));
                commit.is_some_and(|(seq, time)| *seq > known && *time > since)
            });
            for tree in [Some(state.tree()), state.versions()].into_iter().flatten() {
                self.seen.extend(tree.cids().await?.iter().filter_map(digest));
            }
        }
        if !self.options.history {
            self.kept.clear();
        }
        // The newest last: it is the first to be looked at.
        let commits: Vec<Cid> = self.kept.iter().map(|kept| kept.commit).chain([root]).collect();
        for cid in commits {
            let block = block(&*self.space.inner.store, &cid).await;
            let block = block.map_err(|_| broken("a listed commit is missing"))?;
            self.look_below(&block, None)?;
        }
        self.newest = Some(newest);
        Ok(true)
    }

    fn look_below(&mut self, block: &Block, before: Option<&Arc<Step>>) -> Result<(), BucketError> {
        if block.codec() == Codec::Raw {
            return Ok(());
        }
        let links = block.links().map_err(|error| BucketError::Untrustworthy(Arc::new(error)))?;
        let depth = before.map_or(0, |before| before.depth + 1);
        if depth > MAX_DEPTH || self.todo.len() + links.len() > MAX_TODO {
            return Err(broken("more levels or links than a bucket has"));
        }
        let step = Arc::new(Step { cid: *block.cid(), before: before.cloned(), depth });
        self.todo.extend(links.into_iter().map(|cid| (cid, Arc::clone(&step))));
        Ok(())
    }

    /// What to ask for next; nothing once all is here.
    ///
    /// # Errors
    /// What the store says.
    pub async fn wanted(&mut self) -> Result<Wanted, BucketError> {
        while self.pending.len() < WANTED && !self.todo.is_empty() {
            let mut batch = self.todo.split_off(self.todo.len().saturating_sub(LOOKED_FOR));
            // Leaves need no memory of their own: they end a way.
            batch.retain(|(cid, _)| {
                !self.pending.contains_key(cid)
                    && (cid.codec() == Codec::Raw.code()
                        || digest(cid).is_some_and(|digest| self.seen.insert(digest)))
            });
            let cids: Vec<Cid> = batch.iter().map(|(cid, _)| *cid).collect();
            let missing: HashSet<Cid> = self.session.missing(&cids).await?.into_iter().collect();
            for (cid, before) in batch {
                if missing.contains(&cid) {
                    self.pending.insert(cid, before);
                    continue;
                }
                self.figures.skipped += 1;
                if cid.codec() != Codec::Raw.code() {
                    let block = block(&*self.space.inner.store, &cid).await?;
                    self.look_below(&block, Some(&before))?;
                }
            }
        }
        let mut wanted = Wanted::default();
        let mut numbers = HashMap::new();
        for (cid, step) in &self.pending {
            let step = number(step, &mut wanted, &mut numbers);
            wanted.blocks.push((*cid, step));
        }
        Ok(wanted)
    }

    /// Takes a block that was asked for.
    ///
    /// # Errors
    /// [`BucketError::Untrustworthy`] for any other; [`BucketError::TooManyBytes`]; what the store says.
    pub async fn add(&mut self, block: Block) -> Result<(), BucketError> {
        self.count(&block)?;
        let Some(before) = self.pending.remove(block.cid()) else {
            return Err(broken("a block that nobody asked for came"));
        };
        self.look_below(&block, Some(&before))?;
        self.figures.fetched += 1;
        self.figures.bytes += block.data().len() as u64;
        self.bytes += block.data().len();
        self.waiting.push(block);
        if self.figures.bytes - self.durable >= DURABLE {
            return self.flush().await;
        }
        if self.bytes >= BATCH { self.put().await } else { Ok(()) }
    }

    fn count(&mut self, block: &Block) -> Result<(), BucketError> {
        self.came = self.came.saturating_add(block.data().len() as u64);
        match self.options.max_bytes.filter(|most| self.came > *most) {
            Some(most) => Err(BucketError::TooManyBytes(most)),
            None => Ok(()),
        }
    }

    async fn flush(&mut self) -> Result<(), BucketError> {
        self.put().await?;
        self.space.inner.store.commit(&[&*self.session], &[]).await?;
        self.durable = self.figures.bytes;
        Ok(())
    }

    async fn put(&mut self) -> Result<(), BucketError> {
        self.bytes = 0;
        Ok(self.session.put(std::mem::take(&mut self.waiting)).await?)
    }

    /// Makes what came durable, at the end of an answer or where it broke off.
    ///
    /// # Errors
    /// [`BucketError::Untrustworthy`] if something did not come; what the store says.
    pub async fn received(&mut self) -> Result<(), BucketError> {
        self.flush().await?;
        if self.pending.is_empty() { Ok(()) } else { Err(broken("a block that was asked for did not come")) }
    }

    /// How far it is.
    pub fn figures(&self) -> PullFigures {
        PullFigures { left: (self.pending.len() + self.todo.len()) as u64, ..self.figures }
    }

    /// Verifies what came (signatures, trees and every body) and makes it the bucket's state, durable when it returns. If
    /// it fails, nothing has changed.
    ///
    /// # Errors
    /// [`BucketError::Untrustworthy`], [`BucketError::Repetitive`]; [`BucketError::Locked`] if something is gone that object lock protects here;
    /// [`BucketError::NotPulled`] if the bucket was changed meanwhile; what the store says.
    pub async fn finish(self) -> Result<Pulled, BucketError> {
        let Self { space, options, session, here, kept, newest, figures, .. } = self;
        let inner = &space.inner;
        let Some(newest) = newest else {
            let Some(Here { bucket, state, origin }) = here else {
                return Err(broken("no commit came"));
            };
            let (from, space) = (origin.commit, origin.space);
            return Ok(Pulled { bucket: bucket.info().clone(), state, from, space, commits: 0, figures });
        };
        let (from, whose, store) = (newest.cid(), newest.space, Arc::clone(&inner.store));
        let known = here.as_ref().map(|here| &here.state);
        let states =
            States::verify(&store, Arc::clone(&store) as _, from, &kept, known, options.max_bytes).await?;
        if let Some(state) = known {
            check_locks(&store, state, &states.newest, inner.clock.wall()).await?;
        }
        states.check_times(options.history, &inner.clock)?;
        let commits = states.past.len() as u64 + 1;
        let bucket = match here {
            None => {
                let (name, owner, origin) = (options.name, *space.did(), Some(Origin::of(&newest)));
                let States { newest: state, past, .. } = states;
                let past = options.history.then_some(past);
                space.fork(Fork { state, name, owner, with: None, origin, past, session }).await?
            }
            Some(Here { bucket, state, .. }) => {
                let (dated, expected) = (options.history, state.cid());
                let adoption = Adoption { states, dated, expected, session };
                bucket.graft(Graft::Pull(Box::new(adoption))).await?;
                bucket.info().clone()
            }
        };
        let state = inner.snapshot(&bucket).await?;
        Ok(Pulled { bucket, state, from, space: whose, commits, figures })
    }
}

/// The number of a step among those that are sent.
fn number(step: &Arc<Step>, wanted: &mut Wanted, numbers: &mut HashMap<Cid, usize>) -> usize {
    if let Some(number) = numbers.get(&step.cid) {
        return *number;
    }
    let before = step.before.as_ref().map(|before| number(before, wanted, numbers));
    wanted.steps.push((step.cid, before));
    numbers.insert(step.cid, wanted.steps.len() - 1);
    wanted.steps.len() - 1
}

/// What tells a block from others, in a third of the memory that its CID takes.
fn digest(cid: &Cid) -> Option<[u8; 32]> {
    cid.hash().digest().try_into().ok()
}
