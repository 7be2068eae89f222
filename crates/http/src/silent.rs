//! Connections on which nothing was asked yet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::task::AbortHandle;

/// The connections that have not sent the head of a request, in the order in which they came. The clones are one.
///
/// When there is no room for another connection, the oldest of them makes some: whoever opens connections and says nothing
/// keeps nobody out, and nobody's request is lost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Silent(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    last: u64,
    tasks: BTreeMap<u64, AbortHandle>,
}

impl Silent {
    /// A place for a new connection.
    pub(crate) fn place(&self) -> Arc<Place> {
        let mut entries = self.0.lock();
        entries.last += 1;
        Arc::new(Place { silent: self.clone(), id: entries.last, left: AtomicBool::new(false) })
    }

    pub(crate) fn any(&self) -> bool {
        !self.0.lock().tasks.is_empty()
    }

    /// Ends the oldest; false if there is none.
    pub(crate) fn end_oldest(&self) -> bool {
        let oldest = self.0.lock().tasks.pop_first();
        oldest.is_some_and(|(_, task)| {
            task.abort();
            true
        })
    }
}

/// The place of a connection among the silent ones. The end of the connection leaves it, too.
#[derive(Debug)]
pub(crate) struct Place {
    silent: Silent,
    id: u64,
    left: AtomicBool,
}

impl Place {
    /// Says which task it is, unless it has left already.
    pub(crate) fn take(&self, task: AbortHandle) {
        let mut entries = self.silent.0.lock();
        if !self.left.load(Ordering::Relaxed) {
            entries.tasks.insert(self.id, task);
        }
    }

    /// The connection is silent no more.
    pub(crate) fn leave(&self) {
        if !self.left.load(Ordering::Relaxed) {
            let mut entries = self.silent.0.lock();
            self.left.store(true, Ordering::Relaxed);
            entries.tasks.remove(&self.id);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}
