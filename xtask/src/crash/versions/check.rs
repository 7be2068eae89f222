//! Comparing the versions that the store has with those that the model allows.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt};

use super::super::check::{Checked, PARALLEL, compare};
use super::super::target::Listed;
use super::super::worker::Shared;
use super::super::{Failure, Name, Target};
use super::moments::millis;
use super::plan::Kind;
use super::state::{Body, Id, Lock, Mode, State, Tags, Version};
use super::target::{Found, ListedVersion};

/// A retention that ends so soon, in milliseconds, may end before a deletion is tried.
const SOON: u64 = 60_000;

/// A version as it was read back.
#[derive(Debug)]
struct Held {
    name: String,
    body: Option<Body>,
    tags: Tags,
    lock: Lock,
}

/// Checks all versions after a cut and settles the model on them. The bodies are read, or those that were not before.
pub(in crate::crash) async fn check_versions<T: Target>(
    target: &T,
    shared: &Shared,
    page: u32,
    whole: bool,
) -> Result<Checked> {
    let mut checked = Checked::default();
    for kind in Kind::ALL {
        let bucket = kind.bucket();
        checked +=
            check_bucket(target, shared, &bucket, page, whole).await.with_context(|| bucket.clone())?;
    }
    Ok(checked)
}

async fn check_bucket<T: Target>(
    target: &T,
    shared: &Shared,
    bucket: &str,
    page: u32,
    whole: bool,
) -> Result<Checked> {
    let versioning = target.versioning(bucket).await.context("reading its versioning")?;
    let listed = list(target, bucket, page).await?;
    let reads = listed.iter().map(|listed| async move {
        let held = read(target, shared, bucket, listed, whole).await;
        held.with_context(|| format!("version {} of {}", listed.version, listed.key))
    });
    let held: Vec<Held> = futures::stream::iter(reads).buffered(PARALLEL).try_collect().await?;
    let mut keys: BTreeMap<Name, Vec<Held>> = BTreeMap::new();
    for (listed, held) in listed.iter().zip(held) {
        let name = Name { bucket: bucket.to_owned(), key: listed.key.clone() };
        keys.entry(name).or_default().push(held);
    }
    for name in shared.versions().names() {
        if name.bucket == bucket {
            keys.entry(name).or_default();
        }
    }

    let mut checked = Checked::default();
    let mut current = Vec::new();
    for (name, held) in &keys {
        let settled = shared.versions().settle(name, |state| fits(state, held));
        let state = settled.with_context(|| format!("{name} has {held:x?}"))?;
        checked.versions += state.0.len();
        if let Some(Body { etag, size, .. }) = state.0.first().and_then(|newest| newest.body.clone()) {
            current.push(Listed { key: name.key.clone(), etag, size });
        }
        checked.locked += try_locked(target, shared, name, &state).await.with_context(|| name.to_string())?;
    }
    // Only now, since what a write in flight has made depends on it.
    shared.versions().settle_bucket(bucket, versioning)?;
    let objects = target.list(bucket, page).await.context("listing its objects")?;
    compare("versions", &current, &objects).context("listing its objects")?;
    for Listed { key, etag, .. } in current {
        let name = Name { bucket: bucket.to_owned(), key };
        let found =
            target.read_version(&name, None, !whole).await.with_context(|| format!("reading {name}"))?;
        ensure!(found.etag == etag, "reading {name} gives ETag {}, and not {etag}", found.etag);
    }
    Ok(checked)
}

/// All versions one by one; larger pages must agree.
async fn list<T: Target>(target: &T, bucket: &str, page: u32) -> Result<Vec<ListedVersion>> {
    let pages = target.list_versions(bucket, "", 1).await.context("listing its versions one by one")?;
    let listed = pages.concat();
    let ordered = listed.is_sorted_by(|a, b| a.key.as_bytes() <= b.key.as_bytes());
    ensure!(ordered, "its versions are listed in the order {listed:?}");
    let mut last = None;
    for version in &listed {
        let first = last.replace(&version.key) != Some(&version.key);
        ensure!(version.latest == first, "{version:?} where latest should be {first}");
    }
    let pages = target.list_versions(bucket, "", page).await.context("listing its versions")?;
    let full = pages.iter().rev().skip(1).all(|listed| listed.len() == page as usize);
    ensure!(full, "a page of versions, not the last, has fewer than {page}");
    compare("pages of one", &listed, &pages.concat())
        .with_context(|| format!("listing its versions in pages of {page}"))?;
    Ok(listed)
}

async fn read<T: Target>(
    target: &T,
    shared: &Shared,
    bucket: &str,
    listed: &ListedVersion,
    whole: bool,
) -> Result<Held> {
    let name = Name { bucket: bucket.to_owned(), key: listed.key.clone() };
    let version = Some(&*listed.version);
    let was_read = |(etag, _): &(String, u64)| shared.versions().was_read(&name, &listed.version, etag);
    let head = !whole && listed.object.as_ref().is_some_and(was_read);
    let read = target.read_version(&name, version, head).await;
    let Some((etag, size)) = &listed.object else {
        match read {
            Err(Failure::Refused { code, .. }) if code == "MethodNotAllowed" => {}
            read => bail!("it is a delete marker, but gives {read:?}"),
        }
        let (tags, lock) = (Tags::new(), Lock::default());
        return Ok(Held { name: listed.version.clone(), body: None, tags, lock });
    };
    let Found { version: named, op, etag: read_etag, lock, body } = read?;
    ensure!(named == listed.version, "it calls itself {named}");
    ensure!(read_etag == *etag, "it has ETag {read_etag}, but is listed with {etag}");
    if !head {
        let content = shared.bodies.fresh(op, *size);
        ensure!(content.etag == *etag, "operation {op:#x} made no {size} bytes with ETag {etag}");
        ensure!(body == shared.bodies.bytes(&content), "{} bytes are not those of {content:?}", body.len());
        shared.versions().note_read(&name, &named, etag);
    }
    let tags = target.tags(&name, version).await.context("reading its tags")?;
    let body = Some(Body { op, etag: etag.clone(), size: *size });
    Ok(Held { name: named, body, tags, lock })
}

/// Whether a state is what was read, and what its versions are called.
fn fits(state: &State, held: &[Held]) -> Option<Vec<(Id, String)>> {
    if state.0.len() != held.len() {
        return None;
    }
    let pair = |(version, held): (&Version, &Held)| {
        let Version { id, body, tags, lock } = version;
        let same = *body == held.body && *tags == held.tags && *lock == held.lock;
        same.then(|| (*id, held.name.clone()))
    };
    state.0.iter().zip(held).map(pair).collect()
}

/// Tries to delete every version that is locked; none may go. Gives how many there are.
async fn try_locked<T: Target>(target: &T, shared: &Shared, name: &Name, state: &State) -> Result<usize> {
    let mut tried = 0;
    for Version { id, lock, .. } in &state.0 {
        let far = lock.retention.filter(|retention| retention.until > millis() + SOON);
        let compliance = far.is_some_and(|retention| retention.mode == Mode::Compliance);
        if far.is_none() && !lock.hold {
            continue;
        }
        let version = shared.versions().name_of(name, *id).context("a version without a name")?;
        let bypasses: &[bool] = if lock.hold || compliance { &[false, true] } else { &[false] };
        for bypass in bypasses {
            match target.delete_version(name, Some(&version), *bypass).await {
                Err(Failure::Refused { code, .. }) if code == "AccessDenied" => {}
                answer => bail!("{version} has {lock:?}, but its deletion gives {answer:?}"),
            }
        }
        tried += 1;
    }
    Ok(tried)
}
