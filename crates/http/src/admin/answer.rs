//! Answers and refusals of the admin API.

use carob_bucket::BucketError;
use carob_identity::IdentityError;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::api::Failure;
use crate::body::full;
use crate::{Body, api};

/// Why a request was not done: a status and one line for people.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn into_response(self) -> Response<Body> {
        json(self.status, &Failure { error: self.message })
    }
}

impl From<BucketError> for Refusal {
    fn from(error: BucketError) -> Self {
        let status = match error {
            BucketError::NoSuchBucket(_)
            | BucketError::NoSuchKey(_)
            | BucketError::NotDeleted { .. }
            | BucketError::NoSuchState { .. }
            | BucketError::NoSuchSnapshot(_) => StatusCode::NOT_FOUND,
            BucketError::Purged { .. } => StatusCode::GONE,
            BucketError::BadToken
            | BucketError::InvalidBucketName(..)
            | BucketError::KeyLength(_)
            | BucketError::InvalidMoment(_)
            | BucketError::InvalidSnapshotName(_)
            | BucketError::TooManyObjects
            | BucketError::Unreachable(_)
            | BucketError::Untrustworthy(_) => StatusCode::BAD_REQUEST,
            BucketError::BucketExists(_)
            | BucketError::Unrelated { .. }
            | BucketError::Conflicts(_)
            | BucketError::NotPulled { .. }
            | BucketError::SnapshotExists(_)
            | BucketError::SnapshotLocked { .. }
            | BucketError::Locked => StatusCode::CONFLICT,
            BucketError::TooManyBytes(_) | BucketError::Repetitive { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BucketError::ReadOnly => StatusCode::METHOD_NOT_ALLOWED,
            BucketError::Contention | BucketError::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            // Damage, a failing store, and what only writers of objects meet.
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Self {
        Self::new(super::accounts::status(&error), error.to_string())
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    #[expect(clippy::expect_used, reason = "strings, numbers and maps with string keys always serialise")]
    let text = serde_json::to_vec(value).expect("the API's types serialise");
    full(status, api::CONTENT_TYPE, text.into())
}
