//! One bound on the memory of all bodies under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What a budget hands out, and to how many.
#[derive(Debug, Clone, Copy)]
pub struct BudgetOptions {
    /// The most bytes that bodies take together.
    pub bytes: usize,
    /// The most newcomers that wait for their first share; more are turned away at once.
    pub waiting: usize,
    /// The longest that a newcomer waits.
    pub patience: Duration,
}

impl Default for BudgetOptions {
    fn default() -> Self {
        Self { bytes: 128 << 20, waiting: 1024, patience: Duration::from_secs(20) }
    }
}

/// Memory for bodies on their way in or out, handed out in shares, in the order of asking. The clones are one budget.
///
/// A body takes a share for each leaf and gives it back when the leaf is stored or sent. While it waits for one, it
/// holds none that could only come back after it has got it: so all go on, however small the budget.
#[derive(Debug, Clone)]
pub struct Budget(Arc<State>);

#[derive(Debug)]
struct State {
    room: Arc<Semaphore>,
    options: BudgetOptions,
    newcomers: AtomicUsize,
}

impl Budget {
    /// A budget of which nothing is taken yet.
    pub fn new(options: BudgetOptions) -> Self {
        let bytes = options.bytes.clamp(1, Semaphore::MAX_PERMITS);
        let options = BudgetOptions { bytes, ..options };
        Self(Arc::new(State {
            room: Arc::new(Semaphore::new(bytes)),
            options,
            newcomers: AtomicUsize::new(0),
        }))
    }

    /// The bytes that there are to take.
    pub fn total(&self) -> usize {
        self.0.options.bytes
    }

    /// The bytes that are taken now.
    pub fn taken(&self) -> usize {
        self.total().saturating_sub(self.0.room.available_permits())
    }

    /// How many wait for their first share now.
    pub fn waiting(&self) -> usize {
        self.0.newcomers.load(Ordering::Relaxed)
    }

    /// A first share of `bytes`, or of the whole budget if that is less. `None` if too many wait already, or if it did
    /// not come in time.
    pub async fn enter(&self, bytes: usize) -> Option<Share> {
        if let Some(share) = self.try_take(bytes) {
            return Some(share);
        }
        let _newcomer = Newcomer::count(&self.0)?;
        timeout(self.0.options.patience, self.take(bytes)).await.ok()
    }

    /// A further share: a body that was let in is not turned away any more.
    pub(crate) async fn take(&self, bytes: usize) -> Share {
        let permit = Arc::clone(&self.0.room).acquire_many_owned(self.clamp(bytes)).await;
        #[expect(clippy::expect_used, reason = "nobody closes it")]
        Share { _permit: permit.expect("an open semaphore") }
    }

    /// A share, if nobody needs to wait for it. It is taken from nobody who waits already.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Share> {
        let permit = Arc::clone(&self.0.room).try_acquire_many_owned(self.clamp(bytes)).ok()?;
        Some(Share { _permit: permit })
    }

    fn clamp(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.total())).unwrap_or(u32::MAX)
    }
}

/// Bytes of a [`Budget`], given back when dropped.
#[derive(Debug)]
pub struct Share {
    _permit: OwnedSemaphorePermit,
}

impl Share {
    /// Ties the share to bytes: it goes back with the last copy of them.
    pub(crate) fn of(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Shared { bytes, _share: self })
    }
}

struct Shared {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// One that waits for its first share.
struct Newcomer<'a>(&'a AtomicUsize);

impl<'a> Newcomer<'a> {
    fn count(state: &'a State) -> Option<Self> {
        let before = state.newcomers.fetch_add(1, Ordering::Relaxed);
        let counted = Self(&state.newcomers);
        (before < state.options.waiting).then_some(counted)
    }
}

impl Drop for Newcomer<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
