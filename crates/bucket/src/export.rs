//! All blocks of one state of a bucket, as a stream.

use std::collections::{HashSet, VecDeque};

use carob_block::{Block, Cid, ReadBlocks, Store};
use carob_commit::{PartList, Record, TreeValue, Version};
use carob_index::{NodeCache, Tree, Value};
use futures::{Stream, StreamExt, TryStreamExt};
use std::sync::Arc;
use tokio::sync::mpsc;

use crate::snapshot::{block, read_with_block};
use crate::{BucketError, KeptStates, Snapshot};

/// How many blocks wait for a slow reader of an export.
const AHEAD: usize = 4;

/// Memory for decoded nodes of past states, in bytes.
const NODES: u64 = 4 << 20;

/// How many bodies are remembered so as not to be written twice. Beyond that a block may come again, which
/// CAR readers accept.
const REMEMBERED: usize = 65_536;

impl Snapshot {
    /// Every block that this state is made of: the commit, the configuration, the nodes of the trees, then for each
    /// object and each noncurrent version in key order its record (where it has a block of its own), body and outboards. Self-contained, and in bounded
    /// memory however large the bucket is.
    pub fn export(&self) -> impl Stream<Item = Result<Block, BucketError>> + Send + 'static {
        let snapshot = self.clone();
        walk(|to| async move { snapshot.export_to(&to).await })
    }

    /// Every block of an object's body: body, part list and outboards.
    pub fn body_blocks(
        &self,
        record: Record,
    ) -> impl Stream<Item = Result<Block, BucketError>> + Send + 'static {
        let store = Arc::clone(self.store());
        walk(|to| async move { Out::new(&to).object(&store, &record).await })
    }

    /// Whether it can be exported: whole, or not at all.
    ///
    /// # Errors
    /// [`BucketError::Purged`]; [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn check_whole(&self) -> Result<(), BucketError> {
        if self.is_whole().await? {
            return Ok(());
        }
        let key = self.purged_keys().await?.into_iter().next().unwrap_or_default();
        Err(BucketError::Purged { key })
    }

    async fn export_to(&self, to: &mpsc::Sender<Result<Block, BucketError>>) -> Result<(), BucketError> {
        // An export is whole or none.
        self.check_whole().await?;
        let mut out = Out::new(to);
        out.send(block(&**self.store(), &self.cid()).await?).await;
        self.content_to(&mut out).await
    }

    /// What the commit reaches.
    async fn content_to(&self, out: &mut Out<'_>) -> Result<(), BucketError> {
        let (store, to) = (self.store(), out.to);
        if let Some(config) = &self.commit().config {
            out.send(block(&**store, config).await?).await;
        }
        for tree in [Some(self.tree()), self.versions()].into_iter().flatten() {
            let mut nodes = tree.nodes();
            while let Some(node) = nodes.next().await? {
                out.send(node.block).await;
            }
        }
        let mut objects = self.tree().cursor();
        objects.seek(b"").await?;
        while let Some((_, entry)) = objects.next().await?.filter(|_| !to.is_closed()) {
            let record: Record = out.read(store, self.tree(), &entry.value).await?;
            out.object(store, &record).await?;
        }
        match self.versions() {
            Some(tree) => out.versions(store, tree).await,
            None => Ok(()),
        }
    }

    /// What the commit reaches and a later state does not, or not under the same keys.
    async fn rest_to(&self, later: &Self, out: &mut Out<'_>) -> Result<(), BucketError> {
        let store = self.store();
        if let Some(config) = self.commit().config.filter(|config| later.commit().config != Some(*config)) {
            out.send(block(&**store, &config).await?).await;
        }
        for (tree, known) in [(Some(self.tree()), Some(later.tree())), (self.versions(), later.versions())] {
            let Some(tree) = tree else { continue };
            let mut nodes = known.map_or_else(|| tree.nodes(), |known| tree.nodes_since(known));
            while let Some(node) = nodes.next().await? {
                out.send(node.block).await;
            }
        }
        let mut objects = later.tree().diff(self.tree());
        while let Some(change) = objects.next().await?.filter(|_| !out.to.is_closed()) {
            if let Some(entry) = change.new {
                let record: Record = out.read(store, self.tree(), &entry.value).await?;
                out.object(store, &record).await?;
            }
        }
        let Some(tree) = self.versions() else { return Ok(()) };
        let Some(known) = later.versions() else { return out.versions(store, tree).await };
        let mut versions = known.diff(tree);
        while let Some(change) = versions.next().await?.filter(|_| !out.to.is_closed()) {
            if let Some(entry) = change.new {
                out.version(store, tree, &entry.value).await?;
            }
        }
        Ok(())
    }
}

impl KeptStates {
    /// Every block of the newest state and of those before it: first all [commits](KeptStates::commits), then what the
    /// newest reaches as in [`Snapshot::export`], then for each of the others what the one after it has not. In memory
    /// bounded but for the list of states.
    pub fn export(self) -> impl Stream<Item = Result<Block, BucketError>> + Send + 'static {
        walk(|to| async move { self.export_to(&to).await })
    }

    async fn export_to(&self, to: &mpsc::Sender<Result<Block, BucketError>>) -> Result<(), BucketError> {
        let mut out = Out::new(to);
        let mut commits = std::pin::pin!(self.commits());
        while let Some(block) = commits.try_next().await? {
            out.send(block).await;
        }
        self.newest.content_to(&mut out).await?;
        let nodes = Arc::new(NodeCache::new(NODES));
        let mut later = self.newest.clone();
        for (kept, _) in self.past.iter().filter(|_| !to.is_closed()) {
            let state = Snapshot::load(self.newest.store(), &nodes, kept.commit).await?;
            state.rest_to(&later, &mut out).await?;
            later = state;
        }
        Ok(())
    }
}

struct Out<'a> {
    to: &'a mpsc::Sender<Result<Block, BucketError>>,
    seen: HashSet<Cid>,
    order: VecDeque<Cid>,
}

/// What a walk sends, as a stream.
fn walk<F>(
    walk: impl FnOnce(mpsc::Sender<Result<Block, BucketError>>) -> F,
) -> impl Stream<Item = Result<Block, BucketError>> + Send + 'static
where
    F: Future<Output = Result<(), BucketError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(AHEAD);
    let walked = walk(sender.clone());
    let walk = async move {
        if let Err(error) = walked.await {
            _ = sender.send(Err(error)).await;
        }
    };
    let received = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|block| (block, receiver))
    });
    // The walk runs only while the stream is polled, and ends with it.
    let walk = futures::stream::once(walk).filter_map(|()| async { None });
    futures::stream::select(received, walk)
}

impl<'a> Out<'a> {
    fn new(to: &'a mpsc::Sender<Result<Block, BucketError>>) -> Self {
        Self { to, seen: HashSet::new(), order: VecDeque::new() }
    }

    async fn send(&self, block: Block) {
        // A reader that has gone away is noticed by the walk.
        _ = self.to.send(Ok(block)).await;
    }

    /// Reads a value of a tree; the block that it has of its own goes out.
    async fn read<T: TreeValue>(
        &self,
        store: &Arc<dyn Store>,
        tree: &Tree,
        value: &Value,
    ) -> Result<T, BucketError> {
        let (thing, own) = read_with_block(store, tree, value).await?;
        if let Some(block) = own {
            self.send(block).await;
        }
        Ok(thing)
    }

    /// What all entries of a tree of versions reach.
    async fn versions(&mut self, store: &Arc<dyn Store>, tree: &Tree) -> Result<(), BucketError> {
        let mut versions = tree.cursor();
        versions.seek(b"").await?;
        while let Some((_, entry)) = versions.next().await?.filter(|_| !self.to.is_closed()) {
            self.version(store, tree, &entry.value).await?;
        }
        Ok(())
    }

    async fn version(
        &mut self,
        store: &Arc<dyn Store>,
        tree: &Tree,
        value: &Value,
    ) -> Result<(), BucketError> {
        match self.read(store, tree, value).await? {
            Version::Object(record) => self.object(store, &record).await,
            Version::DeleteMarker(_) => Ok(()),
        }
    }

    /// Body, part list and outboards.
    async fn object(&mut self, store: &Arc<dyn Store>, record: &Record) -> Result<(), BucketError> {
        self.file(Arc::clone(store) as _, record.content).await?;
        let mut outboards: Vec<Cid> = record.blake3.iter().filter_map(|root| root.outboard).collect();
        if let Some(parts) = record.parts {
            let parts = block(&**store, &parts).await?;
            outboards = PartList::from_block(&parts)?.0.iter().filter_map(|p| p.blake3.outboard).collect();
            self.send(parts).await;
        }
        for outboard in outboards {
            self.file(Arc::clone(store) as _, outboard).await?;
        }
        Ok(())
    }

    /// All blocks of a UnixFS file, unless it went out a short while ago.
    async fn file(&mut self, store: Arc<dyn ReadBlocks>, root: Cid) -> Result<(), BucketError> {
        if !self.seen.insert(root) {
            return Ok(());
        }
        self.order.push_back(root);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        let mut blocks = std::pin::pin!(carob_object::blocks(store, root));
        while let Some(block) = blocks.try_next().await? {
            self.send(block).await;
        }
        Ok(())
    }
}
