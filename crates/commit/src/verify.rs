//! The offline check of an exported bucket: nothing is trusted but the commit's signature.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use carob_block::{Block, Cid, ReadBlocks, StoreError};
use carob_car::{CarError, CarReader};
use carob_identity::Did;
use carob_index::{Entry, IndexError, NodeCache, Totals, Tree};
use carob_object::ObjectError;

use crate::body::{CheckedBodies, check_body_once};
use crate::proof::{self, Claim, Proven};
use crate::{Commit, CommitError, Config, Inline, KeptCommit, Record, TreeValue, Version};

/// Memory for decoded index nodes while verifying, in bytes.
pub(crate) const NODE_CACHE: u64 = 16 << 20;

/// What an authentic export holds.
#[derive(Debug, Clone)]
pub struct Report {
    /// The commit that everything hangs on.
    pub commit: Commit,
    /// How many current objects were verified.
    pub objects: u64,
    /// The sum of their sizes.
    pub bytes: u64,
    /// How many noncurrent versions and delete markers were verified.
    pub noncurrent: u64,
    /// How many past states were verified, in an export with history.
    pub past: u64,
    /// How many different blocks the file holds.
    pub blocks: u64,
}

/// Why an export is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The file is not a CAR, is cut short, or holds a block whose hash is wrong.
    #[error(transparent)]
    Car(#[from] CarError),
    /// The CAR must have one root, the commit.
    #[error("the file has {0} roots; an export has one")]
    Roots(usize),
    /// The commit or a record is malformed, or the signature is wrong.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The commit belongs to another space than the one asked for.
    #[error("the bucket belongs to {0}")]
    OtherSpace(Did),
    /// The author is not the space's own key, and no delegation is part of an export.
    #[error("signed by {0}, which is not the space's key")]
    OtherAuthor(Did),
    /// A proof holds a block that its answer does not need.
    #[error("block {0} has no part in the proof")]
    Unneeded(Cid),
    /// More objects than are proven at once.
    #[error("more than {} objects: prove a longer prefix", crate::MAX_PROVEN)]
    TooMany,
    /// A list of past commits or purged keys does not say what the block that it names says itself.
    #[error("block {0} is not what it is listed as")]
    Listed(Cid),
    /// A block is missing from the file.
    #[error("block {0} is missing from the file")]
    Missing(Cid),
    /// The index breaks its own rules.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// An object's blocks do not make up the body that its record tells of.
    #[error("object {key:?}: {source}")]
    Object {
        /// The object's key.
        key: String,
        /// What is wrong.
        source: ObjectError,
    },
    /// An object's body contradicts its record.
    #[error("object {key:?}: {what} does not match its record")]
    Mismatch {
        /// The object's key.
        key: String,
        /// What contradicts.
        what: &'static str,
    },
}

/// What an authentic file shows.
#[derive(Debug, Clone)]
pub enum Verified {
    /// A whole bucket.
    Export(Report),
    /// The answer to a question.
    Proof(Proven),
}

/// Checks an exported bucket or a proof, whichever the file is.
///
/// # Errors
/// As [`verify_car`].
pub async fn verify_file<R>(file: R, space: Option<&Did>) -> Result<Verified, VerifyError>
where
    R: Read + Seek + Send + 'static,
{
    let (root, blocks) = CarBlocks::scan(file)?;
    let block = get(&blocks, root).await?;
    match Claim::from_block(&block) {
        Ok(claim) => proof::check(Arc::new(blocks), claim, space).await.map(Verified::Proof),
        Err(_) => verify_scanned(root, blocks, space).await.map(Verified::Export),
    }
}

/// Checks an exported bucket: every block's hash, the commit's signature, the shape of the index and its
/// totals, and for each object the body's size and BLAKE3 roots.
///
/// Memory grows with the number of blocks (about 60 bytes each), not with their size. The file is read twice.
///
/// # Errors
/// The first thing found wrong.
pub async fn verify_car<R>(file: R, space: Option<&Did>) -> Result<Report, VerifyError>
where
    R: Read + Seek + Send + 'static,
{
    let (root, blocks) = CarBlocks::scan(file)?;
    verify_scanned(root, blocks, space).await
}

async fn verify_scanned(root: Cid, blocks: CarBlocks, space: Option<&Did>) -> Result<Report, VerifyError> {
    let (count, kept) = (blocks.places.len() as u64, blocks.kept.clone());
    let blocks: Arc<dyn ReadBlocks> = Arc::new(blocks);
    let checked = CheckedBodies::default();
    let report = verify_since(root, Arc::clone(&blocks), space, None, &checked).await?;
    let past = verify_history(&report.commit, &kept, &blocks, &checked).await?.len() as u64;
    Ok(Report { blocks: count, past, ..report })
}

/// Checks the past states of the bucket whose newest commit is `newest`, which was verified: each as [`verify_blocks`]
/// does, but reading only what differs from the next. `kept` is in any order; gives the commits, newest first.
///
/// That these are all states that there were, nothing shows; nor, where commits between were dropped, how long one was
/// current, but that it was not later than the time of the next.
///
/// # Errors
/// The first thing found wrong.
pub async fn verify_history(
    newest: &Commit,
    kept: &[KeptCommit],
    blocks: &Arc<dyn ReadBlocks>,
    checked: &CheckedBodies,
) -> Result<Vec<(Commit, u64)>, VerifyError> {
    let mut past = Vec::with_capacity(kept.len());
    for KeptCommit { until, commit } in kept {
        past.push((Commit::from_block(&get(&**blocks, *commit).await?)?, *until));
    }
    past.sort_by_key(|(commit, _)| std::cmp::Reverse(commit.time));
    let mut later = newest;
    for (commit, until) in &past {
        let (from, listed) = (commit.time.millis, commit.cid());
        let follows = commit.bucket == newest.bucket && commit.time < later.time && commit.seq < later.seq;
        // Its place was taken by the one that follows it, if that is here.
        let ended = match later.parents.first() == Some(&listed) {
            true => *until == later.time.millis,
            false => (from..=later.time.millis).contains(until),
        };
        if !follows || !ended {
            return Err(VerifyError::Listed(listed));
        }
        verify_since(listed, Arc::clone(blocks), Some(&newest.space), Some(later), checked).await?;
        later = commit;
    }
    Ok(past)
}

/// The commit must be signed by the space's own key, and by that of the space that is asked for.
pub(crate) fn check_author(commit: &Commit, space: Option<&Did>) -> Result<(), VerifyError> {
    if space.is_some_and(|space| *space != commit.space) {
        return Err(VerifyError::OtherSpace(commit.space));
    }
    if commit.author != commit.space {
        return Err(VerifyError::OtherAuthor(commit.author));
    }
    Ok(())
}

/// Checks the bucket whose commit is `root` by these blocks alone, as [`verify_car`] does those of a file. How many
/// there are it does not count.
///
/// # Errors
/// The first thing found wrong.
pub async fn verify_blocks(
    root: Cid,
    blocks: Arc<dyn ReadBlocks>,
    space: Option<&Did>,
) -> Result<Report, VerifyError> {
    verify_since(root, blocks, space, None, &CheckedBodies::default()).await
}

/// As [`verify_blocks`], but goes on past objects that are not whole, and gives them all: each key, and what is wrong.
///
/// # Errors
/// The first thing found wrong that is not one object's.
pub async fn find_broken(
    root: Cid,
    blocks: Arc<dyn ReadBlocks>,
) -> Result<Vec<(String, VerifyError)>, VerifyError> {
    let mut broken = Vec::new();
    verify_into(root, blocks, None, None, &CheckedBodies::default(), Some(&mut broken)).await?;
    Ok(broken)
}

/// As [`verify_blocks`], where all that `known` reaches was verified before: what both share is not read again, nor are
/// bodies in `checked`, which were read from the same blocks.
///
/// # Errors
/// The first thing found wrong.
pub async fn verify_since(
    root: Cid,
    blocks: Arc<dyn ReadBlocks>,
    space: Option<&Did>,
    known: Option<&Commit>,
    checked: &CheckedBodies,
) -> Result<Report, VerifyError> {
    verify_into(root, blocks, space, known, checked, None).await
}

/// Objects that are not whole, and why.
type Broken<'a> = Option<&'a mut Vec<(String, VerifyError)>>;

async fn verify_into(
    root: Cid,
    blocks: Arc<dyn ReadBlocks>,
    space: Option<&Did>,
    known: Option<&Commit>,
    checked: &CheckedBodies,
    mut broken: Broken<'_>,
) -> Result<Report, VerifyError> {
    let commit = Commit::from_block(&get(&*blocks, root).await?)?;
    check_author(&commit, space)?;
    if let Some(config) = commit.config {
        Config::from_block(&get(&*blocks, config).await?)?;
    }
    let known_objects = known.map(|known| known.objects);
    let objects = commit.objects;
    let objects =
        check_tree::<Record>(&blocks, objects, known_objects, checked, broken.as_deref_mut()).await?;
    let known_versions = known.and_then(|known| known.versions);
    let versions = match commit.versions {
        Some(root) => check_tree::<Version>(&blocks, root, known_versions, checked, broken).await?,
        None => Totals::default(),
    };
    let (Totals { count, bytes }, noncurrent) = (objects, versions.count);
    Ok(Report { commit, objects: count, bytes, noncurrent, past: 0, blocks: 0 })
}

/// What an entry of a bucket's trees says of a body.
trait Bodied: TreeValue {
    fn body(&self) -> Option<&Record>;
}

impl Bodied for Record {
    fn body(&self) -> Option<&Record> {
        Some(self)
    }
}

impl Bodied for Version {
    fn body(&self) -> Option<&Record> {
        match self {
            Self::Object(record) => Some(record),
            Self::DeleteMarker(_) => None,
        }
    }
}

/// Checks that every node of a tree is there, that it is the one tree of its entries, and each entry's body; without
/// those that it shares with `known`, a tree that was checked.
async fn check_tree<T: Bodied>(
    blocks: &Arc<dyn ReadBlocks>,
    root: Cid,
    known: Option<Cid>,
    checked: &CheckedBodies,
    mut broken: Broken<'_>,
) -> Result<Totals, VerifyError> {
    let cache = Arc::new(NodeCache::new(NODE_CACHE));
    let open = |root| Tree::open(Arc::clone(blocks), Arc::clone(&cache), root);
    let tree = open(root).await.map_err(index)?;
    if let Some(known) = known {
        let known = open(known).await.map_err(index)?;
        let mut nodes = tree.nodes_since(&known);
        while nodes.next().await.map_err(index)?.is_some() {}
        let mut changes = known.diff(&tree);
        while let Some(change) = changes.next().await.map_err(index)? {
            if let Some(entry) = change.new {
                check_entry::<T>(blocks, root, &change.key, &entry, checked).await?;
            }
        }
        return Ok(tree.totals());
    }
    let mut nodes = tree.nodes();
    while nodes.next().await.map_err(index)?.is_some() {}
    let mut cursor = tree.cursor();
    cursor.seek(b"").await.map_err(index)?;
    let mut totals = Totals::default();
    while let Some((key, entry)) = cursor.next().await.map_err(index)? {
        match (check_entry::<T>(blocks, root, &key, &entry, checked).await, broken.as_deref_mut()) {
            (Err(error), Some(broken)) => broken.push((String::from_utf8_lossy(&key).into_owned(), error)),
            (whole, _) => whole?,
        }
        totals.count += 1;
        totals.bytes = totals.bytes.saturating_add(entry.weight);
    }
    if totals != tree.totals() {
        return Err(VerifyError::Mismatch { key: String::new(), what: "the index's totals" });
    }
    Ok(totals)
}

async fn check_entry<T: Bodied>(
    blocks: &Arc<dyn ReadBlocks>,
    tree: Cid,
    key: &[u8],
    entry: &Entry,
    checked: &CheckedBodies,
) -> Result<(), VerifyError> {
    let key = String::from_utf8_lossy(key).into_owned();
    let thing = match T::from_value(&entry.value, tree)? {
        Inline::Here(thing) => *thing,
        Inline::Linked(cid) => T::from_block(&get(&**blocks, cid).await?)?,
    };
    if entry.weight != thing.body().map_or(0, |record| record.size) {
        return Err(VerifyError::Mismatch { key, what: "the size in the index" });
    }
    match thing.body() {
        Some(record) => check_body_once(blocks, key, record, checked).await,
        None => Ok(()),
    }
}

pub(crate) async fn get(blocks: &dyn ReadBlocks, cid: Cid) -> Result<Block, VerifyError> {
    match blocks.get(&cid).await {
        Ok(Some(block)) => Ok(block),
        Ok(None) => Err(VerifyError::Missing(cid)),
        Err(error) => Err(VerifyError::Index(error.into())),
    }
}

pub(crate) fn index(error: IndexError) -> VerifyError {
    match error {
        IndexError::MissingNode(cid) => VerifyError::Missing(cid),
        other => other.into(),
    }
}

/// The blocks of a CAR, found by where they lie in the file.
pub(crate) struct CarBlocks {
    file: Mutex<Box<dyn Source>>,
    places: HashMap<Cid, Place>,
    /// What the file lists of the past.
    kept: Vec<KeptCommit>,
    unread: Mutex<HashSet<Cid>>,
}

trait Source: Read + Seek + Send {}

impl<R: Read + Seek + Send> Source for R {}

struct Place {
    offset: u64,
    len: usize,
}

impl CarBlocks {
    /// Reads the whole file once, checking every block.
    fn scan(mut file: impl Read + Seek + Send + 'static) -> Result<(Cid, Self), VerifyError> {
        let mut reader = CarReader::new(&mut file)?;
        let root = match reader.roots() {
            [root] => *root,
            roots => return Err(VerifyError::Roots(roots.len())),
        };
        let (mut places, mut kept) = (HashMap::new(), Vec::new());
        while let Some(block) = reader.next_block()? {
            let len = block.data().len();
            kept.extend(KeptCommit::from_block(&block).ok().filter(|_| !places.contains_key(block.cid())));
            places.insert(*block.cid(), Place { offset: reader.offset() - len as u64, len });
        }
        let unread = Mutex::new(places.keys().copied().collect());
        Ok((root, Self { file: Mutex::new(Box::new(file)), places, kept, unread }))
    }

    /// A block that nobody asked for.
    pub(crate) fn unread(&self) -> Option<Cid> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).iter().min().copied()
    }
}

impl fmt::Debug for CarBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarBlocks").field("blocks", &self.places.len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl ReadBlocks for CarBlocks {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        let Some(place) = self.places.get(cid) else { return Ok(None) };
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).remove(cid);
        let mut data = vec![0; place.len];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place.offset)).and_then(|_| file.read_exact(&mut data)).map_err(
            |source| StoreError::Unavailable {
                context: "the CAR file cannot be read",
                source: Box::new(source),
            },
        )?;
        Ok(Some(Block::verify(*cid, data.into())?))
    }
}
