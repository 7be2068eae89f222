//! One thing that can be written and read, and the writes of it that a read may meet.
//!
//! A write spans the time from its request to its answer; one without an answer has no end. A read may meet any write
//! that is not certainly overwritten: none that was acknowledged before another acknowledged write of the same
//! register began.

/// A moment of the run, by a counter and not by a clock.
pub(super) type Tick = u64;

/// A write, by what it puts there.
#[derive(Debug)]
pub(super) struct Write<E> {
    pub(super) effect: E,
    pub(super) begun: Tick,
    pub(super) acknowledged: Option<Tick>,
}

/// What was written, and is not settled.
#[derive(Debug)]
pub(super) struct Register<E>(Vec<Write<E>>);

impl<E> Register<E> {
    /// A register that holds `effect` since before the run.
    pub(super) fn new(effect: E) -> Self {
        Self(vec![Write { effect, begun: 0, acknowledged: Some(0) }])
    }

    /// A write goes out; `begun` names it.
    pub(super) fn begin(&mut self, effect: E, begun: Tick) {
        self.0.push(Write { effect, begun, acknowledged: None });
    }

    /// The write that began at `begun` is acknowledged.
    pub(super) fn acknowledge(&mut self, begun: Tick, now: Tick) {
        if let Some(write) = self.write_mut(begun) {
            write.acknowledged.get_or_insert(now);
        }
    }

    /// The write that began at `begun` did not happen.
    pub(super) fn withdraw(&mut self, begun: Tick) {
        self.0.retain(|write| write.begun != begun);
    }

    /// A read with nothing else under way gave `effect`: from now on it is the only one.
    ///
    /// What was read once must stay, also when its writer never got an answer.
    pub(super) fn settle(&mut self, effect: E, now: Tick) {
        self.0 = vec![Write { effect, begun: now, acknowledged: Some(now) }];
    }

    pub(super) fn write_mut(&mut self, begun: Tick) -> Option<&mut Write<E>> {
        self.0.iter_mut().find(|write| write.begun == begun)
    }

    /// The writes that a read may meet which begins at `from` and ends at `until`.
    pub(super) fn live(&self, from: Tick, until: Tick) -> impl Iterator<Item = &Write<E>> {
        self.0.iter().filter(move |write| write.begun < until && !self.is_overwritten(write, from))
    }

    /// The acknowledged write that began last.
    pub(super) fn newest(&self) -> Option<&Write<E>> {
        self.0.iter().filter(|write| write.acknowledged.is_some()).max_by_key(|write| write.begun)
    }

    fn is_overwritten(&self, write: &Write<E>, from: Tick) -> bool {
        let before = |end: Option<Tick>, start| end.is_some_and(|end| end < start);
        self.0.iter().any(|later| before(write.acknowledged, later.begun) && before(later.acknowledged, from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register that holds 0, and its clock.
    struct Run(Register<u32>, Tick);

    impl Run {
        fn new() -> Self {
            Self(Register::new(0), 0)
        }

        fn now(&mut self) -> Tick {
            self.1 += 1;
            self.1
        }

        fn begin(&mut self, value: u32) -> Tick {
            let begun = self.now();
            self.0.begin(value, begun);
            begun
        }

        fn end(&mut self, begun: Tick) {
            let now = self.now();
            self.0.acknowledge(begun, now);
        }

        fn write(&mut self, value: u32) {
            let begun = self.begin(value);
            self.end(begun);
        }

        fn read_since(&mut self, from: Tick) -> Vec<u32> {
            let until = self.now();
            self.0.live(from, until).map(|write| write.effect).collect()
        }

        fn read(&mut self) -> Vec<u32> {
            let now = self.now();
            self.read_since(now)
        }
    }

    #[test]
    fn what_was_never_written_is_as_it_was() {
        assert_eq!(Run::new().read(), [0]);
    }

    #[test]
    fn an_acknowledged_write_must_be_there() {
        let mut run = Run::new();
        run.write(1);
        assert_eq!(run.read(), [1]);
    }

    #[test]
    fn a_write_in_flight_may_be_there_or_not() {
        let mut run = Run::new();
        run.write(1);
        run.begin(2);
        assert_eq!(run.read(), [1, 2]);
    }

    #[test]
    fn of_two_overlapping_writes_either_may_win() {
        let mut run = Run::new();
        let (a, b) = (run.begin(1), run.begin(2));
        run.end(b);
        run.end(a);
        assert_eq!(run.read(), [1, 2]);
    }

    #[test]
    fn a_read_that_overlaps_an_overwrite_may_give_the_old_value() {
        let mut run = Run::new();
        run.write(1);
        let read = run.now();
        run.write(2);
        assert_eq!(run.read_since(read), [1, 2]);
        assert_eq!(run.read(), [2]);
    }

    #[test]
    fn a_write_that_begins_after_a_read_is_not_met() {
        let mut run = Run::new();
        let read = run.now();
        run.write(1);
        assert_eq!(run.0.live(read, read).map(|write| write.effect).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_refused_write_must_not_be_there() {
        let mut run = Run::new();
        let begun = run.begin(1);
        run.0.withdraw(begun);
        assert_eq!(run.read(), [0]);
    }

    #[test]
    fn what_was_read_once_must_stay() {
        let mut run = Run::new();
        run.begin(1);
        let now = run.now();
        run.0.settle(1, now);
        assert_eq!(run.read(), [1]);
    }
}
