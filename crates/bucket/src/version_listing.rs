//! Listings of all versions: the trees of current objects and of versions read side by side.

use std::sync::Arc;

use carob_commit::{DeleteMarker, Record, Version, VersionId, VersionName};
use carob_index::Cursor;

use crate::delimiter::rolled_up;
use crate::escape::unterminated;
use crate::snapshot::read;
use crate::token::after_prefix;
use crate::{BucketError, Snapshot, versions};

/// What to list. Keys come in byte order of their UTF-8, the versions of each newest first.
#[derive(Debug, Clone, Default)]
pub struct VersionsQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// As in [`crate::ListQuery::delimiter`].
    pub delimiter: Option<String>,
    /// Where to start.
    pub start: VersionStart,
    /// The most entries in a page; versions, delete markers and prefixes count alike.
    pub max_keys: usize,
}

/// Where a listing of versions starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VersionStart {
    /// At the first key.
    #[default]
    Beginning,
    /// Behind all versions of this key, which need not exist; rolled-up prefixes as in
    /// [`crate::ListStart::After`].
    AfterKey(String),
    /// Behind this version of the key. An id need not exist any more; where a `null` version does not, at the
    /// key's first version.
    AfterVersion(String, VersionName),
}

/// A page of a listing of versions.
#[derive(Debug, Clone)]
pub struct VersionsPage {
    /// Versions and prefixes, in one order.
    pub entries: Vec<VersionsEntry>,
    /// Where the next page starts; `None` if there is nothing more.
    pub next: Option<VersionStart>,
}

/// An entry of a listing of versions.
#[derive(Debug, Clone)]
pub enum VersionsEntry {
    /// An object, current or not.
    Object {
        /// Its key.
        key: String,
        /// What is known of it.
        record: Arc<Record>,
        /// Whether it is the newest of its key.
        latest: bool,
    },
    /// A delete marker.
    DeleteMarker {
        /// Its key.
        key: String,
        /// The marker.
        marker: DeleteMarker,
        /// Whether it is the newest of its key.
        latest: bool,
    },
    /// A prefix that several keys (or one) share, up to and including the delimiter.
    Prefix(String),
}

impl Snapshot {
    /// One page of versions.
    ///
    /// Reads O(entries + prefixes · height) nodes: keys under a rolled-up prefix are skipped, not read.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], never a shorter page.
    pub async fn list_versions(&self, query: &VersionsQuery) -> Result<VersionsPage, BucketError> {
        let mut page = VersionsPage { entries: Vec::new(), next: None };
        if query.max_keys == 0 {
            return Ok(page);
        }
        let mut walk = Walk::start(self, query).await?;
        let mut last = VersionStart::Beginning;
        while let Some((entry, resume)) = walk.next().await? {
            if page.entries.len() == query.max_keys {
                page.next = Some(last);
                break;
            }
            page.entries.push(entry);
            last = resume;
        }
        Ok(page)
    }
}

struct Walk<'a> {
    snapshot: &'a Snapshot,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// Rolled-up prefixes up to this one are left out.
    marker: Option<String>,
    objects: Cursor,
    versions: Option<Cursor>,
    /// What the cursors gave last.
    object: Option<(String, Arc<Record>)>,
    version: Option<(String, Version)>,
    /// The key whose versions are being given out.
    key: Option<Key>,
}

struct Key {
    key: String,
    /// Its `null` version, which stands before the others in the tree but has its turn by age.
    null: Option<Version>,
    /// Its newest version, if that is none of those given out before.
    newest: Option<VersionId>,
}

impl<'a> Walk<'a> {
    async fn start(snapshot: &'a Snapshot, query: &'a VersionsQuery) -> Result<Self, BucketError> {
        let mut walk = Self {
            snapshot,
            prefix: &query.prefix,
            delimiter: query.delimiter.as_deref(),
            marker: None,
            objects: snapshot.tree().cursor(),
            versions: snapshot.versions().map(carob_index::Tree::cursor),
            object: None,
            version: None,
            key: None,
        };
        match &query.start {
            VersionStart::AfterVersion(key, name)
                if key.starts_with(&query.prefix)
                    && rolled_up(key, &query.prefix, query.delimiter.as_deref()).is_none() =>
            {
                walk.marker = Some(key.clone());
                walk.seek_within(key, *name).await?;
            }
            VersionStart::AfterKey(key) | VersionStart::AfterVersion(key, _) if *key >= query.prefix => {
                walk.marker = Some(key.clone());
                // The smallest key greater than this one.
                walk.seek(&format!("{key}\0")).await?;
            }
            _ => walk.seek(&query.prefix).await?,
        }
        Ok(walk)
    }

    /// Goes to the first key that is not less than `key`.
    async fn seek(&mut self, key: &str) -> Result<(), BucketError> {
        self.objects.seek(key.as_bytes()).await?;
        if let Some(versions) = &mut self.versions {
            versions.seek(&unterminated(key)).await?;
        }
        self.next_object().await?;
        self.next_version().await
    }

    /// Goes behind one version of a key.
    async fn seek_within(&mut self, key: &str, name: VersionName) -> Result<(), BucketError> {
        self.seek(key).await?;
        let null = match self.snapshot.find(key, Some(VersionName::Null)).await? {
            crate::Found::Object(object) => Some(object.record().order()),
            crate::Found::DeleteMarker(marker) => Some(marker.version),
            crate::Found::Nothing => None,
        };
        let after = match (name, null) {
            (VersionName::Id(id), _) | (VersionName::Null, Some(id)) => id,
            (VersionName::Null, None) => return Ok(()),
        };
        self.begin(key.to_owned()).await?;
        if self.object.as_ref().is_some_and(|(found, record)| found == key && record.order() >= after) {
            self.next_object().await?;
        }
        if let Some(started) = &mut self.key {
            started.null.take_if(|null| null.order() >= after);
            started.newest = started.newest.filter(|newest| *newest < after);
        }
        if let Some(versions) = &mut self.versions {
            versions.seek(&versions::older_than(key, after)).await?;
        }
        self.next_version().await
    }

    /// The next entry, and where to go on behind it.
    async fn next(&mut self) -> Result<Option<(VersionsEntry, VersionStart)>, BucketError> {
        loop {
            if let Some(entry) = self.next_of_key().await? {
                return Ok(Some(entry));
            }
            let keys = [self.object.as_ref().map(|(key, _)| key), self.version.as_ref().map(|(key, _)| key)];
            let Some(key) = keys.into_iter().flatten().min().cloned() else { return Ok(None) };
            if !key.starts_with(self.prefix) {
                return Ok(None);
            }
            let Some(common) = rolled_up(&key, self.prefix, self.delimiter).map(str::to_owned) else {
                self.begin(key).await?;
                continue;
            };
            self.skip(&common).await?;
            if self.marker.as_ref().is_none_or(|marker| common > *marker) {
                let resume = VersionStart::AfterKey(common.clone());
                return Ok(Some((VersionsEntry::Prefix(common), resume)));
            }
        }
    }

    /// Begins to give out the versions of a key that the cursors are at.
    async fn begin(&mut self, key: String) -> Result<(), BucketError> {
        let is_null =
            |(found, version): &(String, Version)| *found == key && version.name() == VersionName::Null;
        let null = match self.version.take_if(|version| is_null(version)) {
            Some((_, version)) => {
                self.next_version().await?;
                Some(version)
            }
            None => None,
        };
        let current = self.object.as_ref().filter(|(found, _)| *found == key);
        let newest = match current {
            Some((_, record)) => Some(record.order()),
            None => {
                let first = self.version.as_ref().filter(|(found, _)| *found == key);
                null.as_ref().map(Version::order).max(first.map(|(_, version)| version.order()))
            }
        };
        self.key = Some(Key { key, null, newest });
        Ok(())
    }

    /// The next version of the key that was begun.
    async fn next_of_key(&mut self) -> Result<Option<(VersionsEntry, VersionStart)>, BucketError> {
        let Some(Key { key, mut null, newest }) = self.key.take() else { return Ok(None) };
        let version = if let Some((_, record)) = self.object.take_if(|(found, _)| *found == key) {
            self.next_object().await?;
            Entry::Current(record)
        } else {
            let other = self.version.as_ref().filter(|(found, _)| *found == key).map(|(_, v)| v.order());
            if let Some(version) = null.take_if(|null| other.is_none_or(|other| null.order() > other)) {
                Entry::Noncurrent(version)
            } else if let Some((_, version)) = self.version.take_if(|(found, _)| *found == key) {
                self.next_version().await?;
                Entry::Noncurrent(version)
            } else {
                return Ok(None);
            }
        };
        let order = version.order();
        let latest = newest == Some(order);
        let resume = VersionStart::AfterVersion(key.clone(), VersionName::Id(order));
        self.key = Some(Key { key: key.clone(), null, newest });
        let entry = match version {
            Entry::Current(record) => VersionsEntry::Object { key, record, latest },
            Entry::Noncurrent(Version::Object(record)) => {
                VersionsEntry::Object { key, record: Arc::new(*record), latest }
            }
            Entry::Noncurrent(Version::DeleteMarker(marker)) => {
                VersionsEntry::DeleteMarker { key, marker, latest }
            }
        };
        Ok(Some((entry, resume)))
    }

    /// Leaves out the keys that start with `common`.
    async fn skip(&mut self, common: &str) -> Result<(), BucketError> {
        match after_prefix(common.as_bytes()) {
            Some(bound) => {
                self.objects.seek(&bound).await?;
                self.next_object().await?;
            }
            None => self.object = None,
        }
        match (after_prefix(&unterminated(common)), &mut self.versions) {
            (Some(bound), Some(versions)) => {
                versions.seek(&bound).await?;
                self.next_version().await?;
            }
            _ => self.version = None,
        }
        Ok(())
    }

    async fn next_object(&mut self) -> Result<(), BucketError> {
        self.object = match self.objects.next().await? {
            Some((key, entry)) => {
                let key = String::from_utf8(key.to_vec()).map_err(BucketError::damaged)?;
                Some((key, self.snapshot.record(&entry.value).await?))
            }
            None => None,
        };
        Ok(())
    }

    async fn next_version(&mut self) -> Result<(), BucketError> {
        let Some(versions) = &mut self.versions else { return Ok(()) };
        self.version = match versions.next().await? {
            Some((place, entry)) => {
                let key = versions::key_of(&place).ok_or_else(BucketError::foreign_version)?;
                Some((key, read(self.snapshot.store(), versions.tree(), &entry.value).await?))
            }
            None => None,
        };
        Ok(())
    }
}

enum Entry {
    Current(Arc<Record>),
    Noncurrent(Version),
}

impl Entry {
    fn order(&self) -> VersionId {
        match self {
            Self::Current(record) => record.order(),
            Self::Noncurrent(version) => version.order(),
        }
    }
}
