//! Changes of what goes with a stored version: tags, retention, legal hold. Its body, entity tag and time stay.

use std::collections::BTreeMap;

use carob_commit::{Retention, VersionName};
use tokio::sync::oneshot;

use crate::bucket::check_key;
use crate::committer::Op;
use crate::{Bucket, BucketError, Written};

/// A change of what goes with a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amendment {
    /// These tags in place of the others.
    Tags(BTreeMap<String, String>),
    /// This retention in place of the present one; `None` for none.
    Retention {
        /// The retention.
        retention: Option<Retention>,
        /// Whether the caller has, and uses, the right to bypass governance.
        bypass: bool,
    },
    /// Whether a legal hold is on.
    LegalHold(bool),
    /// Who may do what with it, if that is still as it was when somebody decided that it may be changed.
    Access {
        /// What it was; see [`Record::access`](carob_commit::Record::access).
        from: Option<String>,
        /// What it is to be.
        to: Option<String>,
    },
}

impl Bucket {
    /// Amends a version, or with `None` the current object.
    ///
    /// # Errors
    /// [`BucketError::NoSuchKey`], [`BucketError::NoSuchVersion`], [`BucketError::IsDeleteMarker`]; for retention and
    /// legal hold [`BucketError::LockNotEnabled`], [`BucketError::Locked`], [`BucketError::RetentionDate`]; for access [`BucketError::Contention`].
    pub async fn amend(
        &self,
        key: &str,
        version: Option<VersionName>,
        amendment: Amendment,
    ) -> Result<Written, BucketError> {
        check_key(key)?;
        let (reply, answer) = oneshot::channel();
        self.submit(Op::Amend { key: key.to_owned(), version, amendment, reply }, answer).await
    }
}
