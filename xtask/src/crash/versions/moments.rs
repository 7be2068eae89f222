//! What the versions of all keys may be, given what was answered.
//!
//! The states that a key may have are those that the requests under way lead to in any [order](super::super::orders); an
//! answer leaves those orders in which just this answer comes about.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use carob_bucket::Versioning;
use time::OffsetDateTime;

use super::super::register::{Register, Tick};
use super::super::{Name, orders};
use super::state::{Answer, During, Id, Request, State};

/// What S3 calls a version that is none of those with an id.
pub(super) const NULL: &str = "null";

/// All keys of the buckets that make versions, and how these are configured.
#[derive(Debug, Default)]
pub(in crate::crash) struct Model {
    now: Tick,
    buckets: BTreeMap<String, Register<Versioning>>,
    keys: BTreeMap<Name, Key>,
    /// The versions whose bodies were read back after a cut, by name and entity tag.
    read: BTreeSet<(Name, String, String)>,
}

/// A version by its name in the model and in S3.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: Id,
    pub(super) name: String,
}

#[derive(Debug)]
struct Key {
    moments: BTreeSet<Moment>,
    open: BTreeMap<u64, Open>,
    /// Which operations made the versions, by the names that S3 gave them.
    makers: BTreeMap<String, u64>,
}

type Moment = orders::Moment<State, Answer>;

/// A request without an answer.
#[derive(Debug)]
struct Open {
    request: Request,
    begun: Tick,
    from: u64,
}

impl Model {
    fn tick(&mut self) -> Tick {
        self.now += 1;
        self.now
    }

    /// A bucket that is there and empty.
    pub(in crate::crash) fn add_bucket(&mut self, bucket: &str, versioning: Versioning) {
        self.buckets.insert(bucket.to_owned(), Register::new(versioning));
    }

    /// A change of a bucket's versioning goes out.
    pub(super) fn begin_switch(&mut self, bucket: &str, versioning: Versioning) -> Tick {
        let begun = self.tick();
        if let Some(register) = self.buckets.get_mut(bucket) {
            register.begin(versioning, begun);
        }
        begun
    }

    /// The change is acknowledged, or else refused.
    pub(super) fn switched(&mut self, bucket: &str, begun: Tick, acknowledged: bool) {
        let now = self.tick();
        let Some(register) = self.buckets.get_mut(bucket) else { return };
        if acknowledged { register.acknowledge(begun, now) } else { register.withdraw(begun) }
    }

    /// A bucket was found to be so configured, while nothing was under way.
    pub(super) fn settle_bucket(&mut self, bucket: &str, versioning: Versioning) -> Result<()> {
        let now = self.tick();
        let possible = self.versioning(bucket, now, now + 1);
        ensure!(possible.contains(&versioning), "versioning is {versioning:?}, but only {possible:?} may be");
        if let Some(register) = self.buckets.get_mut(bucket) {
            register.settle(versioning, now);
        }
        Ok(())
    }

    fn versioning(&self, bucket: &str, from: Tick, until: Tick) -> Vec<Versioning> {
        let mut found = Vec::new();
        for write in self.buckets.get(bucket).into_iter().flat_map(|register| register.live(from, until)) {
            if !found.contains(&write.effect) {
                found.push(write.effect);
            }
        }
        found
    }

    /// A request goes out.
    pub(super) fn begin(&mut self, name: &Name, op: u64, request: Request) {
        let open = Open { request, begun: self.tick(), from: millis() };
        self.keys.entry(name.clone()).or_default().open.insert(op, open);
    }

    /// A request is answered.
    pub(super) fn answered(&mut self, name: &Name, op: u64, answer: Answer<String>) -> Result<()> {
        let during = self.during(name);
        let Some(key) = self.keys.get_mut(name) else { return Ok(()) };
        if let Answer::Wrote(id) | Answer::Deleted { id: Some(id), marker: true } = &answer
            && !matches!(key.open.get(&op), Some(Open { request: Request::DeleteVersion { .. }, .. }))
        {
            key.name(id, op)?;
        }
        let answer = answer.rename(|id| key.id(&id));
        let mut left = BTreeSet::new();
        let mut could = BTreeSet::new();
        for moment in key.reachable(&during, op) {
            let mut rest = moment;
            let Some(due) = rest.done.remove(&op) else { continue };
            if due.clone().rename(|id| key.as_named(id)) == answer {
                left.insert(rest);
            } else {
                could.insert(due);
            }
        }
        ensure!(!left.is_empty(), "the answer is {answer:x?}, but only {could:x?} could be");
        key.moments = left;
        key.open.remove(&op);
        Ok(())
    }

    /// A request that changes nothing will get no answer.
    pub(super) fn forget(&mut self, name: &Name, op: u64) {
        let Some(key) = self.keys.get_mut(name) else { return };
        key.open.remove(&op);
        key.moments = std::mem::take(&mut key.moments)
            .into_iter()
            .map(|mut moment| {
                moment.done.remove(&op);
                moment
            })
            .collect();
    }

    /// A key was found to be in one of these states, the same but for the names of versions without an answer;
    /// `fits` tells, and says which version has which name. Nothing else is under way.
    pub(super) fn settle(
        &mut self,
        name: &Name,
        fits: impl Fn(&State) -> Option<Vec<(Id, String)>>,
    ) -> Result<State> {
        let during = self.during(name);
        let key = self.keys.entry(name.clone()).or_default();
        key.open.retain(|_, open| !open.request.is_read());
        let states: BTreeSet<State> =
            key.reachable(&during, u64::MAX).into_iter().map(|moment| moment.state).collect();
        for state in &states {
            let Some(named) = fits(state) else { continue };
            // The names that are known must be the same, and a new one that of a version without.
            let strange = |(id, name): &(Id, String)| {
                let known = key.id(name);
                if known == Id::Unnamed { key.as_named(*id) != Id::Unnamed } else { known != *id }
            };
            if named.iter().any(strange) {
                continue;
            }
            for (id, name) in &named {
                if let Id::Made(op) = id {
                    key.name(name, *op)?;
                }
            }
            key.moments = BTreeSet::from([Moment::settled(state.clone())]);
            key.open.clear();
            return Ok(state.clone());
        }
        anyhow::bail!("only one of these may be there: {states:x?}, where names are {:x?}", key.makers)
    }

    /// Whether the body of a version was read back.
    pub(super) fn was_read(&self, name: &Name, version: &str, etag: &str) -> bool {
        self.read.contains(&(name.clone(), version.to_owned(), etag.to_owned()))
    }

    /// The body of a version was read back.
    pub(super) fn note_read(&mut self, name: &Name, version: &str, etag: &str) {
        self.read.insert((name.clone(), version.to_owned(), etag.to_owned()));
    }

    /// Every key that was ever written.
    pub(super) fn names(&self) -> Vec<Name> {
        self.keys.keys().cloned().collect()
    }

    /// One of the versions of a key, or of those that it had lately.
    pub(super) fn pick(&self, name: &Name, nth: u8) -> Option<Known> {
        let key = self.keys.get(name)?;
        let state = &key.moments.first()?.state;
        let mut known: Vec<Known> = state.0.iter().filter_map(|version| key.known(version.id)).collect();
        let newest = key.makers.iter().max_by_key(|(_, op)| **op);
        known.extend(newest.map(|(name, op)| Known { id: Id::Made(*op), name: name.clone() }));
        let nth = usize::from(nth).checked_rem(known.len())?;
        Some(known.swap_remove(nth))
    }

    /// What S3 calls a version.
    pub(super) fn name_of(&self, name: &Name, id: Id) -> Option<String> {
        self.keys.get(name)?.known(id).map(|known| known.name)
    }

    /// When and in which bucket the requests under way may take effect, each from its own beginning to now.
    fn during(&mut self, name: &Name) -> BTreeMap<u64, During> {
        let (now, until) = (self.tick(), millis());
        let Some(key) = self.keys.get(name) else { return BTreeMap::new() };
        let during = |open: &Open| During {
            from: open.from,
            until,
            versioning: self.versioning(&name.bucket, open.begun, now),
        };
        key.open.iter().map(|(op, open)| (*op, during(open))).collect()
    }
}

impl Default for Key {
    fn default() -> Self {
        let (open, makers) = (BTreeMap::new(), BTreeMap::new());
        Self { moments: BTreeSet::from([Moment::settled(State::default())]), open, makers }
    }
}

impl Key {
    /// All moments that the requests under way lead to, up to and with that of operation `last`.
    fn reachable(&self, during: &BTreeMap<u64, During>, last: u64) -> BTreeSet<Moment> {
        orders::reachable(&self.moments, self.open.keys().copied(), last, |state: &State, op| {
            let (open, during) = (self.open.get(&op), during.get(&op));
            open.zip(during).map(|(open, during)| state.after(op, &open.request, during)).unwrap_or_default()
        })
    }

    /// Operation `op` made the version of this name.
    fn name(&mut self, name: &str, op: u64) -> Result<()> {
        if name == NULL {
            return Ok(());
        }
        let maker = *self.makers.entry(name.to_owned()).or_insert(op);
        ensure!(maker == op, "version {name} is of operation {op:#x}, but was of {maker:#x}");
        let names = self.makers.values().filter(|maker| **maker == op).count();
        ensure!(names == 1, "operation {op:#x} made two versions, {name} among them");
        Ok(())
    }

    fn id(&self, name: &str) -> Id {
        match self.makers.get(name) {
            _ if name == NULL => Id::Null,
            Some(op) => Id::Made(*op),
            None => Id::Unnamed,
        }
    }

    /// The same, if its name is known.
    fn as_named(&self, id: Id) -> Id {
        match id {
            Id::Made(op) if !self.makers.values().any(|maker| *maker == op) => Id::Unnamed,
            id => id,
        }
    }

    fn known(&self, id: Id) -> Option<Known> {
        let name = match id {
            Id::Null => NULL.to_owned(),
            Id::Made(op) => self.makers.iter().find(|(_, maker)| **maker == op)?.0.clone(),
            Id::Unnamed => return None,
        };
        Some(Known { id, name })
    }
}

/// The wall clock, which the store sees as well.
pub(super) fn millis() -> u64 {
    u64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::state::{Body, Lock, Mode, Retention, Tags};
    use super::*;

    const NEVER_OVER: u64 = 4_070_908_800_000;

    /// A key of a bucket with versioning, and the number of the newest operation.
    struct Run(Model, Name, u64);

    impl Run {
        fn new() -> Self {
            let mut model = Model::default();
            model.add_bucket("bucket", Versioning::Enabled);
            Self(model, Name { bucket: "bucket".into(), key: "key".into() }, 0)
        }

        fn begin(&mut self, request: Request) -> u64 {
            self.2 += 1;
            self.0.begin(&self.1, self.2, request);
            self.2
        }

        fn answer(&mut self, op: u64, answer: Answer<String>) -> Result<()> {
            self.0.answered(&self.1, op, answer)
        }

        fn put(&mut self, lock: Lock) -> u64 {
            let body = Body { op: self.2 + 1, etag: String::new(), size: 0 };
            self.begin(Request::Put { body, tags: Tags::new(), lock })
        }

        /// A put that is acknowledged; gives the version.
        fn version(&mut self, lock: Lock) -> Id {
            let op = self.put(lock);
            self.answer(op, Answer::Wrote(format!("v{op}"))).unwrap();
            Id::Made(op)
        }

        fn tag(&mut self, tag: &str) -> u64 {
            self.begin(Request::PutTags { of: None, tags: tags(tag) })
        }

        fn reads_tags(&mut self, tags: Tags) -> Result<()> {
            let op = self.begin(Request::Tags { of: None });
            self.answer(op, Answer::Tags(tags))
        }

        /// Whether the key may have so many versions after a cut.
        fn may_have(&mut self, count: usize) -> bool {
            self.0.settle(&self.1, |state| (state.0.len() == count).then(Vec::new)).is_ok()
        }
    }

    fn tags(tag: &str) -> Tags {
        Tags::from([(tag.to_owned(), String::new())])
    }

    fn refused(code: &str) -> Answer<String> {
        Answer::Refused(code.into())
    }

    #[test]
    fn a_version_acknowledged_must_be_there_and_one_in_flight_may() {
        let in_flight = || {
            let mut run = Run::new();
            run.version(Lock::default());
            run.put(Lock::default());
            run
        };
        assert!(!in_flight().may_have(0) && in_flight().may_have(1) && in_flight().may_have(2));
    }

    #[test]
    fn of_two_overlapping_writes_of_tags_either_may_win_until_one_is_read() {
        let mut run = Run::new();
        run.version(Lock::default());
        let (a, b) = (run.tag("a"), run.tag("b"));
        run.answer(a, Answer::Done).unwrap();
        run.answer(b, Answer::Done).unwrap();
        run.reads_tags(tags("a")).unwrap();
        assert!(run.reads_tags(tags("b")).is_err());
    }

    #[test]
    fn tags_acknowledged_where_a_marker_was_must_be_those_of_the_object_put_meanwhile() {
        let mut run = Run::new();
        run.version(Lock::default());
        let delete = run.begin(Request::Delete);
        run.answer(delete, Answer::Deleted { id: Some("marker".into()), marker: true }).unwrap();
        let (tag, put) = (run.tag("a"), run.put(Lock::default()));
        run.answer(put, Answer::Wrote("new".into())).unwrap();
        run.answer(tag, Answer::Done).unwrap();
        assert!(run.reads_tags(Tags::new()).is_err());
    }

    #[test]
    fn what_is_locked_is_not_deleted_and_only_governance_is_bypassed() {
        let until = |mode| Lock { retention: Some(Retention { mode, until: NEVER_OVER }), hold: false };
        let held = Lock { hold: true, ..Lock::default() };
        for (lock, bypass, free) in [
            (until(Mode::Governance), false, false),
            (until(Mode::Governance), true, true),
            (until(Mode::Compliance), true, false),
            (held, true, false),
            (Lock::default(), false, true),
        ] {
            let mut run = Run::new();
            let of = run.version(lock);
            let Id::Made(op) = of else { panic!("no version was made") };
            let gone = Answer::Deleted { id: Some(format!("v{op}")), marker: false };
            let delete = run.begin(Request::DeleteVersion { of, bypass });
            assert_eq!(run.answer(delete, gone).is_ok(), free, "{lock:?}, bypass {bypass}");
            if !free {
                run.answer(delete, refused("AccessDenied")).unwrap();
            }
        }
    }

    #[test]
    fn compliance_is_never_shortened_and_no_date_is_in_the_past() {
        let mut run = Run::new();
        let retention = |until| Some(Retention { mode: Mode::Compliance, until });
        let of = Some(run.version(Lock { retention: retention(NEVER_OVER), hold: false }));
        for (until, code) in [(NEVER_OVER - 1000, "AccessDenied"), (1000, "InvalidArgument")] {
            let op = run.begin(Request::Retain { of, retention: retention(until), bypass: true });
            assert!(run.answer(op, Answer::Done).is_err());
            run.answer(op, refused(code)).unwrap();
        }
    }

    #[test]
    fn a_write_beside_a_switch_makes_a_version_or_the_null_one() {
        for (name, count) in [("v2", 2), (NULL, 2)] {
            let mut run = Run::new();
            run.version(Lock::default());
            let put = run.put(Lock::default());
            let switch = run.0.begin_switch("bucket", Versioning::Suspended);
            run.answer(put, Answer::Wrote(name.into())).unwrap();
            run.0.switched("bucket", switch, true);
            assert!(run.may_have(count));
            // From now on it is the null one, in the place of that before.
            let put = run.put(Lock::default());
            assert!(run.answer(put, Answer::Wrote("v3".into())).is_err());
        }
    }

    #[test]
    fn a_version_has_one_name_and_a_name_one_version() {
        let mut run = Run::new();
        let (a, b) = (run.put(Lock::default()), run.put(Lock::default()));
        run.answer(a, Answer::Wrote("v".into())).unwrap();
        assert!(run.answer(b, Answer::Wrote("v".into())).is_err());
    }
}
