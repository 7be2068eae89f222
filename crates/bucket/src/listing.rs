//! Listings of current objects.

use carob_commit::{Inline, Record, Summary, TreeValue};
use carob_index::{Cursor, Value};

use crate::delimiter::rolled_up;
use crate::snapshot::block;
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
        /// What is shown of it.
        summary: Summary,
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
        if query.max_keys == 0 {
            return Ok(ListPage { entries, next_token: None });
        }
        while let Some(entry) = walk.next().await? {
            if entries.len() == query.max_keys {
                let next_token = entries.last().map(|last| resume_behind(last).to_token());
                return Ok(ListPage { entries, next_token });
            }
            entries.push(entry);
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

    async fn next(&mut self) -> Result<Option<ListEntry>, BucketError> {
        while !self.done {
            let Some((key, entry)) = self.cursor.next().await? else { break };
            if !key.starts_with(self.prefix.as_bytes()) {
                break;
            }
            let key = String::from_utf8(key.to_vec()).map_err(BucketError::damaged)?;
            let Some(common) = rolled_up(&key, self.prefix, self.delimiter).map(str::to_owned) else {
                let summary = self.summary(&entry.value).await?;
                return Ok(Some(ListEntry::Object { key, summary }));
            };
            match after_prefix(common.as_bytes()) {
                Some(bound) => self.cursor.seek(&bound).await?,
                None => self.done = true,
            }
            if self.marker.as_ref().is_none_or(|marker| common > *marker) {
                return Ok(Some(ListEntry::Prefix(common)));
            }
        }
        self.done = true;
        Ok(None)
    }

    async fn summary(&self, value: &Value) -> Result<Summary, BucketError> {
        match Summary::from_value(value, self.snapshot.tree().root())? {
            Inline::Here(summary) => Ok(*summary),
            Inline::Linked(cid) => {
                Ok(Record::from_block(&block(&**self.snapshot.store(), &cid).await?)?.into())
            }
        }
    }
}

/// Where a page starts whose predecessor ends with this entry.
fn resume_behind(entry: &ListEntry) -> Resume {
    match entry {
        ListEntry::Object { key, .. } => Resume::AfterKey(key.clone()),
        ListEntry::Prefix(prefix) => Resume::AfterPrefix(prefix.clone()),
    }
}

/// The smallest key greater than `key`.
fn successor(key: &str) -> Vec<u8> {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(0);
    bytes
}
