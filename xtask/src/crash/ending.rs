//! How uploads end in the model: an upload that is completed is one write of its key, however often that is asked.

use anyhow::{Result, ensure};

use super::UploadName;
use super::content::Content;
use super::model::{Effect, Model, Object};
use super::register::Tick;
use super::uploads::{Completion, End, Parts};

impl Model {
    /// Whether an operation that began at `begun` may have found the upload under way.
    pub(super) fn may_be_under_way(&self, upload: &UploadName, begun: Tick) -> bool {
        self.uploads.begun.get(upload).is_some_and(|state| match state.end {
            End::None => true,
            End::Completed { at } | End::Aborted { at } => at > begun,
        })
    }

    /// Whether the upload may be an object now.
    pub(super) fn may_be_completed(&self, upload: &UploadName) -> bool {
        self.uploads.begun.get(upload).is_some_and(|state| !state.completions.is_empty())
    }

    /// Whether the upload may be an object now that was made of other parts.
    pub(super) fn may_be_completed_otherwise(&self, upload: &UploadName, object: &Object) -> bool {
        let state = self.uploads.begun.get(upload);
        state.is_some_and(|state| state.completions.iter().any(|other| other.object != *object))
    }

    /// Whether the upload may be aborted now.
    pub(super) fn may_be_aborted(&self, upload: &UploadName) -> bool {
        self.uploads.begun.get(upload).is_some_and(|state| match state.end {
            End::None => state.aborts > 0,
            End::Completed { .. } => false,
            End::Aborted { .. } => true,
        })
    }

    /// A completion of these parts goes out; gives the object that it makes.
    pub(super) fn begin_completion(&mut self, upload: &UploadName, parts: &Parts) -> Object {
        let op = self.uploads.begun.get(upload).map_or(0, |state| state.op);
        let object = Object { op, content: Content::of_parts(&parts.values().collect::<Vec<_>>()) };
        if let Some(same) = self.completion_mut(upload, &object) {
            same.open += 1;
            return object;
        }
        if matches!(self.uploads.begun.get(upload), Some(state) if state.end == End::None) {
            let write = self.begin(&upload.name, Effect::OneOf(vec![Some(object.clone())]));
            let new = Completion { parts: parts.clone(), object: object.clone(), write, open: 1 };
            if let Some(state) = self.uploads.begun.get_mut(upload) {
                state.completions.push(new);
            }
        }
        object
    }

    /// The write of a completion that may have happened, and whether only one request for it was sent.
    pub(super) fn completion(&mut self, upload: &UploadName, object: &Object) -> Option<(Tick, bool)> {
        self.completion_mut(upload, object).map(|completion| (completion.write, completion.open == 1))
    }

    /// A completion is acknowledged with this entity tag.
    pub(super) fn completed(&mut self, upload: &UploadName, etag: &str) -> Result<()> {
        let now = self.tick();
        let Some(state) = self.uploads.begun.get(upload) else { return Ok(()) };
        ensure!(!matches!(state.end, End::Aborted { .. }), "{upload} was completed after it was aborted");
        let happened = state.completions.iter().find(|completion| completion.object.content.etag == etag);
        let Some(Completion { parts, object, write, .. }) = happened.cloned() else {
            anyhow::bail!(
                "{upload} is completed with ETag {etag}, but only {:x?} could be",
                state.completions
            );
        };
        if matches!(state.end, End::Completed { .. }) {
            return Ok(());
        }
        for (number, content) in parts {
            let held = self.possible_part(upload, number, write);
            let known = held.iter().flatten().any(|held| held.etag == content.etag);
            ensure!(known, "{upload} was completed with a part {number} that it did not have");
        }
        self.acknowledge(&upload.name, write);
        self.withdraw_completions(upload, |other| other.object != object);
        self.end(upload, End::Completed { at: now });
        Ok(())
    }

    /// A completion was refused: this request did not end the upload.
    pub(super) fn completion_refused(&mut self, upload: &UploadName, object: &Object) {
        let completed = matches!(self.uploads.begun.get(upload), Some(state) if state.end != End::None);
        let Some(completion) = self.completion_mut(upload, object) else { return };
        completion.open = completion.open.saturating_sub(1);
        if completion.open == 0 && !completed {
            self.withdraw_completions(upload, |other| other.object == *object);
        }
    }

    /// An abort goes out.
    pub(super) fn begin_abort(&mut self, upload: &UploadName) {
        if let Some(state) = self.uploads.begun.get_mut(upload) {
            state.aborts += 1;
        }
    }

    /// An abort is acknowledged.
    pub(super) fn aborted(&mut self, upload: &UploadName) -> Result<()> {
        let now = self.tick();
        let end = self.uploads.begun.get(upload).map(|state| &state.end);
        ensure!(!matches!(end, Some(End::Completed { .. })), "{upload} was aborted after it was completed");
        self.withdraw_completions(upload, |_| true);
        self.end(upload, End::Aborted { at: now });
        self.abort_refused(upload);
        Ok(())
    }

    /// An abort was refused: this request did not end the upload.
    pub(super) fn abort_refused(&mut self, upload: &UploadName) {
        if let Some(state) = self.uploads.begun.get_mut(upload) {
            state.aborts = state.aborts.saturating_sub(1);
        }
    }

    /// Those completions did not happen, and neither did their writes.
    pub(super) fn withdraw_completions(&mut self, upload: &UploadName, which: impl Fn(&Completion) -> bool) {
        let Some(state) = self.uploads.begun.get_mut(upload) else { return };
        let (withdrawn, left) = std::mem::take(&mut state.completions).into_iter().partition(|c| which(c));
        state.completions = left;
        for Completion { write, .. } in withdrawn as Vec<Completion> {
            self.withdraw(&upload.name, write);
        }
    }

    fn end(&mut self, upload: &UploadName, end: End) {
        if let Some(state) = self.uploads.begun.get_mut(upload) {
            state.end = end;
        }
    }

    fn completion_mut(&mut self, upload: &UploadName, object: &Object) -> Option<&mut Completion> {
        let state = self.uploads.begun.get_mut(upload)?;
        state.completions.iter_mut().find(|completion| completion.object == *object)
    }
}
