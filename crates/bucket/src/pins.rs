//! Roots that readers hold: a collection leaves whatever they reach.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use carob_block::Cid;
use parking_lot::Mutex;

/// The roots that are held now. The clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pins(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// How many times each root is held.
    held: HashMap<Cid, usize>,
    /// While a collection is under way: every root that was held since it asked last.
    seen: Option<HashSet<Cid>>,
}

/// Holds a root until the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Pin(#[expect(dead_code, reason = "it is there to be dropped")] Arc<Hold>);

#[derive(Debug)]
struct Hold {
    root: Cid,
    pins: Pins,
}

/// Has every root remembered that is held meanwhile, released or not.
#[derive(Debug)]
pub(crate) struct Remembering(Pins);

impl Pins {
    pub(crate) fn pin(&self, root: Cid) -> Pin {
        let mut table = self.0.lock();
        *table.held.entry(root).or_default() += 1;
        if let Some(seen) = &mut table.seen {
            seen.insert(root);
        }
        Pin(Arc::new(Hold { root, pins: self.clone() }))
    }

    /// Begins with those that are held now. One at a time: collections exclude one another.
    pub(crate) fn remember(&self) -> Remembering {
        let mut table = self.0.lock();
        table.seen = Some(table.held.keys().copied().collect());
        Remembering(self.clone())
    }
}

impl Remembering {
    /// The roots held since the last call.
    pub(crate) fn take(&self) -> Vec<Cid> {
        self.0.0.lock().seen.as_mut().map(std::mem::take).unwrap_or_default().into_iter().collect()
    }
}

impl Drop for Remembering {
    fn drop(&mut self) {
        self.0.0.lock().seen = None;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut table = self.pins.0.lock();
        if let Some(count) = table.held.get_mut(&self.root) {
            *count -= 1;
            if *count == 0 {
                table.held.remove(&self.root);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carob_block::{Block, Codec};

    fn root(n: u8) -> Cid {
        *Block::new(Codec::Raw, vec![n].into()).unwrap().cid()
    }

    #[test]
    fn a_root_is_held_until_its_last_clone_goes() {
        let pins = Pins::default();
        let (pin, other) = (pins.pin(root(1)), pins.pin(root(1)));
        let clone = pin.clone();
        drop((pin, other));
        assert_eq!(pins.remember().take(), [root(1)]);
        drop(clone);
        assert_eq!(pins.remember().take(), []);
    }

    #[test]
    fn what_is_held_meanwhile_is_remembered_though_it_is_released() {
        let pins = Pins::default();
        let before = pins.pin(root(1));
        let remembering = pins.remember();
        drop((before, pins.pin(root(2))));
        let mut seen = remembering.take();
        seen.sort_unstable();
        let mut expected = [root(1), root(2)];
        expected.sort_unstable();
        assert_eq!(seen, expected);
        assert_eq!(remembering.take(), []);
        drop(pins.pin(root(3)));
        assert_eq!(remembering.take(), [root(3)]);
    }
}
