//! Which buckets there may be, given what was answered.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use carob_bucket::HistoryRetention;

use super::super::orders;
use super::state::{Answer, Ask, Due, Life, Request, State};
use super::target::{Alive, Dead};

type Moment = orders::Moment<State, Due>;

/// All buckets that come and go.
#[derive(Debug)]
pub(in crate::crash) struct Model {
    moments: BTreeSet<Moment>,
    open: BTreeMap<u64, Request>,
    /// How long a new bucket keeps every past state.
    kept: u64,
    /// The objects of past states whose bytes were read back, by the operation that wrote them.
    read: BTreeSet<u64>,
}

impl Default for Model {
    fn default() -> Self {
        let (moments, kept) =
            (BTreeSet::from([Moment::settled(State::default())]), HistoryRetention::default().all);
        Self { moments, open: BTreeMap::new(), kept, read: BTreeSet::new() }
    }
}

impl Model {
    /// A request goes out.
    pub(super) fn begin(&mut self, op: u64, request: Request) {
        self.open.insert(op, request);
    }

    /// A request is answered; a bucket is named by its id, where that is told.
    pub(super) fn answered(&mut self, op: u64, answer: &Answer<Option<String>>) -> Result<()> {
        let (mut left, mut could) = (BTreeSet::new(), BTreeSet::new());
        for mut moment in self.reachable(op) {
            let Some(due) = moment.done.remove(&op) else { continue };
            let state = match (&due, answer) {
                (Answer::There(Some(maker)), Answer::There(Some(id))) => moment.state.naming(*maker, id),
                (Answer::There(_), Answer::There(None)) => Some(moment.state),
                (Answer::Done, Answer::Done) => Some(moment.state),
                (Answer::Holds(due), Answer::Holds(held)) if due == held => Some(moment.state),
                (Answer::Refused(due), Answer::Refused(code)) if due == code => Some(moment.state),
                _ => None,
            };
            match state {
                Some(state) => _ = left.insert(Moment { state, done: moment.done }),
                None => _ = could.insert(due),
            }
        }
        ensure!(
            !left.is_empty(),
            "the answer is {answer:x?}, but only {could:x?} could be, after {:x?}",
            self.moments
        );
        self.moments = left;
        self.open.remove(&op);
        Ok(())
    }

    /// A request that changes nothing will get no answer.
    pub(super) fn forget(&mut self, op: u64) {
        self.open.remove(&op);
        let without = |mut moment: Moment| {
            moment.done.remove(&op);
            moment
        };
        self.moments = std::mem::take(&mut self.moments).into_iter().map(without).collect();
    }

    /// These buckets were found, with the objects that they have, while nothing was under way.
    pub(super) fn settle(&mut self, alive: &[(Alive, BTreeSet<u64>)], dead: &[Dead]) -> Result<State> {
        self.open.retain(|_, request| !matches!(request.ask, Ask::List));
        let states: BTreeSet<State> =
            self.reachable(u64::MAX).into_iter().map(|moment| moment.state).collect();
        for state in &states {
            if let Some(state) = found(state.clone(), alive, dead) {
                self.moments = BTreeSet::from([Moment::settled(state.clone())]);
                self.open.clear();
                return Ok(state);
            }
        }
        bail!("there are {alive:x?} and deleted {dead:x?}, but only one of these may be there: {states:x?}")
    }

    /// One of the objects of a bucket whose writing was answered.
    pub(super) fn pick_object(&self, name: &str, nth: u8) -> Option<u64> {
        let life = self.moments.first()?.state.alive.get(name)?;
        let known: Vec<_> = life.objects.iter().filter(|op| !self.open.contains_key(op)).collect();
        let nth = usize::from(nth).checked_rem(known.len())?;
        known.get(nth).map(|op| **op)
    }

    /// The id of one of the deleted buckets of a name.
    pub(super) fn pick_dead(&self, name: &str, nth: u8) -> Option<String> {
        let called = self.moments.first()?.state.dead.get(name)?;
        let known: Vec<_> = called.iter().filter_map(|life| life.id.as_ref()).collect();
        let nth = usize::from(nth).checked_rem(known.len())?;
        known.get(nth).map(|id| (*id).clone())
    }

    /// Notes that an object of a past state was read back; gives whether it was before.
    pub(super) fn note_read(&mut self, op: u64) -> bool {
        !self.read.insert(op)
    }

    fn reachable(&self, last: u64) -> BTreeSet<Moment> {
        orders::reachable(&self.moments, self.open.keys().copied(), last, |state: &State, op| {
            self.open.get(&op).map(|request| state.after(op, request, self.kept)).unwrap_or_default()
        })
    }
}

/// The state with the names that the store has for its lives, and without those that a collection took.
fn found(mut state: State, alive: &[(Alive, BTreeSet<u64>)], dead: &[Dead]) -> Option<State> {
    if alive.len() != state.alive.len() {
        return None;
    }
    for (Alive { name, id, kept }, objects) in alive {
        let life =
            state.alive.get_mut(name).filter(|life| life.may_be(id, *kept) && life.objects == *objects)?;
        life.id = Some(id.clone());
    }
    for (name, called) in std::mem::take(&mut state.dead) {
        let mut listed = dead.iter().filter(|dead| dead.name == name).peekable();
        let mut left: Vec<Life> = Vec::new();
        for mut life in called {
            match listed.next_if(|dead| life.may_be(&dead.id, dead.kept)) {
                Some(dead) => {
                    life.id = Some(dead.id.clone());
                    left.push(life);
                }
                None if life.is_brief() => {}
                None => return None,
            }
        }
        if listed.next().is_some() {
            return None;
        }
        if !left.is_empty() {
            state.dead.insert(name, left);
        }
    }
    // None of a name that has none.
    let count = state.dead.values().map(Vec::len).sum::<usize>();
    (count == dead.len()).then_some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Run(Model, u64);

    impl Run {
        fn new() -> Self {
            Self(Model::default(), 0)
        }

        fn begin(&mut self, ask: Ask) -> u64 {
            self.1 += 1;
            self.0.begin(self.1, Request { name: "b".into(), ask });
            self.1
        }

        fn answer(&mut self, op: u64, answer: &Answer<Option<String>>) -> Result<()> {
            self.0.answered(op, answer)
        }

        fn done(&mut self, ask: Ask, answer: &Answer<Option<String>>) -> Result<()> {
            let op = self.begin(ask);
            self.answer(op, answer)
        }

        fn created(&mut self, id: &str) -> Result<()> {
            self.done(Ask::Create, &there(id))
        }

        fn deleted(&mut self) -> Result<()> {
            self.done(Ask::Delete, &Answer::Done)
        }

        fn settle(&mut self, alive: &[&str], dead: &[&str]) -> Result<State> {
            let kept = 3600;
            let one = |id: &&str| (Alive { name: "b".into(), id: (*id).into(), kept }, BTreeSet::new());
            let gone = |id: &&str| Dead { name: "b".into(), id: (*id).into(), kept };
            let alive: Vec<_> = alive.iter().map(one).collect();
            let dead: Vec<_> = dead.iter().map(gone).collect();
            self.0.settle(&alive, &dead)
        }
    }

    fn there(id: &str) -> Answer<Option<String>> {
        Answer::There(Some(id.into()))
    }

    fn newest() -> Ask {
        Ask::Undelete { id: None, to: None }
    }

    #[test]
    fn an_acknowledged_deletion_must_hold() {
        let mut run = Run::new();
        run.created("1").unwrap();
        run.deleted().unwrap();
        run.settle(&["1"], &[]).unwrap_err();
        run.settle(&[], &[]).unwrap_err();
        run.settle(&[], &["1"]).unwrap();
    }

    #[test]
    fn what_is_under_way_happened_or_not() {
        for (alive, dead) in [(vec!["1"], vec![]), (vec![], vec!["1"])] {
            let mut run = Run::new();
            run.created("1").unwrap();
            run.deleted().unwrap();
            run.begin(newest());
            run.settle(&alive, &dead).unwrap();
        }
        let mut run = Run::new();
        run.created("1").unwrap();
        run.deleted().unwrap();
        run.begin(newest());
        run.settle(&["1"], &["1"]).unwrap_err();
    }

    #[test]
    fn the_one_that_was_deleted_last_comes_back() {
        let mut run = Run::new();
        for id in ["1", "2"] {
            run.created(id).unwrap();
            run.deleted().unwrap();
        }
        run.done(newest(), &there("1")).unwrap_err();
        run.done(newest(), &there("2")).unwrap();
        run.settle(&["2"], &["1"]).unwrap();
    }

    #[test]
    fn one_that_keeps_nothing_may_be_gone() {
        let mut run = Run::new();
        run.created("1").unwrap();
        run.done(Ask::Keep(0), &Answer::Done).unwrap();
        run.deleted().unwrap();
        run.done(newest(), &Answer::Refused("NotDeleted".into())).unwrap();
        run.settle(&[], &[]).unwrap();
    }

    #[test]
    fn one_that_has_objects_is_not_deleted() {
        let mut run = Run::new();
        run.created("1").unwrap();
        run.done(Ask::Put, &Answer::Done).unwrap();
        run.deleted().unwrap_err();
        run.done(Ask::Delete, &Answer::Refused("BucketNotEmpty".into())).unwrap();
    }

    #[test]
    fn a_new_bucket_is_another_one() {
        let mut run = Run::new();
        run.created("1").unwrap();
        run.deleted().unwrap();
        run.created("1").unwrap_err();
    }
}
