//! The thread that writes and flushes.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::Checkpoint;
use crate::failure::Failure;
use crate::group::{self, Group};
use crate::index::{Held, Key, Place};
use crate::indexer::Indexer;
use crate::log::Log;
use crate::queue::{Chore, Commit, Put, Request};
use crate::record::{Removal, Swap};
use crate::store::Shared;

/// How long a group waits for commits that the one before it suggests are about to come. Short beside a
/// flush, long beside a task's way from its last put to its commit.
const PATIENCE: Duration = Duration::from_micros(200);

/// How many bytes may be written while commits wait for others.
const PATIENCE_BYTES: u64 = 4 * 1024 * 1024;

/// How many bytes are written at most before their flush begins, though nobody commits them yet: the disk works while a
/// long body still comes in, and its commit finds little left to flush.
const FLUSH_BYTES: u32 = 4 * 1024 * 1024;

/// Heads are written down once the log has grown by so many times what they take.
const CHECKPOINT_SHARE: u64 = 16;

/// What a head takes, about.
const HEAD_SIZE: u64 = 100;

/// The only one that writes: a thread that turns what waits into groups, each with one flush.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    log: Log,
    indexer: Indexer,
    /// Bytes sealed since the heads were last written down.
    since_checkpoint: u64,
    /// The sequence number of the last durable record.
    seq: u64,
    /// Whether the log ends with the record that [`Writer::finish`] writes.
    finished: bool,
    /// How many segments there were when the disk was last asked for its free space.
    begun: u32,
    /// Blocks in the index that are not known to be durable.
    unflushed: Vec<(Key, Place)>,
    /// Commits that wait for the next group.
    deferred: Vec<Commit>,
    /// How many commits the last group had.
    last_group: usize,
}

/// Lets waiting callers know when the writer stops, even by a panic.
struct Stopping<'a>(&'a Shared);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, log: Log, indexer: Indexer, seq: u64, finished: bool) -> Self {
        let log_begun = log.begun();
        let mut writer = Self {
            shared,
            log,
            indexer,
            since_checkpoint: 0,
            seq,
            finished,
            begun: log_begun,
            unflushed: Vec::new(),
            deferred: Vec::new(),
            last_group: 0,
        };
        writer.publish_counts();
        writer
    }

    /// Works until the queue is closed and drained, then leaves the log complete.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let _stopping = Stopping(&shared);
        loop {
            let requests = if self.deferred.is_empty() {
                match shared.queue.take() {
                    Some(requests) => requests,
                    None => return self.finish(),
                }
            } else {
                shared.queue.take_soon(Duration::ZERO)
            };
            self.serve(requests);
        }
    }

    /// One group: writes all blocks that wait, then makes all commits that wait durable together.
    fn serve(&mut self, mut requests: Vec<Request>) {
        let mut commits = std::mem::take(&mut self.deferred);
        let mut chores = Vec::new();
        let begin = self.log.bytes();
        loop {
            let mut puts = Vec::new();
            for request in requests {
                match request {
                    Request::Put(put) => puts.push(put),
                    Request::Commit(commit) => commits.push(commit),
                    Request::Chore(chore) => chores.push(chore),
                }
            }
            self.put(&puts);
            let enough =
                commits.len() >= self.last_group || self.log.bytes().saturating_sub(begin) > PATIENCE_BYTES;
            if commits.is_empty() || enough {
                break;
            }
            // Those whose blocks were just written are about to commit them, and may share the flush.
            requests = self.shared.queue.take_soon(PATIENCE);
            if requests.is_empty() {
                break;
            }
        }
        if !commits.is_empty() {
            self.last_group = commits.len();
            self.commit(commits);
        }
        for chore in chores {
            match chore {
                Chore::Rotate(reply) => {
                    self.rotate();
                    self.publish_counts();
                    self.indexer.reply(reply);
                }
                Chore::Remove(reply) => match self.remove_retired() {
                    Ok(segments) => {
                        self.publish_counts();
                        self.indexer.remove(segments, reply);
                    }
                    Err(error) => {
                        let failure = self.fail(error);
                        let _ = reply.send(Err(failure.to_store_error()));
                    }
                },
            }
        }
    }

    fn rotate(&mut self) {
        match self.log.rotate() {
            Ok(()) => {
                self.unflushed.clear();
                self.index_sealed();
            }
            Err(error) if self.log.needs_fence() => {
                self.fail(error);
            }
            Err(error) => tracing::warn!(%error, "no new segment for a collection: the open one is left out"),
        }
    }

    /// Makes it durable that the retired segments are gone, and which heads there are, whose records may be in them.
    fn remove_retired(&mut self) -> io::Result<Vec<u32>> {
        let retired = self.shared.segments.extents.retired();
        if retired.is_empty() {
            return Ok(Vec::new());
        }
        let (since, gone) = (self.seq, self.shared.segments.extents.gone_with_retired());
        if gone.size() > group::RECORD_LIMIT / 2 {
            return Err(io::Error::other("too many gaps between the segments"));
        }
        let heads = self.shared.heads().into_iter().map(|(name, cid)| Swap { cid: Some(cid), name });
        let mut records = group::records(heads, &gone);
        let last = records.pop().unwrap_or_default();
        for record in records {
            self.make_durable(record, None)?;
        }
        self.make_durable(last, Some(Removal { since, segments: gone.clone() }))?;
        self.shared.segments.extents.remove(gone);
        self.log.forget(retired.iter().map(|(_, end)| u64::from(*end)).sum());
        Ok(retired.into_iter().map(|(segment, _)| segment).collect())
    }

    fn put(&mut self, puts: &[Put]) {
        if puts.is_empty() {
            return;
        }
        if let Err(error) = self.write_blocks(puts) {
            let failure = self.fail(error);
            self.give_up(puts, &failure);
        }
        self.publish_counts();
    }

    fn write_blocks(&mut self, puts: &[Put]) -> io::Result<()> {
        let (mut fresh, durable) = (HashMap::new(), self.log.durable());
        for put in puts {
            for block in &put.blocks {
                let Some(key) = Key::of(block.cid()) else { continue };
                if put.hold.is_lost() {
                    self.shared.index.unqueue(&key);
                    continue;
                }
                if self.is_written(&key, put) {
                    continue;
                }
                let place = match fresh.get(&key) {
                    Some(place) => *place,
                    None => {
                        let place = self.log.append(block)?;
                        self.finished = false;
                        fresh.insert(key, place);
                        place
                    }
                };
                put.hold.depend_on(place.at);
            }
        }
        self.log.write()?;
        for (key, place) in fresh {
            self.shared.index.insert(key, place);
            self.unflushed.push((key, place));
        }
        if self.log.unflushed() >= FLUSH_BYTES {
            self.log.flush_behind()?;
        }
        if self.log.durable() != durable {
            let durable = self.log.durable();
            self.unflushed.retain(|(_, place)| place.at > durable);
        }
        self.index_sealed();
        Ok(())
    }

    /// Whether a block is in the log; if so, `hold` depends on it. Should that not be readable, it is written again.
    fn is_written(&self, key: &Key, put: &Put) -> bool {
        let look = || self.shared.index.pin(key, &put.hold);
        let held = if put.copy { Ok(look()) } else { self.shared.find(key, look) };
        match held {
            Ok(Some(Held::At(_))) => true,
            Ok(Some(Held::Sealed(_))) => !put.copy,
            Ok(Some(Held::Queued(_)) | None) | Err(_) => false,
        }
    }

    /// Hands on the segments that got a successor. The heads must be those of all records in them.
    fn index_sealed(&mut self) {
        for sealed in self.log.take_sealed() {
            self.shared.segments.extents.seal(sealed.end);
            self.since_checkpoint += u64::from(sealed.end.offset);
            let heads = self.shared.heads();
            let due = self.since_checkpoint >= CHECKPOINT_SHARE * HEAD_SIZE * heads.len() as u64;
            let gone = self.shared.segments.extents.gone();
            let checkpoint = due.then(|| Checkpoint::new(self.shared.log, sealed.end, self.seq, heads, gone));
            self.since_checkpoint *= u64::from(checkpoint.is_none());
            self.indexer.index(sealed, checkpoint);
        }
    }

    /// Loses the sessions of blocks that will not be written.
    fn give_up(&self, puts: &[Put], failure: &Failure) {
        for put in puts {
            let keys = put.blocks.iter().filter_map(|block| Key::of(block.cid()));
            keys.for_each(|key| self.shared.index.unqueue(&key));
            put.hold.lose(failure);
        }
    }

    fn commit(&mut self, commits: Vec<Commit>) {
        let group = Group::admit(commits, &self.shared, self.log.durable());
        self.deferred = group.deferred;
        if group.commits.is_empty() {
            return;
        }
        match self.make_durable(group.swaps.clone(), None) {
            Ok(()) => {
                self.shared.move_heads(group.swaps);
                self.publish_counts();
                for commit in group.commits {
                    let _ = commit.reply.send(Ok(()));
                }
            }
            Err(error) => {
                let failure = self.fail(error);
                for commit in group.commits {
                    let _ = commit.reply.send(Err(failure.to_store_error()));
                }
            }
        }
    }

    fn make_durable(&mut self, swaps: Vec<Swap>, gone: Option<Removal>) -> io::Result<()> {
        let moves = !swaps.is_empty() || gone.is_some();
        if moves {
            self.log.append_record(self.seq + 1, swaps, gone)?;
            // Before the record counts, which stands in the segment after these.
            self.index_sealed();
            self.finished = false;
        }
        self.log.flush()?;
        self.seq += u64::from(moves);
        self.unflushed.clear();
        Ok(())
    }

    /// After a failed write or flush: nothing that was not durable before counts any more.
    fn fail(&mut self, error: io::Error) -> Failure {
        tracing::error!(%error, "writing the log failed; what was not durable is given up");
        let failure = Failure::new(error);
        let durable = self.log.durable();
        // What waits may have been found by sessions that rely on what is lost now.
        self.give_up(&self.shared.queue.take_puts(), &failure);
        // First out of the index, then the sessions: one that finds a block before is marked here.
        for (key, place) in self.unflushed.drain(..).filter(|(_, place)| place.at > durable) {
            debug_assert!(
                matches!(self.shared.index.get(&key), Some(Held::At(at)) if at == place),
                "an unflushed block moved"
            );
            self.shared.index.remove(&key);
        }
        self.shared.sessions.lose_past(durable);
        // Before anyone hears of the failure, so that what failed cannot come back.
        self.log.fence();
        self.index_sealed();
        self.publish_counts();
        failure
    }

    /// Ends the log with a record of no swaps. It shows that everything before it was once durable, so that
    /// damage to the last commits is not taken for an unfinished write.
    fn finish(mut self) -> io::Result<()> {
        if !self.finished {
            self.log.flush()?;
            self.log.append_record(self.seq + 1, Vec::new(), None)?;
            self.index_sealed();
            self.seq += 1;
        }
        self.log.end()?;
        // However little there is since the last time: whoever opens the store next need not read it.
        self.since_checkpoint = u64::MAX / 2;
        self.index_sealed();
        self.publish_counts();
        Ok(())
    }

    fn publish_counts(&mut self) {
        if self.begun != self.log.begun() {
            self.begun = self.log.begun();
            self.shared.space.ask();
        }
        let segments = self.log.durable().segment - self.shared.segments.extents.gone_count();
        self.shared.counts.publish(segments, &self.log);
    }
}
