//! The buckets of some names, those that are there and those that were deleted, and what is made of a request.

use std::collections::{BTreeMap, BTreeSet};

/// A bucket from its creation on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Life {
    /// The operation that created it.
    pub(super) maker: u64,
    /// What the store calls it, once that was told.
    pub(super) id: Option<String>,
    /// How long every past state stays, in seconds.
    pub(super) kept: u64,
    /// It once kept nothing but its newest state, so that nothing is known of its past.
    pub(super) lossy: bool,
    /// The operations that wrote the objects it has.
    pub(super) objects: BTreeSet<u64>,
    /// The operations that wrote any object of it.
    pub(super) past: BTreeSet<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    /// By their names.
    pub(super) alive: BTreeMap<String, Life>,
    /// By the names that they had last, in the order of their deletion.
    pub(super) dead: BTreeMap<String, Vec<Life>>,
}

/// What is asked of the bucket called `name`.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) name: String,
    pub(super) ask: Ask,
}

#[derive(Debug, Clone)]
pub(super) enum Ask {
    Create,
    Put,
    /// Deletes the object that this operation wrote.
    Remove(u64),
    Delete,
    Undelete {
        id: Option<String>,
        to: Option<String>,
    },
    Keep(u64),
    List,
}

/// What is answered; `L` names a life.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer<L> {
    /// A bucket is there that was not, or that the asker has already.
    There(L),
    Done,
    /// Objects, by the operations that wrote them.
    Holds(BTreeSet<u64>),
    Refused(String),
}

/// Names a life by its maker; `None` is a bucket that was there already.
pub(super) type Due = Answer<Option<u64>>;

fn refused(code: &str) -> Due {
    Answer::Refused(code.into())
}

impl Life {
    /// `kept` is what the store gives a bucket of which nothing else is said.
    pub(super) fn new(maker: u64, kept: u64) -> Self {
        let (objects, past) = (BTreeSet::new(), BTreeSet::new());
        Self { maker, id: None, kept, lossy: false, objects, past }
    }

    /// Whether a collection may take all of it, once it is deleted.
    pub(super) fn is_brief(&self) -> bool {
        self.kept == 0
    }

    pub(super) fn may_be(&self, id: &str, kept: u64) -> bool {
        self.kept == kept && self.id.as_ref().is_none_or(|known| known == id)
    }
}

impl State {
    /// All that may come of a request of operation `op`: the state after it, and the answer.
    pub(super) fn after(&self, op: u64, Request { name, ask }: &Request, kept: u64) -> Vec<(Self, Due)> {
        let mut next = self.clone();
        if let Ask::Create = ask {
            if self.alive.contains_key(name) {
                // In the first region it is no error to have it already.
                return vec![(self.clone(), Answer::There(None)), (next, refused("BucketAlreadyOwnedByYou"))];
            }
            next.alive.insert(name.clone(), Life::new(op, kept));
            return vec![(next, Answer::There(Some(op)))];
        }
        if let Ask::Undelete { id, to } = ask {
            return self.undeleted(name, id.as_deref(), to.as_ref().unwrap_or(name));
        }
        let Some(life) = next.alive.get_mut(name) else { return vec![(next, refused("NoSuchBucket"))] };
        let answer = match ask {
            Ask::Put => {
                life.objects.insert(op);
                life.past.insert(op);
                Answer::Done
            }
            Ask::Remove(of) => {
                life.objects.remove(of);
                Answer::Done
            }
            Ask::Keep(seconds) => {
                life.kept = *seconds;
                life.lossy |= life.is_brief();
                Answer::Done
            }
            Ask::Delete if !life.objects.is_empty() => refused("BucketNotEmpty"),
            Ask::Delete => {
                if let Some(life) = next.alive.remove(name) {
                    next.dead.entry(name.clone()).or_default().push(life);
                }
                Answer::Done
            }
            Ask::List | Ask::Create | Ask::Undelete { .. } => Answer::Holds(life.objects.clone()),
        };
        vec![(next, answer)]
    }

    /// Those that keep nothing may be gone at any time.
    fn undeleted(&self, name: &str, id: Option<&str>, to: &str) -> Vec<(Self, Due)> {
        let (mut all, mut left) = (Vec::new(), self.clone());
        let called = self.dead.get(name).map(Vec::as_slice).unwrap_or_default();
        for (at, life) in called.iter().enumerate().rev() {
            if id.is_some_and(|id| life.id.as_deref() != Some(id)) {
                continue;
            }
            let mut next = left.clone();
            if self.alive.contains_key(to) {
                all.push((next, refused("BucketExists")));
            } else {
                next.forget(name, at);
                next.alive.insert(to.to_owned(), life.clone());
                all.push((next, Answer::There(Some(life.maker))));
            }
            if !life.is_brief() {
                return all;
            }
            left.forget(name, at);
        }
        all.push((left, refused("NotDeleted")));
        all
    }

    fn forget(&mut self, name: &str, at: usize) {
        if let Some(called) = self.dead.get_mut(name) {
            called.remove(at);
            if called.is_empty() {
                self.dead.remove(name);
            }
        }
    }

    /// The state once it is known what the life of this maker is called; `None` if it cannot be that.
    pub(super) fn naming(mut self, maker: u64, id: &str) -> Option<Self> {
        for life in self.alive.values_mut().chain(self.dead.values_mut().flatten()) {
            if life.maker == maker {
                if life.id.as_ref().is_some_and(|known| known != id) {
                    return None;
                }
                life.id = Some(id.to_owned());
            } else if life.id.as_deref() == Some(id) {
                return None;
            }
        }
        // One that was deleted again may be gone already.
        Some(self)
    }
}
