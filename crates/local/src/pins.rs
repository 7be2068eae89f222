//! What sessions rely on, so that no collection takes it away.

use std::collections::HashSet;

use parking_lot::{Mutex, RwLock};

use crate::index::{Held, Index, Key};
use crate::session::{Hold, Sessions};

/// Lets sessions pin blocks while a collection retires segments.
///
/// A session looks a block up and pins it as one step, and a segment is retired as one step, too: what was found in
/// the segment before is known as a pin then, and what is looked up after is not found there.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    /// While a collection is under way: blocks in sealed segments that sessions pinned and it has not yet heard of.
    since: RwLock<Option<Mutex<HashSet<Key>>>>,
}

impl Pins {
    /// Looks a block up, and lets `hold` rely on it.
    pub(crate) fn pin(&self, key: &Key, hold: &Hold, index: &Index) -> Option<Held> {
        let since = self.since.read();
        hold.pin(*key);
        let held = index.pin(key, hold);
        // Whatever is not in a sealed segment comes to one that was not when the collection began.
        if let (Some(since), Some(Held::Sealed(_))) = (&*since, &held) {
            since.lock().insert(*key);
        }
        held
    }

    /// Tells from now on of new pins; the first are those of all open sessions. `false` if someone is told already.
    pub(crate) fn listen(&self, sessions: &Sessions) -> bool {
        let mut since = self.since.write();
        if since.is_some() {
            return false;
        }
        *since = Some(Mutex::new(sessions.pins()));
        true
    }

    /// What was pinned since this was last asked.
    pub(crate) fn news(&self) -> HashSet<Key> {
        self.since.read().as_ref().map(|since| std::mem::take(&mut *since.lock())).unwrap_or_default()
    }

    /// Runs `retire` with what was pinned since this was last asked, and lets nobody look anything up meanwhile.
    pub(crate) fn stop_for<T>(&self, retire: impl FnOnce(HashSet<Key>) -> T) -> T {
        let mut since = self.since.write();
        retire(since.as_mut().map(|since| std::mem::take(since.get_mut())).unwrap_or_default())
    }

    pub(crate) fn stop_listening(&self) {
        *self.since.write() = None;
    }
}
