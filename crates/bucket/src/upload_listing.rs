//! Listings of multipart uploads and of the parts of one.

use carob_commit::{PartState, UploadId, UploadState};

use crate::delimiter::rolled_up;
use crate::escape::unterminated;
use crate::snapshot::read;
use crate::token::after_prefix;
use crate::uploads::{self, Place};
use crate::{Bucket, BucketError, MAX_PARTS};

/// Which uploads to list: by key, and for one key by age.
#[derive(Debug, Clone, Default)]
pub struct UploadsQuery {
    /// Only uploads of keys that start with this.
    pub prefix: String,
    /// As in [`crate::ListQuery::delimiter`].
    pub delimiter: Option<String>,
    /// Only uploads of keys greater than this one; with an id, also those of this key that are younger than it.
    pub after: Option<(String, Option<UploadId>)>,
    /// The most entries in a page.
    pub max_uploads: usize,
}

/// A page of uploads.
#[derive(Debug, Clone)]
pub struct UploadsPage {
    /// Uploads and prefixes, in one order.
    pub entries: Vec<UploadsEntry>,
    /// Where the next page starts; `None` if there is nothing more.
    pub next: Option<(String, Option<UploadId>)>,
}

/// An entry of a listing of uploads.
#[derive(Debug, Clone)]
pub enum UploadsEntry {
    /// An upload.
    Upload {
        /// The key it is of.
        key: String,
        /// Its name.
        id: UploadId,
        /// What it was begun with.
        state: Box<UploadState>,
    },
    /// A prefix that the keys of several uploads (or one) share.
    Prefix(String),
}

/// A page of an upload's parts.
#[derive(Debug, Clone)]
pub struct PartsPage {
    /// What the upload was begun with.
    pub upload: UploadState,
    /// The parts with their numbers, in order.
    pub parts: Vec<(u16, PartState)>,
    /// Whether there are more.
    pub truncated: bool,
}

impl Bucket {
    /// A page of the uploads under way.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn uploads(&self, query: &UploadsQuery) -> Result<UploadsPage, BucketError> {
        let mut page = UploadsPage { entries: Vec::new(), next: None };
        // The bucket may be gone.
        self.snapshot().await?;
        let uploads = self.space().held_uploads(self.info()).await?;
        let Some((tree, _held)) = uploads.filter(|_| query.max_uploads > 0) else { return Ok(page) };
        let mut cursor = tree.cursor();
        cursor.seek(&start(query)).await?;
        let mut last = None;
        while let Some((at, entry)) = cursor.next().await? {
            let Some(Place::Upload { key, id, number: 0 }) = uploads::place(&at) else { break };
            if !key.starts_with(&query.prefix) {
                break;
            }
            let common = rolled_up(&key, &query.prefix, query.delimiter.as_deref());
            let rolled_up_before =
                common.zip(query.after.as_ref()).is_some_and(|(common, (key, _))| *common <= **key);
            if !rolled_up_before && page.entries.len() == query.max_uploads {
                page.next = last;
                break;
            }
            if let Some(common) = common {
                if !rolled_up_before {
                    page.entries.push(UploadsEntry::Prefix(common.to_owned()));
                    last = Some((common.to_owned(), None));
                }
                let Some(bound) = after_prefix(&unterminated(common)) else { break };
                cursor.seek(&bound).await?;
                continue;
            }
            let state = Box::new(read(&self.space().store, &tree, &entry.value).await?);
            cursor.seek(&uploads::part_key(&key, id, u16::MAX)).await?;
            last = Some((key.clone(), Some(id)));
            page.entries.push(UploadsEntry::Upload { key, id, state });
        }
        Ok(page)
    }

    /// A page of an upload's parts: those numbered above `after`, at most `max_parts`.
    ///
    /// # Errors
    /// [`BucketError::NoSuchUpload`].
    pub async fn parts(
        &self,
        key: &str,
        id: UploadId,
        after: u16,
        max_parts: usize,
    ) -> Result<PartsPage, BucketError> {
        let upload = self.upload_info(key, id).await?;
        let mut page = PartsPage { upload, parts: Vec::new(), truncated: false };
        let uploads = self.space().held_uploads(self.info()).await?;
        let (tree, _held) = uploads.ok_or(BucketError::NoSuchUpload(id))?;
        if after >= MAX_PARTS {
            return Ok(page);
        }
        let mut cursor = tree.cursor();
        cursor.seek(&uploads::part_key(key, id, after + 1)).await?;
        let prefix = uploads::upload_prefix(key, id);
        while let Some((at, entry)) = cursor.next().await?.filter(|(at, _)| at.starts_with(&prefix)) {
            let Some(Place::Upload { number, .. }) = uploads::place(&at) else { break };
            if page.parts.len() == max_parts {
                page.truncated = true;
                break;
            }
            page.parts.push((number, read(&self.space().store, &tree, &entry.value).await?));
        }
        Ok(page)
    }
}

/// Where the first upload that a query means may stand.
fn start(query: &UploadsQuery) -> Vec<u8> {
    let from = unterminated(&query.prefix);
    let after = match &query.after {
        None => Vec::new(),
        Some((key, Some(id))) => uploads::part_key(key, *id, u16::MAX).to_vec(),
        Some((key, None)) => uploads::part_key(key, UploadId([0xff; 16]), u16::MAX).to_vec(),
    };
    from.max(after)
}
