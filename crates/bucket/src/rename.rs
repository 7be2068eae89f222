//! An object under another key: in one commit it is no longer under the first and is under the second, with all that is
//! known of it, its time too. No body is read.

use std::sync::Arc;

use carob_commit::{Record, Versioning};
use tokio::sync::oneshot;

use crate::bucket::check_key;
use crate::committer::Op;
use crate::group::{Builder, Outcomes};
use crate::{Bucket, BucketError, Precondition, Written, lock};

/// What a renaming was decided on.
#[derive(Debug, Clone)]
pub struct RenameOptions {
    /// The object that is to be renamed, as it was found.
    pub source: Arc<Record>,
    /// What must hold of the new key.
    pub precondition: Precondition,
    /// The object under the new key, where more of it was looked at than the precondition says.
    pub replaced: Option<Arc<Record>>,
}

impl Bucket {
    /// Puts the object under `from` under `to`, in the place of what is there.
    ///
    /// # Errors
    /// [`BucketError::VersioningState`] where versions are kept, which have no other key to go to;
    /// [`BucketError::NoSuchKey`] for `from`; [`BucketError::PreconditionFailed`] for `to`;
    /// [`BucketError::Contention`] if one of the two is no longer what it was decided on; as [`Bucket::put`].
    pub async fn rename(&self, from: &str, to: &str, options: RenameOptions) -> Result<Written, BucketError> {
        check_key(from)?;
        check_key(to)?;
        let (reply, answer) = oneshot::channel();
        let (from, to) = (from.to_owned(), to.to_owned());
        self.submit(Op::Rename { from, to, options, reply }, answer).await
    }
}

impl Builder<'_> {
    pub(crate) async fn rename(
        &mut self,
        from: &str,
        to: &str,
        options: &RenameOptions,
    ) -> Outcomes<(Arc<Record>, usize)> {
        self.seal_before(from).await?;
        self.seal_before(to).await?;
        let (source, present) = (self.current(from).await?, self.current(to).await?);
        match self.check_rename(from, source, present.as_deref(), options) {
            Ok(record) => {
                self.set_absent(from);
                self.set_current(to, &record)?;
                Ok(Ok((record, self.commits.len())))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    fn check_rename(
        &self,
        from: &str,
        source: Option<Arc<Record>>,
        present: Option<&Record>,
        options: &RenameOptions,
    ) -> Result<Arc<Record>, BucketError> {
        let RenameOptions { source: expected, precondition, replaced } = options;
        if self.tip.snapshot.config().versioning != Versioning::Unversioned {
            return Err(BucketError::VersioningState("objects are renamed where no versions are kept"));
        }
        let source = source.ok_or_else(|| BucketError::NoSuchKey(from.to_owned()))?;
        // The key that is not there is the other one.
        precondition.check("", present.map(|record| record.etag)).map_err(|error| match error {
            BucketError::NoSuchKey(_) => BucketError::PreconditionFailed("If-Match"),
            error => error,
        })?;
        if source != *expected || replaced.as_deref().is_some_and(|replaced| present != Some(replaced)) {
            return Err(BucketError::Contention);
        }
        for record in [Some(&*source), present].into_iter().flatten() {
            lock::may_remove(record, self.now(), false)?;
        }
        Ok(source)
    }
}
