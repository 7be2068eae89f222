//! Does what is due, in every bucket, once after each midnight and once when it starts: what is due shows in the
//! buckets alone, so that nothing is lost by a restart.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use carob_bucket::{
    Bucket, BucketError, Space, UploadsEntry, UploadsQuery, VersionStart, VersionsEntry, VersionsQuery,
};
use carob_identity::{Clock, Timestamp};
use s3s::dto::BucketLifecycleConfiguration;

use super::due::{DAY, after};
use super::judge::{Judge, Seen, Verdict};
use super::rules::Rules;
use crate::documents;

/// How many versions are looked at, and at most deleted, in one step.
const PAGE: usize = 1000;

/// The longest that the worker sleeps: the clock may jump meanwhile.
const NAP: Duration = Duration::from_mins(1);

/// Deletes what the lifecycle rules of buckets say, by the buckets' ordinary deletions.
#[derive(Clone)]
pub struct Lifecycle {
    space: Space,
    clock: Arc<dyn Clock>,
    day: u64,
    told: Option<Arc<Told>>,
}

/// Who is told of each deletion.
type Told = dyn Fn(&Removal<'_>) + Send + Sync;

/// One thing that was done. Its operation has the name that Amazon S3 gives it in access logs (user guide, "Lifecycle and
/// logging").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal<'a> {
    /// `S3.EXPIRE.OBJECT`, `S3.CREATE.DELETEMARKER` or `S3.DELETE.UPLOAD`.
    pub operation: &'static str,
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// The version that is gone, the delete marker that was made, or the upload; nothing in a bucket without versions.
    pub version: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Current objects that were deleted, or got a delete marker.
    pub expired: u64,
    /// Noncurrent versions that were removed.
    pub removed: u64,
    /// Delete markers that were removed since nothing was left below them.
    pub markers: u64,
    /// Uploads in parts that were aborted.
    pub aborted: u64,
    /// What was due and stayed: protected by object lock, or changed meanwhile.
    pub kept: u64,
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle").field("day", &self.day).finish_non_exhaustive()
    }
}

impl Lifecycle {
    /// For the buckets of a space, with days of the calendar.
    pub fn new(space: Space, clock: Arc<dyn Clock>) -> Self {
        Self { space, clock, day: DAY, told: None }
    }

    /// Has `told` told of each deletion. It is called on the worker's path, so it may not wait.
    #[must_use]
    pub fn telling(self, told: impl Fn(&Removal<'_>) + Send + Sync + 'static) -> Self {
        Self { told: Some(Arc::new(told)), ..self }
    }

    fn tell(&self, removal: &Removal<'_>) {
        if let Some(told) = &self.told {
            told(removal);
        }
    }

    /// Counts in days of another length, for tests; none is shorter than a tenth of a second.
    #[must_use]
    pub fn with_day(self, day: Duration) -> Self {
        Self { day: u64::try_from(day.as_millis()).unwrap_or(DAY).max(100), ..self }
    }

    /// Works until it is dropped, which it may be at any time.
    pub async fn run(&self) {
        loop {
            let today = self.clock.now().0 / self.day;
            self.run_once().await;
            loop {
                let now = self.clock.now().0;
                if now / self.day != today {
                    break;
                }
                let left = Duration::from_millis(self.day - now % self.day);
                tokio::time::sleep(left.min(NAP)).await;
            }
        }
    }

    /// Does all that is due now. A bucket that fails is logged, and left to the next time.
    pub async fn run_once(&self) -> Tally {
        let buckets = match self.space.buckets().await {
            Ok(buckets) => buckets,
            Err(error) => {
                tracing::warn!(%error, "lifecycle: the buckets cannot be listed");
                return Tally::default();
            }
        };
        let mut all = Tally::default();
        for info in buckets {
            let mut tally = Tally::default();
            match self.bucket(&info.name, &mut tally).await {
                // A bucket may go at any time.
                Ok(()) | Err(BucketError::NoSuchBucket(_)) => {}
                Err(error) => {
                    tracing::warn!(bucket = info.name, %error, "lifecycle: not all that is due was done");
                }
            }
            if tally != Tally::default() {
                tracing::info!(bucket = info.name, ?tally, "lifecycle");
            }
            all = all.plus(tally);
        }
        all
    }

    async fn bucket(&self, name: &str, tally: &mut Tally) -> Result<(), BucketError> {
        let bucket = self.space.bucket(name).await?;
        let config = Arc::clone(bucket.snapshot().await?.config());
        let Some(text) = config.documents.get(documents::LIFECYCLE) else { return Ok(()) };
        // It was read before it was kept.
        let document = documents::read::<BucketLifecycleConfiguration>(text);
        let rules = match document.and_then(|document| Rules::parse(&document)) {
            Ok(rules) => rules,
            Err(error) => {
                tracing::error!(
                    bucket = name,
                    ?error,
                    "lifecycle rules cannot be read: nothing goes by them"
                );
                return Ok(());
            }
        };
        let now = self.clock.now();
        for prefix in covering(
            rules
                .0
                .iter()
                .filter(|rule| rule.expiration.is_some() || rule.markers || rule.noncurrent.is_some()),
        ) {
            self.versions(&bucket, &rules, prefix, now, tally).await?;
        }
        for prefix in covering(rules.0.iter().filter(|rule| rule.abort.is_some())) {
            self.uploads(&bucket, &rules, prefix, now, tally).await?;
        }
        Ok(())
    }

    /// Goes through the versions below a prefix. Each step but those within one key is on the newest state, so that a
    /// long pass holds on to no old one.
    async fn versions(
        &self,
        bucket: &Bucket,
        rules: &Rules,
        prefix: &str,
        now: Timestamp,
        tally: &mut Tally,
    ) -> Result<(), BucketError> {
        let mut snapshot = bucket.snapshot().await?;
        let text = snapshot.config().documents.get(documents::LIFECYCLE).cloned();
        let mut judge = Judge::new(rules, now, self.day);
        let mut start = VersionStart::Beginning;
        loop {
            let query = VersionsQuery { prefix: prefix.to_owned(), delimiter: None, start, max_keys: PAGE };
            let page = snapshot.list_versions(&query).await?;
            let entries: Vec<_> = page.entries.into_iter().filter_map(seen).collect();
            // The last key of a page may go on in the next one, and is left to it if there is another before it.
            let last = entries.last().map(|(key, _)| key.as_str()).unwrap_or_default();
            let whole = entries.iter().position(|(key, _)| key == last).filter(|_| page.next.is_some());
            let (taken, next) =
                match whole.and_then(|whole| Some((whole, entries.get(whole.checked_sub(1)?)?))) {
                    Some((whole, (key, _))) => (whole, Some(VersionStart::AfterKey(key.clone()))),
                    None => (entries.len(), page.next),
                };
            for (key, seen) in entries.iter().take(taken) {
                judge.see(key, seen);
            }
            let within_key = matches!(next, Some(VersionStart::AfterVersion(..)));
            if !within_key {
                judge.end_key();
            }
            self.delete(bucket, judge.take(), tally).await?;
            let Some(next) = next else { return Ok(()) };
            start = next;
            if !within_key {
                snapshot = bucket.snapshot().await?;
                if snapshot.config().documents.get(documents::LIFECYCLE) != text.as_ref() {
                    return Ok(());
                }
            }
        }
    }

    async fn uploads(
        &self,
        bucket: &Bucket,
        rules: &Rules,
        prefix: &str,
        now: Timestamp,
        tally: &mut Tally,
    ) -> Result<(), BucketError> {
        let mut after_upload = None;
        loop {
            let query = UploadsQuery {
                prefix: prefix.to_owned(),
                delimiter: None,
                after: after_upload,
                max_uploads: PAGE,
            };
            let page = bucket.uploads(&query).await?;
            for entry in page.entries {
                let UploadsEntry::Upload { key, id, state } = entry else { continue };
                let fitting = rules.0.iter().filter(|rule| rule.filter.fits_bare(&key));
                let mut due = fitting.filter_map(|rule| rule.abort);
                if due.any(|days| after(state.initiated, days, self.day) <= now) {
                    match bucket.abort_upload(&key, id).await {
                        Ok(()) => {
                            tally.aborted += 1;
                            let (operation, version) = ("S3.DELETE.UPLOAD", Some(id.to_string()));
                            self.tell(&Removal { operation, bucket: bucket.name(), key: &key, version });
                        }
                        Err(BucketError::NoSuchUpload(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            after_upload = Some(next);
        }
    }

    async fn delete(
        &self,
        bucket: &Bucket,
        verdicts: Vec<(String, Verdict)>,
        tally: &mut Tally,
    ) -> Result<(), BucketError> {
        if verdicts.is_empty() {
            return Ok(());
        }
        let keys = verdicts.iter().map(|(key, verdict)| (key.clone(), verdict.options())).collect();
        for ((key, verdict), result) in verdicts.iter().zip(bucket.delete_many(keys).await?) {
            let deleted = match result {
                Ok(deleted) => deleted,
                Err(BucketError::Locked | BucketError::PreconditionFailed(_)) => {
                    tally.kept += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let operation = match verdict {
                Verdict::Expire(_) if deleted.delete_marker => "S3.CREATE.DELETEMARKER",
                _ => "S3.EXPIRE.OBJECT",
            };
            match verdict {
                Verdict::Expire(_) => tally.expired += 1,
                Verdict::Remove(_) => tally.removed += 1,
                Verdict::RemoveMarker(_) => tally.markers += 1,
            }
            let version = deleted.version.map(|version| version.to_string());
            self.tell(&Removal { operation, bucket: bucket.name(), key, version });
        }
        Ok(())
    }
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self {
            expired: self.expired + other.expired,
            removed: self.removed + other.removed,
            markers: self.markers + other.markers,
            aborted: self.aborted + other.aborted,
            kept: self.kept + other.kept,
        }
    }
}

fn seen(entry: VersionsEntry) -> Option<(String, Seen)> {
    match entry {
        VersionsEntry::Object { key, record, .. } => Some((key, Seen::Object(record))),
        VersionsEntry::DeleteMarker { key, marker, .. } => Some((key, Seen::Marker(marker))),
        // Only with a delimiter.
        VersionsEntry::Prefix(_) => None,
    }
}

/// The prefixes of rules, without those that lie below another.
fn covering<'a>(rules: impl Iterator<Item = &'a super::rules::Rule>) -> Vec<&'a str> {
    let mut prefixes: Vec<&str> = rules.map(|rule| rule.filter.prefix.as_str()).collect();
    prefixes.sort_unstable();
    prefixes.dedup_by(|next, kept| next.starts_with(*kept));
    prefixes
}

#[cfg(test)]
mod tests {
    use super::super::rules::{Filter, Rule};
    use super::*;

    #[test]
    fn a_prefix_below_another_is_not_gone_through_again() {
        let rule = |prefix: &str| Rule {
            filter: Filter { prefix: prefix.to_owned(), ..Filter::default() },
            ..Rule::default()
        };
        let rules = ["b", "a/x", "a/", "a/xy", "c", "b"].map(rule);
        assert_eq!(covering(rules.iter()), ["a/", "b", "c"]);
        assert_eq!(covering([rule("a"), rule("")].iter()), [""]);
        assert!(covering([].iter()).is_empty());
    }
}
