//! What is due of a bucket's versions, seen one after the other: keys in order, each key's versions newest first.

use std::sync::Arc;

use carob_bucket::{DeleteMarker, DeleteOptions, Record, VersionName};
use carob_identity::Timestamp;

use super::due::after;
use super::rules::Rules;

/// A version as it comes by.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    Object(Arc<Record>),
    Marker(DeleteMarker),
}

/// What is to be done with a version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// The current object expires, if it is still this one.
    Expire(Arc<Record>),
    /// A noncurrent version goes for good.
    Remove(VersionName),
    /// A delete marker goes that nothing is left below.
    RemoveMarker(VersionName),
}

impl Verdict {
    pub(crate) fn options(&self) -> DeleteOptions {
        let (version, unchanged) = match self {
            Self::Expire(record) => (None, Some(Arc::clone(record))),
            Self::Remove(name) | Self::RemoveMarker(name) => (Some(*name), None),
        };
        DeleteOptions { version, unchanged, ..DeleteOptions::default() }
    }
}

/// Decides by a bucket's rules. What it keeps does not grow with what it sees.
pub(crate) struct Judge<'a> {
    rules: &'a Rules,
    now: Timestamp,
    day: u64,
    key: String,
    /// When the version before came, which made the next one noncurrent.
    newer: Option<Timestamp>,
    noncurrent: u32,
    /// The key's delete marker, while it is the only thing seen of it.
    alone: Option<DeleteMarker>,
    verdicts: Vec<(String, Verdict)>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(rules: &'a Rules, now: Timestamp, day: u64) -> Self {
        Self {
            rules,
            now,
            day,
            key: String::new(),
            newer: None,
            noncurrent: 0,
            alone: None,
            verdicts: Vec::new(),
        }
    }

    /// Sees the next version.
    pub(crate) fn see(&mut self, key: &str, seen: &Seen) {
        if self.newer.is_none() || self.key != key {
            self.end_key();
            key.clone_into(&mut self.key);
        }
        let (made, name) = match seen {
            Seen::Object(record) => (record.modified, record.version_name()),
            Seen::Marker(marker) => (marker.version.time(), marker.name()),
        };
        match (self.newer.replace(made), seen) {
            (None, Seen::Object(record)) => self.see_current(record),
            (None, Seen::Marker(marker)) => self.alone = Some(*marker),
            (Some(since), seen) => {
                self.alone = None;
                if self.is_over(seen, since) {
                    self.verdicts.push((self.key.clone(), Verdict::Remove(name)));
                }
                self.noncurrent = self.noncurrent.saturating_add(1);
            }
        }
    }

    /// Ends the key: there is nothing more of it.
    pub(crate) fn end_key(&mut self) {
        if let Some(marker) = self.alone.take() {
            let made = marker.version.time();
            let due = self.rules.0.iter().filter(|rule| rule.filter.fits_bare(&self.key)).any(|rule| {
                rule.markers
                    || rule.expiration.is_some_and(|expiration| expiration.due(made, self.day) <= self.now)
            });
            if due {
                self.verdicts.push((self.key.clone(), Verdict::RemoveMarker(marker.name())));
            }
        }
        (self.newer, self.noncurrent) = (None, 0);
    }

    /// What was decided since this was asked last.
    pub(crate) fn take(&mut self) -> Vec<(String, Verdict)> {
        std::mem::take(&mut self.verdicts)
    }

    fn see_current(&mut self, record: &Arc<Record>) {
        let fitting = self.rules.0.iter().filter(|rule| rule.filter.fits(&self.key, record));
        let mut expirations = fitting.filter_map(|rule| rule.expiration);
        if expirations.any(|expiration| expiration.due(record.modified, self.day) <= self.now) {
            self.verdicts.push((self.key.clone(), Verdict::Expire(Arc::clone(record))));
        }
    }

    /// Whether a noncurrent version is due that a newer one replaced at `since`.
    fn is_over(&self, seen: &Seen, since: Timestamp) -> bool {
        self.rules.0.iter().any(|rule| {
            let fits = match seen {
                Seen::Object(record) => rule.filter.fits(&self.key, record),
                Seen::Marker(_) => rule.filter.fits_bare(&self.key),
            };
            fits && rule.noncurrent.is_some_and(|noncurrent| {
                self.noncurrent >= noncurrent.keep && after(since, noncurrent.days, self.day) <= self.now
            })
        })
    }
}
