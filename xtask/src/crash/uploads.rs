//! What multipart uploads may be in, given what was acknowledged.
//!
//! An upload is begun, has parts, and ends once: as an object, or aborted. Its parts are registers of their own. As
//! long as no end of it is acknowledged, every completion and abort that was sent and not refused may have ended it.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Result, ensure};

use super::content::Content;
use super::model::{Model, Object};
use super::register::{Register, Tick};
use super::{Name, UploadName};

/// All uploads that were ever begun.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    pub(super) begun: BTreeMap<UploadName, Upload>,
    /// Operations that begin an upload and have no answer, so that its name is not known.
    pub(super) beginning: BTreeMap<Name, Vec<u64>>,
}

/// One upload.
#[derive(Debug)]
pub(super) struct Upload {
    /// The operation that began it.
    pub(super) op: u64,
    /// Since when its name is known.
    pub(super) since: Tick,
    pub(super) end: End,
    /// Nobody will say anything new about how it ended.
    pub(super) settled: bool,
    /// Completions that may have happened; of a completed upload, the one that did.
    pub(super) completions: Vec<Completion>,
    /// Aborts without an answer.
    pub(super) aborts: u32,
    parts: BTreeMap<u16, Register<PartEffect>>,
}

/// What is acknowledged of an upload's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    None,
    Completed { at: Tick },
    Aborted { at: Tick },
}

/// What completions of the same parts come to.
#[derive(Debug, Clone)]
pub(super) struct Completion {
    pub(super) parts: Parts,
    pub(super) object: Object,
    /// The one write of the object, however often the completion is repeated.
    pub(super) write: Tick,
    /// Requests without an answer.
    pub(super) open: u32,
}

/// Parts by their numbers.
pub(super) type Parts = BTreeMap<u16, Content>;

/// What a write of a part puts there.
#[derive(Debug, Clone)]
pub(super) enum PartEffect {
    Is(Option<Content>),
    /// What `source` held meanwhile, or a range of it.
    Copy {
        source: Name,
        range: Option<Range<u64>>,
    },
}

impl Model {
    /// A request goes out that begins an upload.
    pub(super) fn begin_upload(&mut self, name: &Name, op: u64) {
        self.uploads.beginning.entry(name.clone()).or_default().push(op);
    }

    /// The upload that operation `op` began has a name.
    pub(super) fn upload_begun(&mut self, upload: &UploadName, op: u64) -> Result<()> {
        let since = self.tick();
        if let Some(ops) = self.uploads.beginning.get_mut(&upload.name) {
            ops.retain(|other| *other != op);
        }
        let state = Upload {
            op,
            since,
            end: End::None,
            settled: false,
            completions: Vec::new(),
            aborts: 0,
            parts: BTreeMap::new(),
        };
        let before = self.uploads.begun.insert(upload.clone(), state);
        ensure!(before.is_none(), "{upload} is the name of two uploads");
        Ok(())
    }

    /// The uploads of a key that have not ended as far as it is known, the newest last.
    pub(super) fn under_way(&self, name: &Name) -> Vec<UploadName> {
        let mut found: Vec<_> = self.of(name).filter(|(_, state)| state.end == End::None).collect();
        found.sort_unstable_by_key(|(_, state)| state.since);
        found.into_iter().map(|(upload, _)| upload.clone()).collect()
    }

    /// What the newest upload of a key that may be an object was made of.
    pub(super) fn newest_completion(&self, name: &Name) -> Option<(UploadName, Parts)> {
        let sent =
            self.of(name).filter_map(|(upload, state)| Some((upload, state, state.completions.last()?)));
        let (upload, _, completion) = sent.max_by_key(|(_, state, _)| state.since)?;
        Some((upload.clone(), completion.parts.clone()))
    }

    fn of(&self, name: &Name) -> impl Iterator<Item = (&UploadName, &Upload)> {
        self.uploads.begun.iter().filter(move |(upload, _)| upload.name == *name)
    }

    /// A write of a part goes out.
    pub(super) fn begin_part(&mut self, upload: &UploadName, number: u16, effect: PartEffect) -> Tick {
        let begun = self.tick();
        if let Some(state) = self.uploads.begun.get_mut(upload) {
            let register = state.parts.entry(number).or_insert_with(|| Register::new(PartEffect::Is(None)));
            register.begin(effect, begun);
        }
        begun
    }

    /// The write of a part is acknowledged with this entity tag.
    pub(super) fn acknowledge_part(
        &mut self,
        upload: &UploadName,
        number: u16,
        begun: Tick,
        etag: &str,
    ) -> Result<()> {
        let now = self.tick();
        ensure!(self.may_be_under_way(upload, begun), "{upload} took a part after its end");
        let register = self.uploads.begun.get(upload).and_then(|state| state.parts.get(&number));
        let write =
            register.and_then(|register| register.live(begun, now).find(|write| write.begun == begun));
        let could = write.map(|write| self.part_values(&write.effect, begun, now)).unwrap_or_default();
        let content = could.iter().flatten().find(|content| content.etag == etag).cloned();
        ensure!(
            content.is_some(),
            "part {number} of {upload} was written with ETag {etag}, but only {could:x?} could be"
        );
        let register = self.uploads.begun.get_mut(upload).and_then(|state| state.parts.get_mut(&number));
        if let Some(register) = register {
            if let Some(write) = register.write_mut(begun) {
                write.effect = PartEffect::Is(content);
            }
            register.acknowledge(begun, now);
        }
        Ok(())
    }

    /// The write of a part did not happen.
    pub(super) fn withdraw_part(&mut self, upload: &UploadName, number: u16, begun: Tick) {
        let register = self.uploads.begun.get_mut(upload).and_then(|state| state.parts.get_mut(&number));
        if let Some(register) = register {
            register.withdraw(begun);
        }
    }

    /// What a read of a part that began at `begun` and ends now may give.
    pub(super) fn possible_part(
        &self,
        upload: &UploadName,
        number: u16,
        begun: Tick,
    ) -> Vec<Option<Content>> {
        let register = self.uploads.begun.get(upload).and_then(|state| state.parts.get(&number));
        let Some(register) = register else { return vec![None] };
        let until = self.now() + 1;
        register
            .live(begun, until)
            .flat_map(|write| {
                self.part_values(&write.effect, write.begun, write.acknowledged.unwrap_or(until))
            })
            .collect()
    }

    /// The numbers that were ever written.
    pub(super) fn part_numbers(&self, upload: &UploadName) -> Vec<u16> {
        self.uploads.begun.get(upload).map(|state| state.parts.keys().copied().collect()).unwrap_or_default()
    }

    /// A listing after a cut gave these parts of an upload under way: nothing else is there, and it has not ended.
    pub(super) fn settle_under_way(&mut self, upload: &UploadName, parts: &Parts) {
        let now = self.tick();
        let Some(state) = self.uploads.begun.get_mut(upload) else { return };
        state.aborts = 0;
        for (number, register) in &mut state.parts {
            register.settle(PartEffect::Is(parts.get(number).cloned()), now);
        }
        self.withdraw_completions(upload, |_| true);
    }

    /// A check has told how an upload ended.
    pub(super) fn settle_ended(&mut self, upload: &UploadName) {
        if let Some(state) = self.uploads.begun.get_mut(upload) {
            state.settled = true;
            state.parts.clear();
        }
    }

    /// The parts of a completion that was sent, if one was.
    pub(super) fn completion_sent(&self, upload: &UploadName) -> Option<Parts> {
        Some(self.uploads.begun.get(upload)?.completions.first()?.parts.clone())
    }

    /// The parts that a client takes an upload to have, without those that S3 refuses before others.
    pub(super) fn completable(&self, upload: &UploadName, min_size: u64) -> Parts {
        let Some(state) = self.uploads.begun.get(upload) else { return Parts::new() };
        let newest = |register: &Register<PartEffect>| match &register.newest()?.effect {
            PartEffect::Is(content) => content.clone(),
            PartEffect::Copy { .. } => None,
        };
        let mut parts: Parts =
            state.parts.iter().filter_map(|(number, register)| Some((*number, newest(register)?))).collect();
        let last = parts.keys().next_back().copied();
        parts.retain(|number, content| content.size >= min_size || Some(*number) == last);
        parts
    }

    fn part_values(&self, effect: &PartEffect, from: Tick, until: Tick) -> Vec<Option<Content>> {
        match effect {
            PartEffect::Is(content) => vec![content.clone()],
            PartEffect::Copy { source, range } => {
                let sources = self.possible_between(source, from, until).into_iter().flatten();
                let slice = |Object { content, .. }: Object| {
                    let range = range.clone().unwrap_or(0..content.size);
                    (range.end <= content.size).then(|| Some(self.bodies.slice(&content, &range)))
                };
                sources.filter_map(slice).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::Bodies;
    use super::*;

    /// A model with one upload.
    struct Run {
        model: Model,
        upload: UploadName,
    }

    impl Run {
        fn new() -> Self {
            let name = Name { bucket: "bucket".into(), key: "key".into() };
            let upload = UploadName { name, id: "id".into() };
            let mut model = Model::new(Bodies::default());
            model.begin_upload(&upload.name, 7);
            model.upload_begun(&upload, 7).unwrap();
            Self { model, upload }
        }

        fn part(op: u64) -> Content {
            Bodies::default().fresh(op, 10)
        }

        fn begin_part(&mut self, op: u64) -> Tick {
            self.model.begin_part(&self.upload, 1, PartEffect::Is(Some(Self::part(op))))
        }

        fn put_part(&mut self, op: u64) {
            let begun = self.begin_part(op);
            let etag = Self::part(op).etag;
            self.model.acknowledge_part(&self.upload, 1, begun, &etag).unwrap();
        }

        fn read_part(&mut self) -> Vec<Option<Content>> {
            let now = self.model.tick();
            self.model.possible_part(&self.upload, 1, now)
        }

        /// A completion goes out; gives the object that it makes.
        fn begin_completion(&mut self) -> Object {
            let parts = self.model.completable(&self.upload, 5);
            self.model.begin_completion(&self.upload, &parts)
        }

        /// Whether the key may be empty, and whether it may hold an object.
        fn read_object(&mut self) -> (bool, bool) {
            let now = self.model.tick();
            let possible = self.model.possible(&self.upload.name, now);
            (possible.contains(&None), possible.iter().any(Option::is_some))
        }
    }

    #[test]
    fn a_part_acknowledged_must_be_there_and_one_in_flight_may() {
        let mut run = Run::new();
        assert_eq!(run.read_part(), [None]);
        run.put_part(1);
        run.begin_part(2);
        assert_eq!(run.read_part(), [Some(Run::part(1)), Some(Run::part(2))]);
    }

    #[test]
    fn a_part_with_the_entity_tag_of_another_is_wrong() {
        let mut run = Run::new();
        let begun = run.begin_part(1);
        let etag = Run::part(2).etag;
        assert!(run.model.acknowledge_part(&run.upload, 1, begun, &etag).is_err());
    }

    #[test]
    fn an_upload_takes_no_part_after_its_end() {
        let mut run = Run::new();
        run.model.begin_abort(&run.upload);
        run.model.aborted(&run.upload).unwrap();
        let begun = run.begin_part(1);
        let etag = Run::part(1).etag;
        assert!(run.model.acknowledge_part(&run.upload, 1, begun, &etag).is_err());
    }

    #[test]
    fn a_completion_in_flight_may_have_made_the_object_until_the_upload_is_seen() {
        let mut run = Run::new();
        run.put_part(1);
        run.begin_completion();
        assert_eq!(run.read_object(), (true, true));
        let parts = Parts::from([(1, Run::part(1))]);
        run.model.settle_under_way(&run.upload, &parts);
        assert_eq!(run.read_object(), (true, false));
    }

    #[test]
    fn a_completion_repeated_is_one_write() {
        let mut run = Run::new();
        run.put_part(1);
        let object = run.begin_completion();
        assert_eq!(run.begin_completion(), object);
        run.model.completed(&run.upload, &object.content.etag).unwrap();
        let delete = run.model.begin(&run.upload.name, super::super::model::Effect::OneOf(vec![None]));
        run.model.acknowledge(&run.upload.name, delete);
        // The answer to the repetition comes last, and brings nothing back.
        run.model.completed(&run.upload, &object.content.etag).unwrap();
        assert_eq!(run.read_object(), (true, false));
    }

    #[test]
    fn a_completion_with_another_entity_tag_the_second_time_is_wrong() {
        let mut run = Run::new();
        run.put_part(1);
        let first = run.begin_completion();
        run.put_part(2);
        let second = run.begin_completion();
        run.model.completed(&run.upload, &first.content.etag).unwrap();
        assert!(run.model.completed(&run.upload, &second.content.etag).is_err());
    }

    #[test]
    fn a_completion_may_find_the_upload_completed_with_other_parts() {
        let mut run = Run::new();
        run.put_part(1);
        let first = run.begin_completion();
        assert!(!run.model.may_be_completed_otherwise(&run.upload, &first));
        run.put_part(2);
        let second = run.begin_completion();
        assert!(run.model.may_be_completed_otherwise(&run.upload, &first));
        run.model.completed(&run.upload, &first.content.etag).unwrap();
        assert!(!run.model.may_be_completed_otherwise(&run.upload, &first));
        assert!(run.model.may_be_completed_otherwise(&run.upload, &second));
    }

    #[test]
    fn an_upload_ends_once() {
        let mut run = Run::new();
        run.put_part(1);
        let object = run.begin_completion();
        run.model.begin_abort(&run.upload);
        run.model.aborted(&run.upload).unwrap();
        assert_eq!(run.read_object(), (true, false));
        assert!(run.model.completed(&run.upload, &object.content.etag).is_err());
    }
}
