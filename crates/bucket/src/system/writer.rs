//! The one writer of the `system` tree.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use carob_block::{HeadSwap, StoreError};
use carob_commit::{SYSTEM_HEAD, SystemState};
use carob_identity::{AccountTable, Change, MasterKey, Sealed};
use carob_index::{Params, Salt, Tree};

use super::SystemError;
use super::tree::{self, Edits, META};
use crate::BucketError;
use crate::space::Inner;

/// How often a change is made anew because another process moved the head.
const ATTEMPTS: usize = 8;

/// The version of the tree that this program writes and reads.
const VERSION: u64 = 1;

pub(super) struct Writer {
    space: Arc<Inner>,
    master: Arc<MasterKey>,
    table: Arc<AccountTable>,
    /// The durable tree, which the table shows; `None` if there is none, or it is to be read.
    tip: Option<Tree>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn new(space: Arc<Inner>, master: Arc<MasterKey>, table: Arc<AccountTable>) -> Self {
        Self { space, master, table, tip: None }
    }

    /// Brings the table to what is durable.
    pub(super) async fn load(&mut self) -> Result<(), SystemError> {
        self.tip = None;
        let store = &self.space.store;
        let Some(root) = store.head(SYSTEM_HEAD).await.map_err(BucketError::from)? else {
            return Ok(self.table.load(Vec::new())?);
        };
        let tree = Tree::open(Arc::clone(store) as _, Arc::clone(&self.space.nodes), root).await;
        let tree = tree.map_err(BucketError::from)?;
        let (meta, changes) = tree::read(store, &tree).await?;
        match meta {
            Some(SystemState { v: VERSION, check }) => {
                self.master.open(Sealed::Check, &check).map_err(|_| SystemError::WrongMasterKey)?;
            }
            Some(SystemState { v, .. }) => {
                let found = carob_commit::CommitError::UnknownVersion { what: "system tree", found: v };
                return Err(BucketError::from(found).into());
            }
            None => {
                let missing = std::io::Error::other("the system tree does not say what it is");
                return Err(BucketError::damaged(missing).into());
            }
        }
        self.table.load(changes)?;
        self.tip = Some(tree);
        Ok(())
    }

    /// Makes changes durable, then has them hold; nothing has changed if it fails.
    pub(super) async fn change(&mut self, changes: Vec<Change>) -> Result<(), SystemError> {
        for _ in 0..ATTEMPTS {
            // Against the table as it is now: another process may have come first.
            self.table.check(&changes)?;
            match self.store(&changes).await {
                Ok(tree) => {
                    self.table.apply(changes);
                    self.tip = Some(tree);
                    return Ok(());
                }
                Err(BucketError::Contention) => self.load().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(BucketError::Contention.into())
    }

    /// The durable tree with the changes.
    async fn store(&self, changes: &[Change]) -> Result<Tree, BucketError> {
        let Inner { store, nodes, entropy, .. } = &*self.space;
        let session = store.session();
        let expected = self.tip.as_ref().map(Tree::root);
        let mut first = Edits::default();
        let tree = match &self.tip {
            Some(tree) => tree.clone(),
            None => {
                let mut salt = [0; 16];
                entropy.fill(&mut salt);
                let blocks = Arc::clone(store) as _;
                let (tree, new) = Tree::empty(blocks, Arc::clone(nodes), Salt(salt), Params::default());
                session.put(new).await?;
                let check = self.master.seal(Sealed::Check, &[], &**entropy);
                first.put(Bytes::from_static(META), &SystemState { v: VERSION, check })?;
                tree
            }
        };
        let mut edits = tree::edits(store, &tree, changes).await?;
        edits.entries.extend(first.entries);
        edits.blocks.extend(first.blocks);
        let edited = tree.edit(edits.entries).await?;
        let root = edited.tree.root();
        if Some(root) == expected {
            return Ok(edited.tree);
        }
        edits.blocks.extend(edited.blocks);
        session.put(edits.blocks).await?;
        let swap = HeadSwap { name: SYSTEM_HEAD.to_owned(), expected, next: Some(root) };
        match store.commit(&[&*session], &[swap]).await {
            Ok(()) => Ok(edited.tree),
            Err(StoreError::Conflict { .. }) => Err(BucketError::Contention),
            Err(other) => Err(other.into()),
        }
    }
}
