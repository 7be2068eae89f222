//! Listings of current objects.

use std::sync::Arc;

use carob_commit::Record;
use carob_index::Cursor;

use crate::delimiter::rolled_up;
use crate::token::{Resume, after_prefix};
use crate::{BucketError, Snapshot};

/// What to list. Keys come in byte order of their UTF-8.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// Keys that share everything up to this string (searched behind the prefix) are rolled up into one
    /// [`ListEntry::Prefix`]. Empty is the same as none.
    pub delimiter: Option<String>,
    /// Where to start.
    pub start: ListStart,
    /// The most entries in a page; keys and prefixes count alike.
    pub max_keys: usize,
}

/// Where a listing starts.
#[derive(Debug, Clone, Default)]
pub enum ListStart {
    /// At the first key.
    #[default]
    Beginning,
    /// Behind this key, which need not exist. A rolled-up prefix that this key starts with, or that is not
    /// greater than it, is left out.
    After(String),
    /// Where an earlier page ended: its `next_token`.
    Token(String),
}

/// A page of a listing.
#[derive(Debug, Clone)]
pub struct ListPage {
    /// Keys and prefixes, in one order.
    pub entries: Vec<ListEntry>,
    /// Where the next page starts; `None` if there is nothing more.
    pub next_token: Option<String>,
}

/// An entry of a listing.
#[derive(Debug, Clone)]
pub enum ListEntry {
    /// An object.
    Object {
        /// Its key.
        key: String,
        /// What is known of it.
        record: Arc<Record>,
    },
    /// A prefix that several keys (or one) share, up to and including the delimiter.
    Prefix(String),
}

impl Snapshot {
    /// One page of keys.
    ///
    /// Reads O(entries + prefixes · height) nodes: keys under a rolled-up prefix are skipped, not read.
    ///
    /// # Errors
    /// [`BucketError::BadToken`]; [`BucketError::Damaged`], never a shorter page.
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage, BucketError> {
        let mut walk = Walk::start(self, query).await?;
        let mut entries = Vec::new();
        let mut last = None;
        if query.max_keys == 0 {
            return Ok(ListPage { entries, next_token: None });
        }
        while let Some((entry, resume)) = walk.next().await? {
            if entries.len() == query.max_keys {
                let next_token = last.map(|resume: Resume| resume.to_token());
                return Ok(ListPage { entries, next_token });
            }
            entries.push(entry);
            last = Some(resume);
        }
        Ok(ListPage { entries, next_token: None })
    }
}

struct Walk<'a> {
    snapshot: &'a Snapshot,
    cursor: Cursor,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// Rolled-up prefixes up to this one are left out.
    marker: Option<String>,
    done: bool,
}

impl<'a> Walk<'a> {
    async fn start(snapshot: &'a Snapshot, query: &'a ListQuery) -> Result<Self, BucketError> {
        let mut walk = Self {
            snapshot,
            cursor: snapshot.tree().cursor(),
            prefix: &query.prefix,
            delimiter: query.delimiter.as_deref(),
            marker: None,
            done: false,
        };
        let from = match &query.start {
            ListStart::Beginning => Some(Vec::new()),
            ListStart::After(key) => {
                walk.marker = Some(key.clone());
                Some(successor(key))
            }
            ListStart::Token(token) => match Resume::from_token(token)? {
                Resume::AfterKey(key) => Some(successor(&key)),
                Resume::AfterPrefix(prefix) => after_prefix(prefix.as_bytes()),
            },
        };
        match from {
            Some(from) => walk.cursor.seek(from.as_slice().max(query.prefix.as_bytes())).await?,
            None => walk.done = true,
        }
        Ok(walk)
    }

    /// The next entry, and where to go on behind it.
    async fn next(&mut self) -> Result<Option<(ListEntry, Resume)>, BucketError> {
        while !self.done {
            let Some((key, entry)) = self.cursor.next().await? else { break };
            if !key.starts_with(self.prefix.as_bytes()) {
                break;
            }
            let key = String::from_utf8(key.to_vec()).map_err(BucketError::damaged)?;
            let Some(common) = rolled_up(&key, self.prefix, self.delimiter).map(str::to_owned) else {
                let record = self.snapshot.record(&entry.value).await?;
                let resume = Resume::AfterKey(key.clone());
                return Ok(Some((ListEntry::Object { key, record }, resume)));
            };
            match after_prefix(common.as_bytes()) {
                Some(bound) => self.cursor.seek(&bound).await?,
                None => self.done = true,
            }
            if self.marker.as_ref().is_none_or(|marker| common > *marker) {
                return Ok(Some((ListEntry::Prefix(common.clone()), Resume::AfterPrefix(common))));
            }
        }
        self.done = true;
        Ok(None)
    }
}

/// The smallest key greater than `key`.
fn successor(key: &str) -> Vec<u8> {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(0);
    bytes
}
