//! A crash run must notice a store that acknowledges what it does not do, or it proves nothing.

use std::ops::Range;

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use carob_bucket::{Space, Versioning};
use md5::{Digest, Md5};

use super::content::Content;
use super::lives::{Alive, Dead, LivesTarget, Past};
use super::model::Condition;
use super::plan::Plan;
use super::target::{Failure, Found, Listed, ListedPart, Name, Source, Target, UploadName};
use super::versions::{
    Deleted, Found as FoundVersion, ListedVersion, Lock, Retention, Tags, VersionedTarget,
};
use super::{power_cut, run};

/// What is acknowledged and not done.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Delete,
    Copy,
    /// A copy keeps the metadata that it should replace.
    Replace,
    Part,
    Complete,
    /// A completion cannot be repeated.
    Repeat,
    Abort,
    /// Uploads under way are not listed.
    Uploads,
    /// No delete marker is made.
    Marker,
    Version,
    Tags,
    Retention,
    Hold,
    Switch,
    /// A version written with a lock has none.
    Lock,
    /// Versions that are not current are not listed.
    Noncurrent,
    Bucket,
    Undelete,
    /// A bucket that comes back has another retention.
    Configured,
    /// A bucket that comes back has lost its past.
    Past,
    Keep,
    None,
}

#[derive(Debug, Clone)]
struct Forgetful {
    space: Space,
    fault: Fault,
}

struct Machine(power_cut::Machine, Fault);

#[async_trait]
impl super::Machine for Machine {
    type Target = Forgetful;
    const FULL_EVERY: u32 = power_cut::Machine::FULL_EVERY;

    async fn start(&mut self) -> Result<Forgetful> {
        Ok(Forgetful { space: self.0.start().await?, fault: self.1 })
    }
    async fn cut(&mut self) -> Result<()> {
        self.0.cut().await
    }
    async fn stop(&mut self) -> Result<()> {
        self.0.stop().await
    }
    async fn verify(&mut self, buckets: &[String]) -> Result<()> {
        self.0.verify(buckets).await
    }
    async fn wipe(&mut self, cycle: u32) -> Result<()> {
        self.0.wipe(cycle).await
    }
}

#[async_trait]
impl Target for Forgetful {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Failure> {
        Target::create_bucket(&self.space, bucket).await
    }

    async fn put(&self, name: &Name, op: u64, body: Bytes, condition: &Condition) -> Result<String, Failure> {
        self.space.put(name, op, body, condition).await
    }

    async fn copy(
        &self,
        name: &Name,
        source: &Source,
        op: Option<u64>,
        condition: &Condition,
    ) -> Result<String, Failure> {
        if matches!(self.fault, Fault::Copy) {
            let found = self.space.get(&source.name).await?;
            return found.map(|found| found.etag).ok_or_else(|| refused("NoSuchKey"));
        }
        let op = op.filter(|_| !matches!(self.fault, Fault::Replace));
        self.space.copy(name, source, op, condition).await
    }

    async fn get(&self, name: &Name) -> Result<Option<Found>, Failure> {
        self.space.get(name).await
    }

    async fn delete(&self, name: &Name, if_match: Option<&str>) -> Result<(), Failure> {
        match self.fault {
            Fault::Delete => Ok(()),
            _ => self.space.delete(name, if_match).await,
        }
    }

    async fn delete_many(&self, bucket: &str, keys: &[&str]) -> Result<(), Failure> {
        self.space.delete_many(bucket, keys).await
    }

    async fn list(&self, bucket: &str, page: u32) -> Result<Vec<Listed>, Failure> {
        self.space.list(bucket, page).await
    }

    async fn begin_upload(&self, name: &Name, op: u64) -> Result<UploadName, Failure> {
        self.space.begin_upload(name, op).await
    }

    async fn put_part(&self, upload: &UploadName, number: u16, body: Bytes) -> Result<String, Failure> {
        match self.fault {
            Fault::Part => Ok(hex::encode(Md5::digest(&body))),
            _ => self.space.put_part(upload, number, body).await,
        }
    }

    async fn copy_part(
        &self,
        upload: &UploadName,
        number: u16,
        source: &Source,
        range: Option<Range<u64>>,
    ) -> Result<String, Failure> {
        self.space.copy_part(upload, number, source, range).await
    }

    async fn complete(
        &self,
        upload: &UploadName,
        parts: &[(u16, &str)],
        condition: &Condition,
    ) -> Result<String, Failure> {
        match self.fault {
            Fault::Complete => Ok(Content::etag_of_parts(parts.iter().map(|(_, etag)| *etag))),
            Fault::Repeat => {
                self.space.parts(upload, 1).await?;
                self.space.complete(upload, parts, condition).await
            }
            _ => self.space.complete(upload, parts, condition).await,
        }
    }

    async fn abort(&self, upload: &UploadName) -> Result<(), Failure> {
        match self.fault {
            Fault::Abort => Ok(()),
            _ => self.space.abort(upload).await,
        }
    }

    async fn uploads(&self, bucket: &str, page: u32) -> Result<Vec<UploadName>, Failure> {
        match self.fault {
            Fault::Uploads => Ok(Vec::new()),
            _ => self.space.uploads(bucket, page).await,
        }
    }

    async fn parts(&self, upload: &UploadName, page: u32) -> Result<Vec<ListedPart>, Failure> {
        self.space.parts(upload, page).await
    }
}

#[async_trait]
impl VersionedTarget for Forgetful {
    async fn create_locked(&self, bucket: &str) -> Result<(), Failure> {
        self.space.create_locked(bucket).await
    }

    async fn set_versioning(&self, bucket: &str, versioning: Versioning) -> Result<(), Failure> {
        // What the run begins with is not to be forgotten.
        match (self.fault, versioning) {
            (Fault::Switch, Versioning::Suspended) => Ok(()),
            _ => self.space.set_versioning(bucket, versioning).await,
        }
    }

    async fn versioning(&self, bucket: &str) -> Result<Versioning, Failure> {
        self.space.versioning(bucket).await
    }

    async fn put_version(
        &self,
        name: &Name,
        op: u64,
        body: Bytes,
        tags: &Tags,
        lock: Lock,
    ) -> Result<String, Failure> {
        let lock = if matches!(self.fault, Fault::Lock) { Lock::default() } else { lock };
        self.space.put_version(name, op, body, tags, lock).await
    }

    async fn delete_version(
        &self,
        name: &Name,
        version: Option<&str>,
        bypass: bool,
    ) -> Result<Deleted, Failure> {
        match (self.fault, version) {
            (Fault::Marker, None) => Ok(Deleted { version: None, marker: false }),
            (Fault::Version, Some(version)) => {
                Ok(Deleted { version: Some(version.to_owned()), marker: false })
            }
            _ => self.space.delete_version(name, version, bypass).await,
        }
    }

    async fn read_version(
        &self,
        name: &Name,
        version: Option<&str>,
        head: bool,
    ) -> Result<FoundVersion, Failure> {
        self.space.read_version(name, version, head).await
    }

    async fn list_versions(
        &self,
        bucket: &str,
        prefix: &str,
        page: u32,
    ) -> Result<Vec<Vec<ListedVersion>>, Failure> {
        let mut pages = self.space.list_versions(bucket, prefix, page).await?;
        if matches!(self.fault, Fault::Noncurrent) {
            pages.iter_mut().for_each(|page| page.retain(|version| version.latest));
        }
        Ok(pages)
    }

    async fn tags(&self, name: &Name, version: Option<&str>) -> Result<Tags, Failure> {
        self.space.tags(name, version).await
    }

    async fn put_tags(&self, name: &Name, version: Option<&str>, tags: &Tags) -> Result<(), Failure> {
        match self.fault {
            Fault::Tags => self.space.tags(name, version).await.map(drop),
            _ => self.space.put_tags(name, version, tags).await,
        }
    }

    async fn retain(
        &self,
        name: &Name,
        version: Option<&str>,
        retention: Option<Retention>,
        bypass: bool,
    ) -> Result<(), Failure> {
        match self.fault {
            Fault::Retention => self.space.tags(name, version).await.map(drop),
            _ => self.space.retain(name, version, retention, bypass).await,
        }
    }

    async fn hold(&self, name: &Name, version: Option<&str>, on: bool) -> Result<(), Failure> {
        match self.fault {
            Fault::Hold => self.space.tags(name, version).await.map(drop),
            _ => self.space.hold(name, version, on).await,
        }
    }
}

#[async_trait]
impl LivesTarget for Forgetful {
    async fn bring_to_life(&self, bucket: &str) -> Result<Option<String>, Failure> {
        self.space.bring_to_life(bucket).await
    }

    async fn delete_bucket(&self, bucket: &str) -> Result<(), Failure> {
        match self.fault {
            Fault::Bucket => self.space.list(bucket, 1).await.map(drop),
            _ => LivesTarget::delete_bucket(&self.space, bucket).await,
        }
    }

    async fn undelete(&self, bucket: &str, id: Option<&str>, to: Option<&str>) -> Result<String, Failure> {
        if matches!(self.fault, Fault::Undelete) {
            let dead = LivesTarget::dead(&self.space).await?;
            let found =
                dead.into_iter().rfind(|dead| dead.name == bucket && id.is_none_or(|id| dead.id == id));
            return found.map(|found| found.id).ok_or_else(|| refused("NotDeleted"));
        }
        let back = self.space.undelete(bucket, id, to).await?;
        let name = to.unwrap_or(bucket);
        match self.fault {
            // Which others may have deleted again.
            Fault::Configured => drop(self.space.keep(name, 1234).await),
            Fault::Past => {
                let kept = LivesTarget::alive(&self.space).await?;
                let kept = kept.into_iter().find(|alive| alive.name == name).map(|alive| alive.kept);
                drop(self.space.keep(name, 0).await);
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                drop(self.space.keep(name, kept.unwrap_or_default()).await);
            }
            _ => {}
        }
        Ok(back)
    }

    async fn keep(&self, bucket: &str, seconds: u64) -> Result<(), Failure> {
        match self.fault {
            Fault::Keep => self.space.list(bucket, 1).await.map(drop),
            _ => self.space.keep(bucket, seconds).await,
        }
    }

    async fn alive(&self) -> Result<Vec<Alive>, Failure> {
        self.space.alive().await
    }

    async fn dead(&self) -> Result<Vec<Dead>, Failure> {
        self.space.dead().await
    }

    async fn past(&self, bucket: &str, limit: usize) -> Result<Vec<Past>, Failure> {
        self.space.past(bucket, limit).await
    }

    async fn get_at(&self, name: &Name, commit: &str) -> Result<Bytes, Failure> {
        self.space.get_at(name, commit).await
    }
}

fn refused(code: &str) -> Failure {
    let (status, message) = (http::StatusCode::NOT_FOUND, String::new());
    Failure::Refused { status, code: code.into(), message }
}

async fn run_with(fault: Fault, cycles: u32) -> Result<()> {
    run::run(&Plan::new(2), 0..cycles, None, &mut Machine(power_cut::Machine::new(2), fault)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_acknowledged_and_not_done_are_caught() {
    for fault in [
        Fault::Delete,
        Fault::Copy,
        Fault::Replace,
        Fault::Part,
        Fault::Complete,
        Fault::Repeat,
        Fault::Abort,
        Fault::Uploads,
        Fault::Marker,
        Fault::Version,
        Fault::Tags,
        Fault::Retention,
        Fault::Hold,
        Fault::Switch,
        Fault::Lock,
        Fault::Noncurrent,
        Fault::Bucket,
        Fault::Undelete,
        Fault::Configured,
        Fault::Past,
        Fault::Keep,
    ] {
        let caught = run_with(fault, 20).await.expect_err(&format!("{fault:?} was not noticed"));
        let caught = format!("{caught:#}");
        // That would say nothing of the fault.
        assert!(!caught.contains("panicked"), "{fault:?}: {caught}");
        println!("{fault:?}: {caught}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_fault_nothing_is_caught() {
    run_with(Fault::None, 3).await.unwrap();
}
