//! What must hold of a key when a write of it is applied.

use carob_commit::ETag;

use crate::BucketError;

/// What must hold of a key when a write of it is applied. Decided in the committer, so it holds under any
/// concurrency. The default asks nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Precondition {
    /// The object must exist with one of these tags.
    pub if_match: Option<EtagCondition>,
    /// No object with one of these tags may exist.
    pub if_none_match: Option<EtagCondition>,
}

/// The right-hand side of `If-Match` and `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtagCondition {
    /// `*`: any object at all.
    Any,
    /// One of these entity tags, without quotes.
    OneOf(Vec<String>),
}

impl EtagCondition {
    /// Whether an object with this tag is meant.
    pub fn matches(&self, etag: ETag) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => {
                let etag = etag.to_string();
                tags.iter().any(|tag| tag.eq_ignore_ascii_case(&etag))
            }
        }
    }
}

impl Precondition {
    /// Whether nothing is asked, so that the present object need not be looked up.
    pub fn is_none(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Checks against the object now under `key`, whose tag is `present`.
    ///
    /// # Errors
    /// [`BucketError::NoSuchKey`], [`BucketError::PreconditionFailed`].
    pub fn check(&self, key: &str, present: Option<ETag>) -> Result<(), BucketError> {
        if let Some(condition) = &self.if_match {
            match present {
                None => return Err(BucketError::NoSuchKey(key.to_owned())),
                Some(etag) if !condition.matches(etag) => {
                    return Err(BucketError::PreconditionFailed("If-Match"));
                }
                Some(_) => {}
            }
        }
        match (&self.if_none_match, present) {
            (Some(condition), Some(etag)) if condition.matches(etag) => {
                Err(BucketError::PreconditionFailed("If-None-Match"))
            }
            _ => Ok(()),
        }
    }
}
