//! What a store may hold, given what it acknowledged.
//!
//! Each key is a register. A write spans the time from its request to its answer; one without an answer has no
//! end. A read may give any write that is not certainly overwritten: none that was acknowledged before another
//! acknowledged write of the same key began. So an acknowledged write stays until a later one replaces it, a
//! write in flight at a cut may be there whole or not at all, and nothing else may be there.

use std::collections::BTreeMap;

/// A moment of the run, by a counter and not by a clock.
pub(super) type Tick = u64;

/// A key of a bucket.
pub(super) type Name = (String, String);

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Absent,
    /// The body that operation `op` wrote.
    Body {
        op: u64,
        size: u64,
    },
}

#[derive(Debug)]
struct Write {
    value: Value,
    begun: Tick,
    acknowledged: Option<Tick>,
}

/// All keys that were ever written.
#[derive(Debug, Default)]
pub(super) struct Model {
    now: Tick,
    registers: BTreeMap<Name, Vec<Write>>,
}

impl Model {
    /// A new moment, later than all before.
    pub(super) fn tick(&mut self) -> Tick {
        self.now += 1;
        self.now
    }

    /// A write goes out.
    pub(super) fn begin(&mut self, name: &Name, value: Value) -> Tick {
        let begun = self.tick();
        let writes = self.registers.entry(name.clone()).or_insert_with(|| vec![Write::initial()]);
        writes.push(Write { value, begun, acknowledged: None });
        begun
    }

    /// The write that [`Self::begin`] began is acknowledged.
    pub(super) fn acknowledge(&mut self, name: &Name, begun: Tick) {
        let now = self.tick();
        for write in self.registers.get_mut(name).into_iter().flatten() {
            if write.begun == begun {
                write.acknowledged = Some(now);
            }
        }
    }

    /// The write that [`Self::begin`] began was answered with a refusal: it did not happen.
    pub(super) fn withdraw(&mut self, name: &Name, begun: Tick) {
        if let Some(writes) = self.registers.get_mut(name) {
            writes.retain(|write| write.begun != begun);
        }
    }

    /// What a read that began at `begun` and ends now may give.
    pub(super) fn allowed(&self, name: &Name, begun: Tick) -> Vec<Value> {
        let Some(writes) = self.registers.get(name) else { return vec![Value::Absent] };
        let overwritten = |write: &Write| {
            write.acknowledged.is_some_and(|end| {
                writes.iter().any(|later| {
                    later.begun > end && later.acknowledged.is_some_and(|later_end| later_end < begun)
                })
            })
        };
        writes.iter().filter(|write| !overwritten(write)).map(|write| write.value).collect()
    }

    /// A read after a cut, with nothing else under way, gave `value`: from now on it is the only one.
    ///
    /// What was read once must stay, also when its writer never got an answer.
    pub(super) fn settle(&mut self, name: &Name, value: Value) {
        let now = self.tick();
        let write = Write { value, begun: now, acknowledged: Some(now) };
        self.registers.insert(name.clone(), vec![write]);
    }

    /// Every key that was ever written.
    pub(super) fn names(&self) -> Vec<Name> {
        self.registers.keys().cloned().collect()
    }
}

impl Write {
    fn initial() -> Self {
        Self { value: Value::Absent, begun: 0, acknowledged: Some(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Value = Value::Body { op: 1, size: 1 };
    const B: Value = Value::Body { op: 2, size: 2 };

    fn name() -> Name {
        ("bucket".into(), "key".into())
    }

    fn read_now(model: &mut Model) -> Vec<Value> {
        let now = model.tick();
        model.allowed(&name(), now)
    }

    #[test]
    fn a_key_never_written_is_absent() {
        assert_eq!(read_now(&mut Model::default()), [Value::Absent]);
    }

    #[test]
    fn an_acknowledged_write_must_be_there() {
        let mut model = Model::default();
        let a = model.begin(&name(), A);
        model.acknowledge(&name(), a);
        assert_eq!(read_now(&mut model), [A]);
    }

    #[test]
    fn a_write_in_flight_may_be_there_or_not() {
        let mut model = Model::default();
        let a = model.begin(&name(), A);
        model.acknowledge(&name(), a);
        model.begin(&name(), B);
        assert_eq!(read_now(&mut model), [A, B]);
    }

    #[test]
    fn of_two_overlapping_writes_either_may_win() {
        let mut model = Model::default();
        let a = model.begin(&name(), A);
        let b = model.begin(&name(), B);
        model.acknowledge(&name(), b);
        model.acknowledge(&name(), a);
        assert_eq!(read_now(&mut model), [A, B]);
    }

    #[test]
    fn an_acknowledged_delete_must_hold() {
        let mut model = Model::default();
        let a = model.begin(&name(), A);
        model.acknowledge(&name(), a);
        let delete = model.begin(&name(), Value::Absent);
        model.acknowledge(&name(), delete);
        assert_eq!(read_now(&mut model), [Value::Absent]);
    }

    #[test]
    fn a_read_that_overlaps_an_overwrite_may_give_the_old_value() {
        let mut model = Model::default();
        let a = model.begin(&name(), A);
        model.acknowledge(&name(), a);
        let read = model.tick();
        let b = model.begin(&name(), B);
        model.acknowledge(&name(), b);
        assert_eq!(model.allowed(&name(), read), [A, B]);
        assert_eq!(read_now(&mut model), [B]);
    }

    #[test]
    fn a_refused_write_must_not_be_there() {
        let mut model = Model::default();
        let a = model.begin(&name(), A);
        model.withdraw(&name(), a);
        assert_eq!(read_now(&mut model), [Value::Absent]);
    }

    #[test]
    fn what_was_read_once_must_stay() {
        let mut model = Model::default();
        model.begin(&name(), A);
        assert_eq!(read_now(&mut model), [Value::Absent, A]);
        model.settle(&name(), A);
        assert_eq!(read_now(&mut model), [A]);
    }
}
