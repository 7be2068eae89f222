//! A store in memory, stricter than any on disk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use cid::Cid;
use parking_lot::Mutex;

use crate::{
    Block, Collection, HeadSwap, Heads, Marked, ReadBlocks, Session, SessionId, Store, StoreError, Sweep,
    SweepOptions, Swept,
};

/// A store in memory that is stricter than any real one.
///
/// It forgets a block as soon as no session holds it and no commit has made it durable, and it refuses a head
/// that reaches a block it does not durably hold ([`StoreError::Dangling`]). A sweep removes every block that is
/// not live, however few they are. [`MemoryStore::crash`] shows what a power cut would leave.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    blocks: HashMap<Cid, Entry>,
    heads: BTreeMap<String, Cid>,
    /// Durable blocks whose whole closure is durable: walks stop here.
    closed: HashSet<Cid>,
    /// What each open session holds.
    sessions: HashMap<SessionId, HashSet<Cid>>,
    last_session: u64,
    collecting: Option<Collecting>,
    /// Blocks that were erased: what reaches them may be durable without them.
    erased: HashSet<Cid>,
}

/// A collection under way.
#[derive(Debug, Default)]
struct Collecting {
    /// What is to be gone for good.
    erased: HashSet<Cid>,
    marked: HashSet<Cid>,
    /// Held by a session when it began, put or reported present since.
    pinned: HashSet<Cid>,
}

#[derive(Debug)]
struct Entry {
    block: Block,
    durable: bool,
    /// How many sessions hold it.
    pins: usize,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a power cut would leave: durable blocks and heads, no sessions.
    #[must_use]
    pub fn crash(&self) -> Self {
        let state = self.state.lock();
        let blocks = state
            .blocks
            .iter()
            .filter(|(_, entry)| entry.durable)
            .map(|(cid, entry)| (*cid, Entry { block: entry.block.clone(), durable: true, pins: 0 }));
        let next = State {
            blocks: blocks.collect(),
            heads: state.heads.clone(),
            closed: state.closed.clone(),
            erased: state.erased.clone(),
            ..State::default()
        };
        Self { state: Arc::new(Mutex::new(next)) }
    }

    /// Removes a block outright, as a test of how readers treat a damaged store.
    pub fn lose(&self, cid: &Cid) {
        let mut state = self.state.lock();
        state.blocks.remove(cid);
        state.closed.clear();
    }

    /// How many blocks are held, durable or not.
    pub fn block_count(&self) -> usize {
        self.state.lock().blocks.len()
    }
}

impl State {
    /// Makes `session` hold a block that is in `blocks`.
    fn pin(&mut self, session: SessionId, cid: Cid) -> Result<(), StoreError> {
        let held = self.sessions.get_mut(&session).ok_or(StoreError::SessionLost)?;
        if held.insert(cid)
            && let Some(entry) = self.blocks.get_mut(&cid)
        {
            entry.pins += 1;
        }
        if let Some(collecting) = &mut self.collecting {
            collecting.pinned.insert(cid);
        }
        Ok(())
    }

    /// The blocks that nothing needs, and what sweeping them comes to.
    fn dead(&self) -> (Vec<Cid>, Swept) {
        let (mut dead, mut swept) = (Vec::new(), Swept::default());
        let Some(Collecting { marked, pinned, .. }) = &self.collecting else { return (dead, swept) };
        for (cid, entry) in &self.blocks {
            let bytes = entry.block.data().len() as u64;
            if marked.contains(cid) || pinned.contains(cid) {
                swept.live_bytes += bytes;
            } else {
                swept.dead_bytes += bytes;
                dead.push(*cid);
            }
        }
        swept.freed_bytes = swept.dead_bytes;
        (dead, swept)
    }

    /// Everything reachable from `root` that is not known closed, or the first block missing.
    fn closure(&self, root: Cid, sessions: &[SessionId]) -> Result<Vec<Cid>, Cid> {
        let mut seen = HashSet::new();
        let mut todo = vec![root];
        while let Some(cid) = todo.pop() {
            if self.closed.contains(&cid) || !seen.insert(cid) {
                continue;
            }
            let pinned =
                || sessions.iter().any(|id| self.sessions.get(id).is_some_and(|held| held.contains(&cid)));
            match self.blocks.get(&cid).filter(|entry| entry.durable || pinned()) {
                Some(entry) => todo.extend(entry.block.links().map_err(|_| cid)?),
                None if self.erased.contains(&cid) => {}
                None => return Err(cid),
            }
        }
        Ok(seen.into_iter().collect())
    }
}

#[async_trait]
impl ReadBlocks for MemoryStore {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        Ok(self.state.lock().blocks.get(cid).map(|entry| entry.block.clone()))
    }
}

#[async_trait]
impl Heads for MemoryStore {
    async fn head(&self, name: &str) -> Result<Option<Cid>, StoreError> {
        Ok(self.state.lock().heads.get(name).copied())
    }

    async fn heads(&self, prefix: &str) -> Result<Vec<(String, Cid)>, StoreError> {
        let state = self.state.lock();
        let from = state.heads.range(prefix.to_owned()..);
        Ok(from.take_while(|(name, _)| name.starts_with(prefix)).map(|(n, c)| (n.clone(), *c)).collect())
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn session(&self) -> Box<dyn Session> {
        let mut state = self.state.lock();
        state.last_session += 1;
        let id = SessionId(state.last_session);
        state.sessions.insert(id, HashSet::new());
        Box::new(MemorySession { id, state: Arc::clone(&self.state) })
    }

    async fn commit(&self, sessions: &[&dyn Session], swaps: &[HeadSwap]) -> Result<(), StoreError> {
        let ids: Vec<SessionId> = sessions.iter().map(|session| session.id()).collect();
        let mut state = self.state.lock();
        if ids.iter().any(|id| !state.sessions.contains_key(id)) {
            return Err(StoreError::SessionLost);
        }
        for (at, swap) in swaps.iter().enumerate() {
            let actual = state.heads.get(&swap.name).copied();
            if actual != swap.expected || swaps[..at].iter().any(|earlier| earlier.name == swap.name) {
                return Err(StoreError::Conflict { name: swap.name.clone(), actual });
            }
        }
        let mut closed = Vec::new();
        for swap in swaps {
            let Some(next) = swap.next else { continue };
            let closure = state.closure(next, &ids);
            closed.extend(
                closure.map_err(|missing| StoreError::Dangling { name: swap.name.clone(), missing })?,
            );
        }
        state.closed.extend(closed);
        let State { sessions, blocks, .. } = &mut *state;
        for cid in ids.iter().filter_map(|id| sessions.get(id)).flatten() {
            if let Some(entry) = blocks.get_mut(cid) {
                entry.durable = true;
            }
        }
        for swap in swaps {
            match swap.next {
                Some(next) => state.heads.insert(swap.name.clone(), next),
                None => state.heads.remove(&swap.name),
            };
        }
        Ok(())
    }
}

#[async_trait]
impl Sweep for MemoryStore {
    async fn collect(&self) -> Result<Box<dyn Collection>, StoreError> {
        let mut state = self.state.lock();
        if state.collecting.is_some() {
            let source = "another collection is under way".into();
            return Err(StoreError::Unavailable { context: "beginning a collection", source });
        }
        let pinned = state.sessions.values().flatten().copied().collect();
        state.collecting = Some(Collecting { pinned, ..Collecting::default() });
        Ok(Box::new(MemoryCollection { state: Arc::clone(&self.state) }))
    }

    fn size(&self) -> u64 {
        self.state.lock().blocks.values().map(|entry| entry.block.data().len() as u64).sum()
    }
}

#[derive(Debug)]
struct MemoryCollection {
    state: Arc<Mutex<State>>,
}

#[async_trait]
impl Collection for MemoryCollection {
    async fn mark(&self, cids: &[Cid]) -> Result<Marked, StoreError> {
        let State { blocks, collecting, .. } = &mut *self.state.lock();
        let (mut answer, collecting) = (Marked::default(), collecting.get_or_insert_default());
        for cid in cids {
            if !blocks.contains_key(cid) {
                answer.missing.push(*cid);
            } else if collecting.marked.insert(*cid) {
                answer.new.push(*cid);
            }
        }
        Ok(answer)
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.collecting.get_or_insert_default().erased.extend(cids);
        Ok(())
    }

    async fn survey(&self, _options: &SweepOptions) -> Result<Swept, StoreError> {
        Ok(self.state.lock().dead().1)
    }

    async fn sweep(self: Box<Self>, _options: &SweepOptions) -> Result<Swept, StoreError> {
        let mut state = self.state.lock();
        let (dead, swept) = state.dead();
        for cid in dead {
            state.blocks.remove(&cid);
        }
        let erased = state.collecting.as_mut().map(|collecting| std::mem::take(&mut collecting.erased));
        state.erased.extend(erased.unwrap_or_default());
        // A closure that nothing reaches any more may have lost blocks.
        state.closed.clear();
        Ok(swept)
    }
}

impl Drop for MemoryCollection {
    fn drop(&mut self) {
        self.state.lock().collecting = None;
    }
}

#[derive(Debug)]
struct MemorySession {
    id: SessionId,
    state: Arc<Mutex<State>>,
}

#[async_trait]
impl Session for MemorySession {
    fn id(&self) -> SessionId {
        self.id
    }

    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        for block in blocks {
            let fresh = || Entry { block: block.clone(), durable: false, pins: 0 };
            state.blocks.entry(*block.cid()).or_insert_with(fresh);
            state.pin(self.id, *block.cid())?;
        }
        Ok(())
    }

    async fn missing(&self, cids: &[Cid]) -> Result<Vec<Cid>, StoreError> {
        let mut state = self.state.lock();
        let mut missing = Vec::new();
        for cid in cids {
            if state.blocks.contains_key(cid) {
                state.pin(self.id, *cid)?;
            } else {
                missing.push(*cid);
            }
        }
        Ok(missing)
    }
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        for cid in state.sessions.remove(&self.id).into_iter().flatten() {
            let Some(entry) = state.blocks.get_mut(&cid) else { continue };
            entry.pins -= 1;
            if entry.pins == 0 && !entry.durable {
                state.blocks.remove(&cid);
            }
        }
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::Codec;
    use crate::conformance::{Harness, SweepHarness, run, run_sweep};
    use crate::fault::FaultyStore;
    use bytes::Bytes;

    struct InMemory {
        latest: MemoryStore,
        decorated: bool,
    }

    impl InMemory {
        fn handle(&self) -> Arc<dyn Sweep> {
            let store = Arc::new(self.latest.clone());
            if self.decorated { Arc::new(FaultyStore::over(store)) } else { store }
        }
    }

    #[async_trait]
    impl Harness for InMemory {
        async fn fresh(&mut self) -> Arc<dyn Store> {
            self.latest = MemoryStore::new();
            self.handle()
        }

        async fn crash(&mut self) -> Arc<dyn Store> {
            self.latest = self.latest.crash();
            self.handle()
        }
    }

    #[async_trait]
    impl SweepHarness for InMemory {
        async fn fresh(&mut self) -> Arc<dyn Sweep> {
            self.latest = MemoryStore::new();
            self.handle()
        }

        async fn crash(&mut self) -> Arc<dyn Sweep> {
            self.latest = self.latest.crash();
            self.handle()
        }
    }

    #[tokio::test]
    async fn memory_store_conforms_bare_and_decorated() {
        for decorated in [false, true] {
            run(&mut InMemory { latest: MemoryStore::new(), decorated }).await;
            run_sweep(&mut InMemory { latest: MemoryStore::new(), decorated }).await;
        }
    }

    #[tokio::test]
    async fn a_sweep_takes_whatever_share_is_dead_and_what_was_closed_is_looked_at_again() {
        let store = MemoryStore::new();
        let session = store.session();
        let (kept, dead) = (Block::new(Codec::Raw, "kept".into()), Block::new(Codec::Raw, "dead".into()));
        let (kept, dead) = (kept.unwrap(), dead.unwrap());
        session.put(vec![kept.clone(), dead.clone()]).await.unwrap();
        let swap = |name: &str, block: &Block| {
            [HeadSwap { name: name.into(), expected: None, next: Some(*block.cid()) }]
        };
        store.commit(&[&*session], &swap("dead", &dead)).await.unwrap();
        drop(session);
        let collection = store.collect().await.unwrap();
        assert_eq!(collection.mark(&[*kept.cid()]).await.unwrap().new, [*kept.cid()]);
        let options = SweepOptions { dead_percent: 100, bytes_per_second: Some(1) };
        let swept = collection.sweep(&options).await.unwrap();
        assert_eq!((swept.live_bytes, swept.dead_bytes, store.block_count()), (4, 4, 1));
        let dangling = store.commit(&[], &swap("again", &dead)).await;
        assert!(matches!(dangling, Err(StoreError::Dangling { .. })));
    }

    #[tokio::test]
    async fn a_head_over_unflushed_blocks_is_refused() {
        let store = MemoryStore::new();
        let block = Block::new(Codec::Raw, Bytes::from_static(b"x")).unwrap();
        let (holder, other) = (store.session(), store.session());
        holder.put(vec![block.clone()]).await.unwrap();
        let swaps = [HeadSwap { name: "h".into(), expected: None, next: Some(*block.cid()) }];
        let err = store.commit(&[&*other], &swaps).await.unwrap_err();
        assert!(matches!(err, StoreError::Dangling { .. }));
        drop(holder);
        assert_eq!(store.block_count(), 0, "an abandoned session leaves nothing");
    }
}
