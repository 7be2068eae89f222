//! All blocks of one state of a bucket, as a stream.

use std::collections::{HashSet, VecDeque};

use carob_block::{Block, Cid, ReadBlocks, Store};
use carob_commit::{PartList, Record, TreeValue, Version};
use carob_index::{Tree, Value};
use futures::{Stream, StreamExt, TryStreamExt};
use std::sync::Arc;
use tokio::sync::mpsc;

use crate::snapshot::{block, read_with_block};
use crate::{BucketError, Snapshot};

/// How many blocks wait for a slow reader of an export.
const AHEAD: usize = 4;

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

    async fn export_to(&self, to: &mpsc::Sender<Result<Block, BucketError>>) -> Result<(), BucketError> {
        // An export is whole or none.
        let (trees, _) = self.unpurged().await?;
        let (objects, versions) = (trees.objects.root(), trees.versions.as_ref().map(Tree::root));
        if (objects, versions) != (self.commit().objects, self.commit().versions) {
            let key = self.purged_keys().await?.into_iter().next().unwrap_or_default();
            return Err(BucketError::Purged { key });
        }
        let mut out = Out::new(to);
        let store = self.store();
        out.send(block(&**store, &self.cid()).await?).await;
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
        let Some(tree) = self.versions() else { return Ok(()) };
        let mut versions = tree.cursor();
        versions.seek(b"").await?;
        while let Some((_, entry)) = versions.next().await?.filter(|_| !to.is_closed()) {
            if let Version::Object(record) = out.read(store, tree, &entry.value).await? {
                out.object(store, &record).await?;
            }
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
