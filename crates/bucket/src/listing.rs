//! Listings of current objects.

use carob_commit::{Inline, Record, Summary, TreeValue};
use carob_index::Cursor;

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

/// An entry of a listing that is shown and not kept.
#[derive(Debug, Clone, Copy)]
pub enum Listed<'a> {
    /// As [`ListEntry::Object`].
    Object {
        /// Its key.
        key: &'a str,
        /// What is shown of it.
        summary: &'a Summary,
    },
    /// As [`ListEntry::Prefix`].
    Prefix(&'a str),
}

impl Listed<'_> {
    /// The key or the prefix.
    pub fn name(&self) -> &str {
        match self {
            Self::Object { key, .. } => key,
            Self::Prefix(prefix) => prefix,
        }
    }

    fn to_entry(self) -> ListEntry {
        match self {
            Self::Object { key, summary } => {
                ListEntry::Object { key: key.to_owned(), summary: summary.clone() }
            }
            Self::Prefix(prefix) => ListEntry::Prefix(prefix.to_owned()),
        }
    }

    /// Where a page starts whose predecessor ends with this entry.
    fn resume_behind(self) -> Resume {
        match self {
            Self::Object { key, .. } => Resume::AfterKey(key.to_owned()),
            Self::Prefix(prefix) => Resume::AfterPrefix(prefix.to_owned()),
        }
    }
}

/// Takes the entries of a page, one after the other.
pub type Show<'a> = dyn for<'e> FnMut(Listed<'e>) + Send + 'a;

impl Snapshot {
    /// One page of keys.
    ///
    /// Reads O(entries + prefixes · height) nodes: keys under a rolled-up prefix are skipped, not read.
    ///
    /// # Errors
    /// [`BucketError::BadToken`]; [`BucketError::Damaged`], never a shorter page.
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage, BucketError> {
        let mut entries = Vec::new();
        let next_token = self.show(query, &mut |listed| entries.push(listed.to_entry())).await?;
        Ok(ListPage { entries, next_token })
    }

    /// The same, shown to `show`: nothing is allocated for an entry. Gives the token of the next page.
    ///
    /// # Errors
    /// As [`Snapshot::list`]; what was shown before is then no page.
    pub async fn show(&self, query: &ListQuery, show: &mut Show<'_>) -> Result<Option<String>, BucketError> {
        let walk = Walk::start(self, query).await?;
        match query.max_keys {
            0 => Ok(None),
            max_keys => walk.page(max_keys, show).await,
        }
    }
}

struct Walk<'a> {
    snapshot: &'a Snapshot,
    cursor: Cursor,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// Rolled-up prefixes up to this one are left out.
    marker: Option<&'a str>,
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
                walk.marker = Some(key);
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

    /// Shows so many entries, which are not none. Gives where the next page starts, if there is more.
    async fn page(mut self, max_keys: usize, show: &mut Show<'_>) -> Result<Option<String>, BucketError> {
        let mut left = max_keys;
        // Known once the page is full; whether there is more shows with the entry after that.
        let mut next: Option<Resume> = None;
        let mut take = |listed: Listed<'_>| {
            if next.is_none() {
                left -= 1;
                next = (left == 0).then(|| listed.resume_behind());
                show(listed);
                return None;
            }
            next.as_ref().map(Resume::to_token)
        };
        while !self.done {
            let Some(run) = self.cursor.run().await? else { break };
            let mut skip = None;
            for (key, value) in run {
                // To compare nothing is not free: where it points to no memory, a masked load of it is slow.
                if !self.prefix.is_empty() && !key.starts_with(self.prefix.as_bytes()) {
                    return Ok(None);
                }
                let key = str::from_utf8(key).map_err(BucketError::damaged)?;
                if let Some(common) = rolled_up(key, self.prefix, self.delimiter) {
                    if self.marker.is_none_or(|marker| common > marker)
                        && let Some(token) = take(Listed::Prefix(common))
                    {
                        return Ok(Some(token));
                    }
                    skip = Some(after_prefix(common.as_bytes()));
                    break;
                }
                let summary = match Summary::from_datum(value, self.snapshot.tree().root())? {
                    Inline::Here(summary) => summary,
                    Inline::Linked(cid) => {
                        Record::from_block(&block(&**self.snapshot.store(), &cid).await?)?.into()
                    }
                };
                if let Some(token) = take(Listed::Object { key, summary: &summary }) {
                    return Ok(Some(token));
                }
            }
            match skip {
                Some(Some(bound)) => self.cursor.seek(&bound).await?,
                Some(None) => self.done = true,
                None => {}
            }
        }
        Ok(None)
    }
}

/// The smallest key greater than `key`.
fn successor(key: &str) -> Vec<u8> {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(0);
    bytes
}
