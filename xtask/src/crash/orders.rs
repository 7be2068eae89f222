//! What requests at the same time may come to.
//!
//! Each takes effect at one moment between its beginning and its answer. So the states that there may be are those that
//! the requests under way lead to in any order, some of them perhaps not at all yet; an answer leaves those orders in
//! which just this answer comes about. If it leaves none, the answer is wrong (Wing & Gong, "Testing and Verifying
//! Concurrent Objects", 1993).

use std::collections::{BTreeMap, BTreeSet};

/// A state that may be, and the requests without an answer that led there, with the answers they must get.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment<S, A> {
    pub(super) state: S,
    pub(super) done: BTreeMap<u64, A>,
}

impl<S, A> Moment<S, A> {
    /// One at which nothing is under way.
    pub(super) fn settled(state: S) -> Self {
        Self { state, done: BTreeMap::new() }
    }
}

/// All moments that the requests `open` lead to in any order, up to and with that of operation `last`; `after` says
/// what may come of one of them, and its answer.
pub(super) fn reachable<S: Clone + Ord, A: Clone + Ord>(
    from: &BTreeSet<Moment<S, A>>,
    open: impl Iterator<Item = u64> + Clone,
    last: u64,
    after: impl Fn(&S, u64) -> Vec<(S, A)>,
) -> BTreeSet<Moment<S, A>> {
    let mut found = from.clone();
    let mut todo: Vec<Moment<S, A>> = from.iter().cloned().collect();
    while let Some(moment) = todo.pop() {
        if moment.done.contains_key(&last) {
            continue;
        }
        for op in open.clone().filter(|op| !moment.done.contains_key(op)) {
            for (state, answer) in after(&moment.state, op) {
                let mut next = Moment { state, done: moment.done.clone() };
                next.done.insert(op, answer);
                if found.insert(next.clone()) {
                    todo.push(next);
                }
            }
        }
    }
    found
}
