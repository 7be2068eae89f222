//! Which sealed segments there are, and where they end.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::blank::Blank;
use crate::gone::Gone;
use crate::record::Position;

/// The sealed segments, and those that were removed.
#[derive(Debug, Default)]
pub(crate) struct Extents {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    sealed: BTreeMap<u32, Extent>,
    gone: Gone,
}

#[derive(Debug, Clone)]
struct Extent {
    end: u32,
    /// How many bytes it takes: less than up to its end once it was hollowed.
    held: u32,
    /// The blanks in it, in order, as far as they are known.
    blanks: Arc<[Blank]>,
    role: Role,
}

/// Who knows a segment's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Memory alone: it has no index yet.
    Remembered,
    /// Its index.
    Indexed,
    /// Nobody: all that is live in it is elsewhere, too, and it may be removed.
    Retired,
}

impl Extents {
    /// Adds a segment that ends at `end`.
    pub(crate) fn seal(&self, end: Position) {
        let extent =
            Extent { end: end.offset, held: end.offset, blanks: Arc::default(), role: Role::Remembered };
        self.state.write().sealed.insert(end.segment, extent);
    }

    /// A sealed segment has its index now.
    pub(crate) fn index(&self, segment: u32) {
        self.set_role(segment, Role::Indexed);
    }

    /// Nothing in a segment is needed any more.
    pub(crate) fn retire(&self, segment: u32) {
        self.set_role(segment, Role::Retired);
    }

    /// A segment takes so many bytes of the disk.
    pub(crate) fn hold(&self, segment: u32, allocated: u64) {
        if let Some(extent) = self.state.write().sealed.get_mut(&segment) {
            extent.held = u32::try_from(allocated).map_or(extent.end, |held| held.min(extent.end));
        }
    }

    /// How many bytes a sealed segment takes.
    pub(crate) fn held(&self, segment: u32) -> u32 {
        self.state.read().sealed.get(&segment).map_or(0, |extent| extent.held)
    }

    /// How many bytes the segments take less than they are long.
    pub(crate) fn hollow_bytes(&self) -> u64 {
        self.state.read().sealed.values().map(|extent| u64::from(extent.end - extent.held)).sum()
    }

    /// The blanks of a segment, as far as they are known.
    pub(crate) fn blanks(&self, segment: u32) -> Arc<[Blank]> {
        self.state.read().sealed.get(&segment).map(|extent| Arc::clone(&extent.blanks)).unwrap_or_default()
    }

    /// A segment has these blanks, or is to have them: nothing is looked for in them from now on. In order; others that
    /// they touch are gone.
    pub(crate) fn hide(&self, segment: u32, blanks: &[Blank]) {
        let mut state = self.state.write();
        let Some(extent) = state.sealed.get_mut(&segment).filter(|_| !blanks.is_empty()) else { return };
        let covered = |old: &Blank| {
            let next = blanks.partition_point(|blank| blank.end() <= old.start);
            blanks.get(next).is_some_and(|blank| blank.start < old.end())
        };
        let others = extent.blanks.iter().filter(|old| !covered(old));
        let mut all: Vec<Blank> = others.chain(blanks).copied().collect();
        all.sort_unstable();
        extent.blanks = all.into();
    }

    /// Whether what begins there in a segment is, or was, where a blank is.
    pub(crate) fn hides(&self, segment: u32, offset: u32) -> bool {
        let state = self.state.read();
        let Some(extent) = state.sealed.get(&segment) else { return false };
        let before = extent.blanks.partition_point(|blank| blank.start <= offset).checked_sub(1);
        before.and_then(|nth| extent.blanks.get(nth)).is_some_and(|blank| offset < blank.end())
    }

    fn set_role(&self, segment: u32, role: Role) {
        if let Some(extent) = self.state.write().sealed.get_mut(&segment) {
            extent.role = role;
        }
    }

    /// Where a sealed segment ends that is still in use.
    pub(crate) fn end_of(&self, segment: u32) -> Option<u32> {
        let state = self.state.read();
        state.sealed.get(&segment).filter(|extent| extent.role != Role::Retired).map(|extent| extent.end)
    }

    /// The segments that have their index, and where they end.
    pub(crate) fn indexed(&self) -> Vec<(u32, u32)> {
        self.with_role(Role::Indexed)
    }

    /// The segments that nobody needs, and where they end.
    pub(crate) fn retired(&self) -> Vec<(u32, u32)> {
        self.with_role(Role::Retired)
    }

    fn with_role(&self, role: Role) -> Vec<(u32, u32)> {
        let state = self.state.read();
        let those = state.sealed.iter().filter(|(_, extent)| extent.role == role);
        those.map(|(segment, extent)| (*segment, extent.end)).collect()
    }

    pub(crate) fn gone(&self) -> Gone {
        self.state.read().gone.clone()
    }

    /// How many segments are gone.
    pub(crate) fn gone_count(&self) -> u32 {
        self.state.read().gone.count()
    }

    /// What is gone once the retired segments are.
    pub(crate) fn gone_with_retired(&self) -> Gone {
        let state = self.state.read();
        let mut gone = state.gone.clone();
        for (segment, _) in state.sealed.iter().filter(|(_, extent)| extent.role == Role::Retired) {
            let before = state.sealed.get(&(segment - 1));
            gone.add(*segment, before.map_or(0, |extent| extent.end));
        }
        gone
    }

    /// Forgets the segments that are gone.
    pub(crate) fn remove(&self, gone: Gone) {
        let mut state = self.state.write();
        state.sealed.retain(|segment, _| !gone.has(*segment));
        state.gone = gone;
    }
}
