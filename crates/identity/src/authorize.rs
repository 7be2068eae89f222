//! Who may do what on what: the question and who answers it.

use std::fmt;

use async_trait::async_trait;

use crate::{AccessKeyId, Credentials, Did, IdentityError, SecretKey, Timestamp};

/// Who asks, after authentication. An anonymous caller is the absence of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identity {
    /// The holder of the secret of this access key.
    AccessKey(AccessKeyId),
    /// Whoever may open the gateway's admin socket: the owner of its data directory.
    Operator,
}

/// What is to be done, by its name in IAM (`s3:GetObject`) or, where AWS has none, ours (`carob:Export`).
///
/// Source for S3's: the Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action(&'static str);

impl Action {
    /// CreateBucket.
    pub const CREATE_BUCKET: Self = Self("s3:CreateBucket");
    /// DeleteBucket.
    pub const DELETE_BUCKET: Self = Self("s3:DeleteBucket");
    /// ListBuckets.
    pub const LIST_ALL_MY_BUCKETS: Self = Self("s3:ListAllMyBuckets");
    /// HeadBucket, ListObjects and ListObjectsV2.
    pub const LIST_BUCKET: Self = Self("s3:ListBucket");
    /// GetBucketLocation.
    pub const GET_BUCKET_LOCATION: Self = Self("s3:GetBucketLocation");
    /// GetObject and HeadObject.
    pub const GET_OBJECT: Self = Self("s3:GetObject");
    /// PutObject.
    pub const PUT_OBJECT: Self = Self("s3:PutObject");
    /// DeleteObject and each key of DeleteObjects.
    pub const DELETE_OBJECT: Self = Self("s3:DeleteObject");
    /// GetObject and HeadObject of a version.
    pub const GET_OBJECT_VERSION: Self = Self("s3:GetObjectVersion");
    /// DeleteObject of a version.
    pub const DELETE_OBJECT_VERSION: Self = Self("s3:DeleteObjectVersion");
    /// Reading an object's tags.
    pub const GET_OBJECT_TAGGING: Self = Self("s3:GetObjectTagging");
    /// Setting an object's tags, also with the object.
    pub const PUT_OBJECT_TAGGING: Self = Self("s3:PutObjectTagging");
    /// Reading until when an object is retained.
    pub const GET_OBJECT_RETENTION: Self = Self("s3:GetObjectRetention");
    /// Setting until when an object is retained, also with the object.
    pub const PUT_OBJECT_RETENTION: Self = Self("s3:PutObjectRetention");
    /// Reading whether an object is under a legal hold.
    pub const GET_OBJECT_LEGAL_HOLD: Self = Self("s3:GetObjectLegalHold");
    /// Setting whether an object is under a legal hold, also with the object.
    pub const PUT_OBJECT_LEGAL_HOLD: Self = Self("s3:PutObjectLegalHold");
    /// Lifting a governance retention early.
    pub const BYPASS_GOVERNANCE_RETENTION: Self = Self("s3:BypassGovernanceRetention");
    /// The whole bucket as a CAR: it exposes every key.
    pub const EXPORT: Self = Self("carob:Export");
    /// A bucket's commits: they expose what was there before.
    pub const READ_HISTORY: Self = Self("carob:ReadHistory");
    /// Setting how long past states of a bucket are kept.
    pub const MANAGE_RETENTION: Self = Self("carob:ManageRetention");
    /// Making and removing named snapshots of a bucket.
    pub const MANAGE_SNAPSHOTS: Self = Self("carob:ManageSnapshots");
    /// Collecting garbage, or asking what that would do.
    pub const COLLECT: Self = Self("carob:Collect");
    /// Erasing an object from the past, too.
    pub const PURGE: Self = Self("carob:Purge");
    /// Bringing a deleted bucket back, whoever it belongs to.
    pub const UNDELETE: Self = Self("carob:Undelete");
    /// Who has accounts and access keys; never a secret.
    pub const READ_ACCOUNTS: Self = Self("carob:ReadAccounts");
    /// Making and removing accounts and access keys.
    pub const MANAGE_ACCOUNTS: Self = Self("carob:ManageAccounts");
    /// The gateway's own state.
    pub const READ_STATUS: Self = Self("carob:ReadStatus");

    /// An action of this name.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name that policies use.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// What is to be acted on. Displays as the ARN that policies match, such as `arn:aws:s3:::bucket/key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource<'a> {
    /// All of the space: the service in AWS's terms.
    Space,
    /// A bucket, named as the request names it; it may not exist.
    Bucket(&'a str),
    /// A key in a bucket; neither need exist.
    Object {
        /// The bucket's name.
        bucket: &'a str,
        /// The key.
        key: &'a str,
    },
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Space => f.write_str("*"),
            Self::Bucket(bucket) => write!(f, "arn:aws:s3:::{bucket}"),
            Self::Object { bucket, key } => write!(f, "arn:aws:s3:::{bucket}/{key}"),
        }
    }
}

/// May this identity do this action on this resource now?
///
/// A struct, so that what policies will look at (the request's prefix, address, conditions) can join without a
/// change to the operations that ask.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// Who asks; `None` is anonymous.
    pub identity: Option<&'a Identity>,
    /// What for.
    pub action: Action,
    /// On what.
    pub resource: Resource<'a>,
    /// The prefix of the keys that the answer lists, empty for all; `None` if it lists none.
    pub listed: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

impl<'a> AccessRequest<'a> {
    /// A request that lists no keys.
    pub const fn new(
        identity: Option<&'a Identity>,
        action: Action,
        resource: Resource<'a>,
        now: Timestamp,
    ) -> Self {
        Self { identity, action, resource, listed: None, now }
    }
}

/// The answer to an [`AccessRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Something allows it and nothing denies it.
    Allow,
    /// Everything else.
    Deny,
}

/// What a caller may do of itself, as if every bucket were its account's: what the owner of a bucket says comes to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Rights {
    /// Nothing: nobody has signed, or the key is void.
    None,
    /// Everything in all of the space.
    Everything,
    /// What its account may, as far as the key goes.
    Account {
        /// The account.
        id: Did,
        /// Whether the key may do all that its account may.
        full: bool,
        /// Whether it may do this.
        granted: bool,
    },
}

/// Decides for every surface: S3, the admin API, whatever comes. What no rule allows is denied.
#[async_trait]
pub trait Authorizer: Send + Sync + fmt::Debug {
    /// Decides.
    ///
    /// # Errors
    /// [`IdentityError::Unavailable`] when the rules could not be read. The caller then refuses, and says that
    /// trying again may help.
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<Decision, IdentityError>;

    /// What the caller may do of itself, for a surface that knows whose the bucket is and what its owner says.
    fn rights(&self, request: &AccessRequest<'_>) -> Rights;
}

/// Tells whose a bucket is: what an [`Authorizer`] has to know of buckets.
#[async_trait]
pub trait BucketOwners: Send + Sync + fmt::Debug {
    /// The owner of the bucket of this name, or `None` if there is none. Asked for every request, so it must be cheap.
    ///
    /// # Errors
    /// [`IdentityError::Unavailable`] when it could not be found out.
    async fn owner(&self, bucket: &str) -> Result<Option<Did>, IdentityError>;
}

/// Finds the secrets that requests are signed with.
#[async_trait]
pub trait AccessKeys: Send + Sync + fmt::Debug {
    /// The secret of this access key, or `None` if there is no such key or it is no longer valid.
    ///
    /// # Errors
    /// [`IdentityError::Unavailable`] when the keys could not be read.
    async fn secret(&self, id: &AccessKeyId) -> Result<Option<SecretKey>, IdentityError>;
}

/// One root access key, which may do everything, and nobody else who may do anything but the operator.
#[derive(Debug, Clone)]
pub struct RootOnly {
    root: Credentials,
}

impl RootOnly {
    /// `root` is the one key that exists.
    pub const fn new(root: Credentials) -> Self {
        Self { root }
    }
}

#[async_trait]
impl Authorizer for RootOnly {
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<Decision, IdentityError> {
        Ok(match request.identity {
            Some(Identity::Operator) => Decision::Allow,
            Some(Identity::AccessKey(id)) if *id == self.root.id => Decision::Allow,
            Some(Identity::AccessKey(_)) | None => Decision::Deny,
        })
    }

    fn rights(&self, request: &AccessRequest<'_>) -> Rights {
        match request.identity {
            Some(Identity::Operator) => Rights::Everything,
            Some(Identity::AccessKey(id)) if *id == self.root.id => Rights::Everything,
            Some(Identity::AccessKey(_)) | None => Rights::None,
        }
    }
}

#[async_trait]
impl AccessKeys for RootOnly {
    async fn secret(&self, id: &AccessKeyId) -> Result<Option<SecretKey>, IdentityError> {
        Ok((*id == self.root.id).then(|| self.root.secret.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root_only() -> RootOnly {
        RootOnly::new(Credentials::parse("root-key", "root-secret").unwrap())
    }

    async fn decide(identity: Option<Identity>) -> Vec<Decision> {
        let resources =
            [Resource::Space, Resource::Bucket("b"), Resource::Object { bucket: "b", key: "root-key" }];
        let actions = [Action::LIST_ALL_MY_BUCKETS, Action::GET_OBJECT, Action::new("carob:Unheard")];
        let mut decisions = Vec::new();
        for resource in resources {
            for action in actions {
                let now = Timestamp(0);
                let request = AccessRequest::new(identity.as_ref(), action, resource, now);
                decisions.push(root_only().authorize(&request).await.unwrap());
            }
        }
        decisions.dedup();
        decisions
    }

    #[tokio::test]
    async fn only_root_and_operator_may_do_anything() {
        let key = |id: &str| Some(Identity::AccessKey(id.parse().unwrap()));
        assert_eq!(decide(key("root-key")).await, [Decision::Allow]);
        assert_eq!(decide(Some(Identity::Operator)).await, [Decision::Allow]);
        assert_eq!(decide(key("root-key2")).await, [Decision::Deny]);
        assert_eq!(decide(key("ROOT-KEY")).await, [Decision::Deny]);
        assert_eq!(decide(None).await, [Decision::Deny]);
    }

    #[tokio::test]
    async fn only_the_root_key_has_a_secret() {
        let keys = root_only();
        let secret = keys.secret(&"root-key".parse().unwrap()).await.unwrap();
        assert_eq!(secret.unwrap().expose(), "root-secret");
        assert_eq!(keys.secret(&"other".parse().unwrap()).await.unwrap(), None);
    }

    #[test]
    fn resources_display_as_arns() {
        assert_eq!(Resource::Space.to_string(), "*");
        assert_eq!(Resource::Bucket("b").to_string(), "arn:aws:s3:::b");
        assert_eq!(Resource::Object { bucket: "b", key: "a/é" }.to_string(), "arn:aws:s3:::b/a/é");
    }
}
