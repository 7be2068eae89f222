//! Writes, deletions and amendments of objects applied to a group, by the bucket's versioning.

use std::sync::Arc;

use bytes::Bytes;
use carob_commit::{
    Config, DeleteMarker, Lock, Record, TreeValue, Version, VersionId, VersionName, Versioning,
};
use carob_identity::Timestamp;
use carob_index::Entry;

use crate::amend::Amendment;
use crate::bucket::{DeleteOptions, check_key};
use crate::configure::ConfigChange;
use crate::group::{Builder, Outcomes};
use crate::{BucketError, Found, Precondition, lock, versions};

/// What came of a deletion.
#[derive(Debug)]
pub(crate) struct Removed {
    pub(crate) existed: bool,
    pub(crate) version: Option<VersionName>,
    pub(crate) delete_marker: bool,
    /// Which of the group's commits is the first without it.
    pub(crate) at: usize,
}

impl Builder<'_> {
    /// The outer error fails the group, the inner one the operation.
    pub(crate) async fn put(
        &mut self,
        key: &str,
        record: &Record,
        precondition: &Precondition,
    ) -> Outcomes<(Arc<Record>, usize)> {
        self.seal_before(key).await?;
        let versioning = self.tip.snapshot.config().versioning;
        let mut current = None;
        if versioning != Versioning::Unversioned || !precondition.is_none() {
            current = self.current(key).await?;
            if let Err(error) = precondition.check(key, current.as_ref().map(|record| record.etag)) {
                return Ok(Err(error));
            }
        }
        let mut record = record.clone();
        record.modified = self.time.timestamp();
        match lock::of_new_version(record.lock, self.tip.snapshot.config(), record.modified) {
            Ok(lock) => record.lock = lock,
            Err(error) => return Ok(Err(error)),
        }
        record.version = (versioning != Versioning::Unversioned).then(|| self.new_version());
        record.null = versioning == Versioning::Suspended;
        if record.null
            && let Err(error) = self.remove_null(key, current.as_deref()).await?
        {
            return Ok(Err(error));
        }
        self.keep_replaced(key, current.as_deref(), versioning)?;
        self.set_current(key, &record)?;
        Ok(Ok((Arc::new(record), self.commits.len())))
    }

    pub(crate) async fn delete(&mut self, key: &str, options: &DeleteOptions) -> Outcomes<Removed> {
        if let Err(error) = check_key(key) {
            return Ok(Err(error));
        }
        self.seal_before(key).await?;
        let current = self.current(key).await?;
        match options.version {
            Some(version) => self.delete_version(key, version, current.as_deref(), options).await,
            None => self.delete_current(key, current.as_deref(), options).await,
        }
    }

    /// As without a version: what is there is kept, if the bucket keeps versions.
    async fn delete_current(
        &mut self,
        key: &str,
        current: Option<&Record>,
        options: &DeleteOptions,
    ) -> Outcomes<Removed> {
        if let Err(error) = options.precondition.check(key, current.map(|record| record.etag)) {
            return Ok(Err(error));
        }
        if options.unchanged.as_deref().is_some_and(|expected| current != Some(expected)) {
            return Ok(Err(BucketError::PreconditionFailed("unchanged")));
        }
        let versioning = self.tip.snapshot.config().versioning;
        let existed = current.is_some();
        if versioning == Versioning::Unversioned {
            if let Some(record) = current {
                if let Err(error) = lock::may_remove(record, self.now(), options.bypass_governance) {
                    return Ok(Err(error));
                }
                self.set_absent(key);
            }
            let at = if existed { self.commits.len() } else { self.newest_commit() };
            return Ok(Ok(Removed { existed, version: None, delete_marker: false, at }));
        }
        let marker = DeleteMarker { version: self.new_version(), null: versioning == Versioning::Suspended };
        if marker.null
            && let Err(error) = self.remove_null(key, current).await?
        {
            return Ok(Err(error));
        }
        self.keep_replaced(key, current, versioning)?;
        if existed {
            self.set_absent(key);
        }
        self.set_version(key, &Version::DeleteMarker(marker))?;
        let at = self.commits.len();
        Ok(Ok(Removed { existed, version: Some(marker.name()), delete_marker: true, at }))
    }

    /// For good, if nothing protects it.
    async fn delete_version(
        &mut self,
        key: &str,
        name: VersionName,
        current: Option<&Record>,
        options: &DeleteOptions,
    ) -> Outcomes<Removed> {
        let named = current.filter(|record| record.version_name() == name);
        let found = match named {
            Some(record) => Some(Version::Object(Box::new(record.clone()))),
            None => self.tip.snapshot.noncurrent_version(key, name).await?,
        };
        let etag = match &found {
            Some(Version::Object(record)) => Some(record.etag),
            Some(Version::DeleteMarker(_)) | None => None,
        };
        if let Err(error) = options.precondition.check(key, etag) {
            return Ok(Err(error));
        }
        let version = Some(name);
        let Some(found) = found else {
            let at = self.newest_commit();
            return Ok(Ok(Removed { existed: false, version, delete_marker: false, at }));
        };
        if let Version::Object(record) = &found
            && let Err(error) = lock::may_remove(record, self.now(), options.bypass_governance)
        {
            return Ok(Err(error));
        }
        if named.is_some() {
            self.set_absent(key);
        } else {
            self.version_edits.insert(versions::place(key, name), None);
        }
        if current.is_none() || named.is_some() {
            self.promote(key, &found).await?;
        }
        self.touched.insert(key.to_owned());
        let delete_marker = matches!(found, Version::DeleteMarker(_));
        Ok(Ok(Removed { existed: true, version, delete_marker, at: self.commits.len() }))
    }

    /// After `gone`, the newest version of a key, makes the next one the current object, if it is one.
    async fn promote(&mut self, key: &str, gone: &Version) -> Result<(), BucketError> {
        let Some(tree) = self.tip.snapshot.versions() else { return Ok(()) };
        let Some(next) = versions::newest_but(&self.space.store, tree, key, Some(gone.name())).await? else {
            return Ok(());
        };
        if next.order() < gone.order()
            && let Version::Object(record) = &next
        {
            self.version_edits.insert(versions::place(key, next.name()), None);
            self.set_current(key, record)?;
        }
        Ok(())
    }

    pub(crate) async fn amend(
        &mut self,
        key: &str,
        version: Option<VersionName>,
        amendment: &Amendment,
    ) -> Outcomes<(Arc<Record>, usize)> {
        self.seal_before(key).await?;
        let mut record = match (self.tip.snapshot.find(key, version).await?, version) {
            (Found::Object(object), _) => object.record().clone(),
            (Found::DeleteMarker(marker), _) => return Ok(Err(BucketError::IsDeleteMarker(marker))),
            (Found::Nothing, None) => return Ok(Err(BucketError::NoSuchKey(key.to_owned()))),
            (Found::Nothing, Some(version)) => {
                return Ok(Err(BucketError::NoSuchVersion { key: key.to_owned(), version }));
            }
        };
        if let Err(error) = self.apply_amendment(&mut record, amendment) {
            return Ok(Err(error));
        }
        let current = self.current(key).await?;
        if current.is_some_and(|current| current.version_name() == record.version_name()) {
            self.set_current(key, &record)?;
        } else {
            self.set_version(key, &Version::Object(Box::new(record.clone())))?;
        }
        Ok(Ok((Arc::new(record), self.commits.len())))
    }

    fn apply_amendment(&self, record: &mut Record, amendment: &Amendment) -> Result<(), BucketError> {
        let enabled = self.tip.snapshot.config().object_lock.is_some();
        match amendment {
            Amendment::Tags(tags) => record.tags.clone_from(tags),
            Amendment::Retention { .. } | Amendment::LegalHold(_) if !enabled => {
                return Err(BucketError::LockNotEnabled);
            }
            Amendment::Retention { retention, bypass } => {
                lock::may_retain(record.lock.retention, *retention, self.now(), *bypass)?;
                record.lock = Lock { retention: *retention, ..record.lock };
            }
            Amendment::LegalHold(on) => record.lock.legal_hold = Some(*on),
            Amendment::Access { from, .. } if record.access != *from => return Err(BucketError::Contention),
            Amendment::Access { to, .. } => record.access.clone_from(to),
        }
        Ok(())
    }

    pub(crate) async fn configure(&mut self, change: &ConfigChange) -> Outcomes<usize> {
        self.seal().await?;
        let present = Arc::clone(self.tip.snapshot.config());
        let mut next = Config::clone(&present);
        if let Err(error) = change.apply(&mut next).and_then(|()| lock::may_configure(&present, &next)) {
            return Ok(Err(error));
        }
        if next == *present {
            return Ok(Ok(self.newest_commit()));
        }
        self.config = Some(next);
        self.seal().await?;
        Ok(Ok(self.newest_commit()))
    }

    /// Takes the key's `null` version or delete marker away, if nothing protects it: another takes its place.
    async fn remove_null(&mut self, key: &str, current: Option<&Record>) -> Outcomes<()> {
        let noncurrent = self.tip.snapshot.noncurrent_version(key, VersionName::Null).await?;
        let current = current.filter(|record| record.version_name() == VersionName::Null);
        let noncurrent = match &noncurrent {
            Some(Version::Object(record)) => Some(&**record),
            Some(Version::DeleteMarker(_)) | None => None,
        };
        for record in [current, noncurrent].into_iter().flatten() {
            if let Err(error) = lock::may_remove(record, self.now(), false) {
                return Ok(Err(error));
            }
        }
        self.version_edits.insert(versions::place(key, VersionName::Null), None);
        Ok(Ok(()))
    }

    /// Moves the current object to the versions, where the bucket's versioning keeps it.
    fn keep_replaced(
        &mut self,
        key: &str,
        current: Option<&Record>,
        versioning: Versioning,
    ) -> Result<(), BucketError> {
        let Some(record) = current else { return Ok(()) };
        let keeps = match versioning {
            Versioning::Unversioned => false,
            Versioning::Enabled => true,
            Versioning::Suspended => record.version_name() != VersionName::Null,
        };
        if keeps { self.set_version(key, &Version::Object(Box::new(record.clone()))) } else { Ok(()) }
    }

    pub(crate) fn set_current(&mut self, key: &str, record: &Record) -> Result<(), BucketError> {
        let (value, block) = record.to_value()?;
        self.spilled.extend(block);
        self.edits.insert(key_bytes(key), Some(Entry { value, weight: record.size }));
        self.touched.insert(key.to_owned());
        Ok(())
    }

    pub(crate) fn set_absent(&mut self, key: &str) {
        self.edits.insert(key_bytes(key), None);
        self.touched.insert(key.to_owned());
    }

    fn set_version(&mut self, key: &str, version: &Version) -> Result<(), BucketError> {
        let (value, block) = version.to_value()?;
        self.spilled.extend(block);
        let entry = Entry { value, weight: version.size() };
        self.version_edits.insert(versions::place(key, version.name()), Some(entry));
        self.touched.insert(key.to_owned());
        Ok(())
    }

    /// A second write of a key in one commit would hide the first: it starts another.
    pub(crate) async fn seal_before(&mut self, key: &str) -> Result<(), BucketError> {
        if self.touched.contains(key) { self.seal().await } else { Ok(()) }
    }

    pub(crate) async fn current(&self, key: &str) -> Result<Option<Arc<Record>>, BucketError> {
        Ok(self.tip.snapshot.get(key).await?.map(|object| object.record))
    }

    fn new_version(&self) -> VersionId {
        let mut random = [0; 8];
        self.space.entropy.fill(&mut random);
        VersionId::new(self.time, random)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.time.timestamp()
    }

    /// The number of the newest commit there will be, if nothing more changes.
    fn newest_commit(&self) -> usize {
        self.commits.len() - usize::from(!self.is_dirty())
    }
}

fn key_bytes(key: &str) -> Bytes {
    Bytes::copy_from_slice(key.as_bytes())
}
