//! What a store may hold, given what it acknowledged.
//!
//! Each key is a [`Register`] of objects. A write that was acknowledged stays until a later one replaces it, a write
//! in flight at a cut may be there whole or not at all, and nothing else may be there. A copy writes what its source
//! held at some moment of the copy. What a key's multipart uploads are in, [`super::uploads`] says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};

use super::Name;
use super::content::{Bodies, Content};
use super::register::{Register, Tick};
use super::uploads::Uploads;

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    /// The operation that its metadata names.
    pub(super) op: u64,
    pub(super) content: Content,
}

/// What a key holds, if anything.
pub(super) type Value = Option<Object>;

/// What a write puts under a key.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    /// One of these; where there are several, its answer did not tell which.
    OneOf(Vec<Value>),
    /// What `source` held meanwhile, with the metadata of operation `op` if that is given, else of the source.
    Copy { source: Name, op: Option<u64> },
}

/// What a conditional write asks of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    None,
    /// `If-None-Match: *`.
    IfAbsent,
    /// `If-Match` with this entity tag.
    IfMatch(String),
}

/// All keys and uploads that were ever written.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) bodies: Bodies,
    now: Tick,
    objects: BTreeMap<Name, Register<Effect>>,
    /// The keys with writes that are not settled.
    touched: BTreeSet<Name>,
    pub(super) uploads: Uploads,
}

impl Model {
    pub(super) fn new(bodies: Bodies) -> Self {
        let (objects, touched) = (BTreeMap::new(), BTreeSet::new());
        Self { bodies, now: 0, objects, touched, uploads: Uploads::default() }
    }

    /// A new moment, later than all before.
    pub(super) fn tick(&mut self) -> Tick {
        self.now += 1;
        self.now
    }

    /// The newest moment.
    pub(super) fn now(&self) -> Tick {
        self.now
    }

    /// A write goes out.
    pub(super) fn begin(&mut self, name: &Name, effect: Effect) -> Tick {
        let begun = self.tick();
        self.register(name).begin(effect, begun);
        self.touched.insert(name.clone());
        begun
    }

    /// The write that [`Self::begin`] began is acknowledged.
    pub(super) fn acknowledge(&mut self, name: &Name, begun: Tick) {
        let now = self.tick();
        self.register(name).acknowledge(begun, now);
    }

    /// The write that [`Self::begin`] began is acknowledged as having made an object with this entity tag.
    pub(super) fn acknowledge_object(&mut self, name: &Name, begun: Tick, etag: &str) -> Result<()> {
        let Some(write) = self.register(name).write_mut(begun) else { bail!("{name} has no such write") };
        let effect = write.effect.clone();
        let mut values = self.expand(&effect, begun, self.now + 1, &mut vec![begun]);
        let could = values.clone();
        values.retain(|value| value.as_ref().is_some_and(|object| object.content.etag == etag));
        ensure!(!values.is_empty(), "{name} was written with ETag {etag}, but only {could:x?} could be");
        if let Some(write) = self.register(name).write_mut(begun) {
            write.effect = Effect::OneOf(values);
        }
        self.acknowledge(name, begun);
        Ok(())
    }

    /// The write that [`Self::begin`] began did not happen.
    pub(super) fn withdraw(&mut self, name: &Name, begun: Tick) {
        self.register(name).withdraw(begun);
    }

    /// What a read that began at `begun` and ends now may give.
    pub(super) fn possible(&self, name: &Name, begun: Tick) -> Vec<Value> {
        self.possible_without(name, begun, None)
    }

    /// As [`Self::possible`], had the write that began at `except` not been sent.
    pub(super) fn possible_without(&self, name: &Name, begun: Tick, except: Option<Tick>) -> Vec<Value> {
        self.gather(name, begun, self.now + 1, &mut except.into_iter().collect())
    }

    /// The values that a read may give which begins at `from` and ends at `until`.
    pub(super) fn possible_between(&self, name: &Name, from: Tick, until: Tick) -> Vec<Value> {
        self.gather(name, from, until, &mut Vec::new())
    }

    /// What a key most likely holds.
    pub(super) fn likely(&self, name: &Name) -> Value {
        match &self.objects.get(name)?.newest()?.effect {
            Effect::OneOf(values) => values.first()?.clone(),
            Effect::Copy { .. } => None,
        }
    }

    /// A read after a cut, with nothing else under way, gave `value`: from now on it is the only one.
    pub(super) fn settle(&mut self, name: &Name, value: Value) {
        let now = self.tick();
        self.register(name).settle(Effect::OneOf(vec![value]), now);
        self.touched.remove(name);
    }

    /// Every key that was ever written, and whether it was since it was settled.
    pub(super) fn names(&self) -> Vec<(Name, bool)> {
        self.objects.keys().map(|name| (name.clone(), self.touched.contains(name))).collect()
    }

    fn register(&mut self, name: &Name) -> &mut Register<Effect> {
        self.objects.entry(name.clone()).or_insert_with(|| Register::new(Effect::OneOf(vec![None])))
    }

    /// The values that a read may give which begins at `from` and ends at `until`, but for the writes `without`:
    /// those left out, and the copies that are being expanded, which happen but once.
    fn gather(&self, name: &Name, from: Tick, until: Tick, without: &mut Vec<Tick>) -> Vec<Value> {
        let Some(register) = self.objects.get(name) else { return vec![None] };
        let mut found = Vec::new();
        for write in
            register.live(from, until).filter(|write| !without.contains(&write.begun)).collect::<Vec<_>>()
        {
            without.push(write.begun);
            let end = write.acknowledged.unwrap_or(until);
            for value in self.expand(&write.effect, write.begun, end, without) {
                if !found.contains(&value) {
                    found.push(value);
                }
            }
            without.pop();
        }
        found
    }

    fn expand(&self, effect: &Effect, from: Tick, until: Tick, without: &mut Vec<Tick>) -> Vec<Value> {
        match effect {
            Effect::OneOf(values) => values.clone(),
            Effect::Copy { source, op } => {
                let sources = self.gather(source, from, until, without).into_iter().flatten();
                let copy = |source: Object| Some(Object { op: op.unwrap_or(source.op), ..source });
                sources.map(copy).collect()
            }
        }
    }
}

impl Condition {
    /// Whether a write with this condition may happen where the key holds one of `values`.
    pub(super) fn may_hold(&self, values: &[Value]) -> bool {
        values.iter().any(|value| self.holds(value))
    }

    /// Whether a write with this condition may be refused where the key holds one of `values`.
    pub(super) fn may_fail(&self, values: &[Value]) -> bool {
        values.iter().any(|value| !self.holds(value))
    }

    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::None => true,
            Self::IfAbsent => value.is_none(),
            Self::IfMatch(etag) => value.as_ref().is_some_and(|object| object.content.etag == *etag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: &str) -> Name {
        Name { bucket: "bucket".into(), key: key.into() }
    }

    fn object(op: u64) -> Object {
        Object { op, content: Bodies::default().fresh(op, 10) }
    }

    fn put(model: &mut Model, key: &str, op: u64) -> Tick {
        model.begin(&name(key), Effect::OneOf(vec![Some(object(op))]))
    }

    fn copy(model: &mut Model, from: &str, to: &str, op: Option<u64>) -> Tick {
        model.begin(&name(to), Effect::Copy { source: name(from), op })
    }

    /// Which operations' objects a read now may give; 0 stands for none.
    fn read(model: &mut Model, key: &str) -> Vec<u64> {
        let now = model.tick();
        let values = model.possible(&name(key), now);
        values.into_iter().map(|value| value.map_or(0, |object| object.op)).collect()
    }

    fn model() -> Model {
        Model::new(Bodies::default())
    }

    #[test]
    fn a_copy_in_flight_may_have_any_value_of_its_source_meanwhile() {
        let mut model = model();
        for op in 1..3 {
            let begun = put(&mut model, "a", op);
            model.acknowledge(&name("a"), begun);
        }
        copy(&mut model, "a", "b", None);
        put(&mut model, "a", 3);
        assert_eq!(read(&mut model, "b"), [0, 2, 3]);
    }

    #[test]
    fn the_entity_tag_of_an_acknowledged_copy_tells_which_value_it_has() {
        let mut model = model();
        let first = put(&mut model, "a", 1);
        model.acknowledge(&name("a"), first);
        let begun = copy(&mut model, "a", "b", Some(9));
        put(&mut model, "a", 2);
        model.acknowledge_object(&name("b"), begun, &object(1).content.etag).unwrap();
        let now = model.tick();
        let expected = Some(Object { op: 9, content: object(1).content });
        assert_eq!(model.possible(&name("b"), now), [expected]);
    }

    #[test]
    fn a_copy_with_an_entity_tag_that_its_source_never_had_is_wrong() {
        let mut model = model();
        let begun = put(&mut model, "a", 1);
        model.acknowledge(&name("a"), begun);
        let begun = copy(&mut model, "a", "b", None);
        assert!(model.acknowledge_object(&name("b"), begun, &object(2).content.etag).is_err());
    }

    #[test]
    fn a_copy_that_was_acknowledged_does_not_see_later_writes() {
        let mut model = model();
        let begun = put(&mut model, "a", 1);
        model.acknowledge(&name("a"), begun);
        let begun = copy(&mut model, "a", "b", None);
        model.acknowledge_object(&name("b"), begun, &object(1).content.etag).unwrap();
        put(&mut model, "a", 2);
        assert_eq!(read(&mut model, "b"), [1]);
    }

    #[test]
    fn copies_in_a_circle_give_what_stood_in_the_circle() {
        let mut model = model();
        put(&mut model, "a", 1);
        copy(&mut model, "a", "b", None);
        copy(&mut model, "b", "a", Some(9));
        assert_eq!(read(&mut model, "a"), [0, 1, 9]);
        // It had the 9 only after its own copy was made.
        assert_eq!(read(&mut model, "b"), [0, 1]);
    }

    #[test]
    fn an_acknowledged_delete_must_hold() {
        let mut model = model();
        let begun = put(&mut model, "a", 1);
        model.acknowledge(&name("a"), begun);
        let delete = model.begin(&name("a"), Effect::OneOf(vec![None]));
        model.acknowledge(&name("a"), delete);
        assert_eq!(read(&mut model, "a"), [0]);
    }
}
