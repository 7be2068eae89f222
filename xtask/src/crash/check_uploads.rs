//! Comparing the multipart uploads that the store has with those that the model allows.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use carob_bucket::MIN_PART_BYTES;
use futures::{StreamExt, TryStreamExt};

use super::check::{Checked, PARALLEL};
use super::model::Condition;
use super::target::ListedPart;
use super::uploads::{End, Parts};
use super::worker::Shared;
use super::{Failure, Target, UploadName};

/// One in so many of the uploads under way is completed while nothing else happens, and one in so many of those that
/// were completed in earlier cycles is completed again.
const SAMPLE: u64 = 5;

/// What is to be done about an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Care {
    /// It is under way: compare its parts.
    Compare,
    /// It is under way: compare its parts, and complete it.
    Finish,
    /// It has ended, and how is to be told.
    Settle,
    /// Long ago it was completed, and must still say so.
    Remind,
}

/// Checks the uploads after a cut and settles the model on them.
pub(super) async fn check_uploads<T: Target>(
    target: &T,
    shared: &Shared,
    cycle: u32,
    page: u32,
) -> Result<Checked> {
    let mut listed = BTreeSet::new();
    for bucket in shared.plan.buckets() {
        let uploads = target.uploads(&bucket, page).await.with_context(|| format!("uploads of {bucket}"))?;
        let keys: Vec<_> = uploads.iter().map(|upload| upload.name.key.as_bytes()).collect();
        ensure!(keys.is_sorted(), "the uploads of {bucket} are listed in the order {keys:?}");
        for upload in uploads {
            ensure!(listed.insert(upload.clone()), "{upload} is listed twice, in pages of {page}");
        }
    }
    let listed = adopt(target, shared, listed).await?;
    let cares = assess(shared, &listed, cycle)?;
    let checks = cares.into_iter().map(|(upload, care)| async move {
        check_upload(target, shared, &upload, care, page).await.with_context(|| format!("{upload}: {care:?}"))
    });
    let each: Vec<Checked> = futures::stream::iter(checks).buffer_unordered(PARALLEL).try_collect().await?;
    let mut checked = Checked::default();
    each.into_iter().for_each(|one| checked += one);
    Ok(checked)
}

/// Uploads whose beginning had no answer: where it is plain which one it is, it is used on, else it is aborted. Gives
/// the uploads that are still under way.
async fn adopt<T: Target>(
    target: &T,
    shared: &Shared,
    mut listed: BTreeSet<UploadName>,
) -> Result<BTreeSet<UploadName>> {
    let unknown: Vec<_> = {
        let model = shared.model();
        listed.iter().filter(|upload| !model.uploads.begun.contains_key(upload)).cloned().collect()
    };
    let mut beginning = std::mem::take(&mut shared.model().uploads.beginning);
    for upload in unknown {
        let ops = beginning.get_mut(&upload.name).map(std::mem::take).unwrap_or_default();
        let Some((op, rest)) = ops.split_first() else { bail!("nobody began {upload}") };
        shared.model().upload_begun(&upload, *op)?;
        if !rest.is_empty() {
            shared.model().begin_abort(&upload);
            target.abort(&upload).await.with_context(|| format!("aborting {upload}"))?;
            shared.model().aborted(&upload)?;
            listed.remove(&upload);
        }
        beginning.insert(upload.name, rest.to_vec());
    }
    Ok(listed)
}

/// Whether the uploads listed are those that may be, and what is to be done about each.
fn assess(shared: &Shared, listed: &BTreeSet<UploadName>, cycle: u32) -> Result<Vec<(UploadName, Care)>> {
    let model = shared.model();
    let mut cares = Vec::new();
    for (upload, state) in &model.uploads.begun {
        let sampled = (state.since + u64::from(cycle)) % SAMPLE == 0;
        let care = if state.settled {
            ensure!(!listed.contains(upload), "{upload} is back after its end");
            if !sampled || state.completions.is_empty() {
                continue;
            }
            Care::Remind
        } else if listed.contains(upload) && state.end == End::None {
            if sampled { Care::Finish } else { Care::Compare }
        } else {
            ensure!(!listed.contains(upload), "{upload} is under way, though it has ended: {:?}", state.end);
            let ended = model.may_be_completed(upload) || model.may_be_aborted(upload);
            ensure!(ended, "{upload}, which nobody ended, is gone");
            Care::Settle
        };
        cares.push((upload.clone(), care));
    }
    Ok(cares)
}

async fn check_upload<T: Target>(
    target: &T,
    shared: &Shared,
    upload: &UploadName,
    care: Care,
    page: u32,
) -> Result<Checked> {
    let mut checked = Checked { uploads: 1, ..Checked::default() };
    match care {
        Care::Compare | Care::Finish => {
            let parts = compare_parts(target, shared, upload, page).await?;
            checked.parts += parts.len();
            shared.model().settle_under_way(upload, &parts);
            let parts = shared.model().completable(upload, MIN_PART_BYTES);
            if care == Care::Finish && !parts.is_empty() {
                shared.model().begin_completion(upload, &parts);
                let etag = complete(target, upload, &parts).await.context("completing it after the cut")?;
                shared.model().completed(upload, &etag)?;
                checked.completions += 1;
                settle_ended(target, shared, upload).await?;
            }
        }
        Care::Settle => {
            let sent = shared.model().completion_sent(upload);
            match sent {
                Some(parts) => match complete(target, upload, &parts).await {
                    Ok(etag) => {
                        shared.model().completed(upload, &etag)?;
                        checked.completions += 1;
                    }
                    Err(Failure::Refused { code, .. })
                        if code == "NoSuchUpload" && shared.model().may_be_aborted(upload) =>
                    {
                        shared.model().aborted(upload)?;
                    }
                    Err(failure) => bail!("its completion cannot be repeated: {failure}"),
                },
                None => shared.model().aborted(upload)?,
            }
            settle_ended(target, shared, upload).await?;
        }
        Care::Remind => {
            let parts = shared.model().completion_sent(upload).unwrap_or_default();
            let etag = complete(target, upload, &parts).await.context("completing it again")?;
            shared.model().completed(upload, &etag)?;
            checked.completions += 1;
        }
    }
    Ok(checked)
}

/// Lists the parts of an upload under way; each must be one that may be there.
async fn compare_parts<T: Target>(
    target: &T,
    shared: &Shared,
    upload: &UploadName,
    page: u32,
) -> Result<Parts> {
    let begun = shared.model().tick();
    let listed = target.parts(upload, page).await.context("listing its parts")?;
    ensure!(listed.is_sorted_by(|a, b| a.number < b.number), "its parts are listed as {listed:?}");
    let numbers: BTreeSet<u16> = shared.model().part_numbers(upload).into_iter().collect();
    let mut parts = Parts::new();
    for number in
        numbers.iter().copied().chain(listed.iter().map(|part| part.number)).collect::<BTreeSet<_>>()
    {
        let possible = shared.model().possible_part(upload, number, begun);
        let found = listed.iter().find(|part| part.number == number);
        let Some(ListedPart { etag, size, .. }) = found else {
            ensure!(possible.contains(&None), "part {number} is not there, but must be one of {possible:x?}");
            continue;
        };
        let same = possible.iter().flatten().find(|part| part.etag == *etag && part.size == *size);
        let Some(content) = same else {
            bail!("part {number} has ETag {etag} and {size} bytes, but must be one of {possible:x?}");
        };
        parts.insert(number, content.clone());
    }
    Ok(parts)
}

async fn complete<T: Target>(target: &T, upload: &UploadName, parts: &Parts) -> Result<String, Failure> {
    let claims: Vec<_> = parts.iter().map(|(number, content)| (*number, &*content.etag)).collect();
    target.complete(upload, &claims, &Condition::None).await
}

/// An upload that has ended has no parts to list.
async fn settle_ended<T: Target>(target: &T, shared: &Shared, upload: &UploadName) -> Result<()> {
    match target.parts(upload, 1).await {
        Err(Failure::Refused { code, .. }) if code == "NoSuchUpload" => {}
        Ok(parts) => bail!("it has ended, but still lists {parts:?}"),
        Err(failure) => bail!("listing its parts after its end: {failure}"),
    }
    shared.model().settle_ended(upload);
    Ok(())
}
