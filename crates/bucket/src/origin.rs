//! Where a bucket was pulled from, kept in its configuration.

use std::fmt;
use std::str::FromStr;

use carob_block::{Bytes, Cid};
use carob_commit::{BucketId, Commit, Config};
use carob_identity::Did;

/// What the setting is called.
const NAME: &str = "origin";

/// The commit of another space's bucket that a bucket was last made equal to. In a branch, or in what is made of an export,
/// there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) space: Did,
    pub(crate) bucket: BucketId,
    pub(crate) seq: u64,
    pub(crate) commit: Cid,
    /// The trees that both had then.
    objects: Cid,
    versions: Option<Cid>,
}

impl Origin {
    pub(crate) fn of(commit: &Commit) -> Self {
        Self {
            space: commit.space,
            bucket: commit.bucket,
            seq: commit.seq,
            commit: commit.cid(),
            objects: commit.objects,
            versions: commit.versions,
        }
    }

    /// What a configuration says; `None` if the bucket was not pulled.
    pub(crate) fn read(config: &Config) -> Option<Self> {
        std::str::from_utf8(config.documents.get(NAME)?).ok()?.parse().ok()
    }

    pub(crate) fn write(&self, config: &mut Config) {
        config.documents.insert(NAME.to_owned(), Bytes::from(self.to_string()));
    }

    /// Whether a commit has the objects and versions that came from there.
    pub(crate) fn is_as_pulled(&self, commit: &Commit) -> bool {
        (commit.objects, commit.versions) == (self.objects, self.versions)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { space, bucket, seq, commit, objects, versions } = self;
        write!(f, "{space} {bucket} {seq} {commit} {objects}")?;
        versions.map_or(Ok(()), |versions| write!(f, " {versions}"))
    }
}

impl FromStr for Origin {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let mut next = || words.next().ok_or(());
        let origin = Self {
            space: next()?.parse().map_err(drop)?,
            bucket: next()?.parse().map_err(drop)?,
            seq: next()?.parse().map_err(drop)?,
            commit: next()?.parse().map_err(drop)?,
            objects: next()?.parse().map_err(drop)?,
            versions: next().ok().map(str::parse).transpose().map_err(drop)?,
        };
        if words.next().is_some() { Err(()) } else { Ok(origin) }
    }
}
