//! Steps of multipart uploads. A step that finds no upload does nothing.

use anyhow::{Result, ensure};
use carob_bucket::MIN_PART_BYTES;

use super::model::{Condition, Object};
use super::plan::{Asks, Portion};
use super::register::Tick;
use super::target::Source;
use super::uploads::{PartEffect, Parts};
use super::worker::{Answer, Outcome, Performer};
use super::{Name, Target, UploadName};

/// The most uploads of one key that are under way at once, as far as it is known.
const UPLOADS_OF_A_KEY: usize = 2;

const NO_SUCH_UPLOAD: &str = "NoSuchUpload";

impl<T: Target> Performer<'_, T> {
    pub(super) async fn begin(mut self, name: &Name, op: u64) -> Result<Outcome> {
        {
            let mut model = self.shared.model();
            if model.under_way(name).len() >= UPLOADS_OF_A_KEY {
                return Ok(Outcome::Done);
            }
            model.begin_upload(name, op);
        }
        let answer = self.target.begin_upload(name, op).await;
        match self.hear("uploads begun", &[], answer)? {
            Answer::Good(upload) => self.shared.model().upload_begun(&upload, op)?,
            Answer::Refused(_) | Answer::Busy => {}
            Answer::Cut => return Ok(Outcome::Cut),
        }
        Ok(Outcome::Done)
    }

    pub(super) async fn part(mut self, name: &Name, number: u16, op: u64, size: u64) -> Result<Outcome> {
        let Some(upload) = self.newest(name) else { return Ok(Outcome::Done) };
        let content = self.shared.bodies.fresh(op, size);
        let body = self.shared.bodies.bytes(&content);
        let begun = self.shared.model().begin_part(&upload, number, PartEffect::Is(Some(content)));
        let answer = self.target.put_part(&upload, number, body).await;
        self.tally.bytes += if answer.is_ok() { size } else { 0 };
        match self.hear("parts", &[NO_SUCH_UPLOAD], answer)? {
            Answer::Good(etag) => self.shared.model().acknowledge_part(&upload, number, begun, &etag)?,
            Answer::Refused(_) => {
                self.must_have_ended(&upload)?;
                self.shared.model().withdraw_part(&upload, number, begun);
            }
            Answer::Busy => {}
            Answer::Cut => return Ok(Outcome::Cut),
        }
        Ok(Outcome::Done)
    }

    pub(super) async fn copy_part(
        mut self,
        name: &Name,
        number: u16,
        source: Name,
        portion: Option<Portion>,
    ) -> Result<Outcome> {
        let Some(upload) = self.newest(name) else { return Ok(Outcome::Done) };
        let likely = self.shared.model().likely(&source);
        let range = portion.zip(likely).and_then(|(portion, object)| portion.of(object.content.size));
        let effect = PartEffect::Copy { source: source.clone(), range: range.clone() };
        let source = Source { name: source, if_match: None };
        let begun = self.shared.model().begin_part(&upload, number, effect);
        let answer = self.target.copy_part(&upload, number, &source, range.clone()).await;
        let codes = [NO_SUCH_UPLOAD, "NoSuchKey", "InvalidArgument", "InvalidRequest"];
        match self.hear("parts copied", &codes, answer)? {
            Answer::Good(etag) => self.shared.model().acknowledge_part(&upload, number, begun, &etag)?,
            Answer::Refused(code) => {
                match &*code {
                    NO_SUCH_UPLOAD => self.must_have_ended(&upload)?,
                    // The range ends behind the source, or begins there.
                    "InvalidArgument" | "InvalidRequest" => {
                        let possible = self.shared.model().possible(&source.name, begun);
                        let range = range.unwrap_or_default();
                        let least = if code == "InvalidRequest" { range.start + 1 } else { range.end };
                        let shorter = possible.iter().flatten().any(|object| object.content.size < least);
                        ensure!(shorter, "no byte {least} of {possible:x?}");
                    }
                    code => ensure!(
                        self.source_may_fail(&source, begun, code),
                        "{code} from {}, which was there",
                        source.name
                    ),
                }
                self.shared.model().withdraw_part(&upload, number, begun);
            }
            Answer::Busy => {}
            Answer::Cut => return Ok(Outcome::Cut),
        }
        Ok(Outcome::Done)
    }

    pub(super) async fn complete(self, name: &Name, asks: Asks) -> Result<Outcome> {
        let Some(upload) = self.newest(name) else { return Ok(Outcome::Done) };
        let parts = self.shared.model().completable(&upload, MIN_PART_BYTES);
        if parts.is_empty() {
            return Ok(Outcome::Done);
        }
        let condition = self.condition(name, asks);
        self.send_completion("completions", &upload, parts, &condition).await
    }

    /// The same completion again, whether it had an answer or not.
    pub(super) async fn repeat(self, name: &Name) -> Result<Outcome> {
        let Some((upload, parts)) = self.shared.model().newest_completion(name) else {
            return Ok(Outcome::Done);
        };
        self.send_completion("completions repeated", &upload, parts, &Condition::None).await
    }

    async fn send_completion(
        mut self,
        kind: &'static str,
        upload: &UploadName,
        parts: Parts,
        condition: &Condition,
    ) -> Result<Outcome> {
        let (begun, object) = {
            let mut model = self.shared.model();
            (model.tick(), model.begin_completion(upload, &parts))
        };
        let claims: Vec<_> = parts.iter().map(|(number, content)| (*number, &*content.etag)).collect();
        let answer = self.target.complete(upload, &claims, condition).await;
        let codes = [NO_SUCH_UPLOAD, "InvalidPart", "PreconditionFailed", "NoSuchKey"];
        match self.hear(kind, &codes, answer)? {
            Answer::Good(etag) => {
                let asked = &object.content.etag;
                ensure!(
                    etag == *asked,
                    "{upload} is completed with ETag {etag}, though its parts make {asked}"
                );
                self.completion_condition_held(upload, &object, begun, condition)?;
                self.shared.model().completed(upload, &etag)?;
            }
            Answer::Refused(code) => {
                self.completion_rightly_refused(upload, &parts, &object, begun, &code, condition)?;
                self.shared.model().completion_refused(upload, &object);
            }
            Answer::Busy => {}
            Answer::Cut => return Ok(Outcome::Cut),
        }
        Ok(Outcome::Done)
    }

    /// Where only one request can have completed the upload, its condition must have held.
    fn completion_condition_held(
        &self,
        upload: &UploadName,
        object: &Object,
        begun: Tick,
        condition: &Condition,
    ) -> Result<()> {
        let mut model = self.shared.model();
        let Some((write, alone)) = model.completion(upload, object) else { return Ok(()) };
        if alone && model.may_be_under_way(upload, model.now()) {
            let possible = model.possible_without(&upload.name, begun, Some(write));
            ensure!(
                condition.may_hold(&possible),
                "{condition:?} held for {upload}, where {possible:x?} was"
            );
        }
        Ok(())
    }

    fn completion_rightly_refused(
        &self,
        upload: &UploadName,
        parts: &Parts,
        object: &Object,
        begun: Tick,
        code: &str,
        condition: &Condition,
    ) -> Result<()> {
        let mut model = self.shared.model();
        if code == NO_SUCH_UPLOAD {
            let ended = model.may_be_aborted(upload) || model.may_be_completed_otherwise(upload, object);
            ensure!(ended, "{upload}, which nobody ended otherwise, cannot be completed");
            return Ok(());
        }
        ensure!(model.may_be_under_way(upload, begun), "{code} from {upload}, which had ended");
        if code == "InvalidPart" {
            let replaced = parts.iter().any(|(number, content)| {
                model.possible_part(upload, *number, begun).iter().any(|held| held.as_ref() != Some(content))
            });
            ensure!(replaced, "{code} from {upload}, which has all parts");
            return Ok(());
        }
        let write = model.completion(upload, object).map_or(begun, |(write, _)| write);
        drop(model);
        self.condition_failed_without(&upload.name, begun, write, code, condition)
    }

    pub(super) async fn abort(mut self, name: &Name) -> Result<Outcome> {
        let Some(upload) = self.newest(name) else { return Ok(Outcome::Done) };
        self.shared.model().begin_abort(&upload);
        let answer = self.target.abort(&upload).await;
        match self.hear("aborts", &[NO_SUCH_UPLOAD], answer)? {
            Answer::Good(()) => self.shared.model().aborted(&upload)?,
            Answer::Refused(_) => {
                self.shared.model().abort_refused(&upload);
                self.must_have_ended(&upload)?;
            }
            Answer::Busy => {}
            Answer::Cut => return Ok(Outcome::Cut),
        }
        Ok(Outcome::Done)
    }

    fn newest(&self, name: &Name) -> Option<UploadName> {
        self.shared.model().under_way(name).pop()
    }

    fn must_have_ended(&self, upload: &UploadName) -> Result<()> {
        let model = self.shared.model();
        let ended = model.may_be_completed(upload) || model.may_be_aborted(upload);
        ensure!(ended, "{upload}, which nobody ended, is gone");
        Ok(())
    }
}
