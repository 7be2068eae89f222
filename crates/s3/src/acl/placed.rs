//! Whose a new object is, and what list it gets.

use carob_identity::Action;
use carob_policy::{Acl, Canned, Grantee, Ownership, Rules};
use http::HeaderMap;
use s3s::{S3Error, S3Result};

use super::given::{Given, OnWhat};
use crate::access::{Asker, Deed, Gatekeeper, Here};
use crate::error::{access_denied, custom};

/// What decides on the ownership of a new object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ownable<'a> {
    pub(crate) asker: &'a Asker,
    pub(crate) here: &'a Here,
    pub(crate) key: &'a str,
}

impl Ownable<'_> {
    /// What goes with the object of its owner and its list, by the headers of the request that makes it; `None` where it is
    /// the bucket owner's alone.
    ///
    /// # Errors
    /// As [`Given::parse`]; AccessControlListNotSupported where the bucket's owner owns everything, AccessDenied for a
    /// public list where those are blocked, or for a key that may not give rights to others.
    pub(crate) fn access(self, headers: &HeaderMap, gatekeeper: &Gatekeeper) -> S3Result<Option<String>> {
        let Self { asker, here, key } = self;
        let given = Given::parse(headers, OnWhat::Object, &*gatekeeper.directory)?;
        let bucket_owner = here.owner.as_str();
        if here.rules.ownership == Ownership::BucketOwnerEnforced {
            return match given {
                Some(given) if !given.is_bucket_owners(bucket_owner) => Err(not_supported()),
                _ => Ok(None),
            };
        }
        let yielded = here.rules.ownership == Ownership::BucketOwnerPreferred
            && given == Some(Given::Canned(Canned::BucketOwnerFullControl));
        let writer = gatekeeper.writer(asker, here).filter(|_| !yielded);
        let owner = writer.as_deref().unwrap_or(bucket_owner);
        let acl = given.map_or_else(|| Acl::private(owner), |given| given.acl(owner, bucket_owner));
        check_public(&acl, &here.rules)?;
        if acl == Acl::private(bucket_owner) {
            return Ok(None);
        }
        // A right to write does not let others in: not with a key for that alone, nor by a policy that gives no other. Where
        // the bucket's list lets everybody write, whoever has not signed may let others read what that makes.
        let lets_others_in = acl.grants.iter().any(|grant| match &grant.grantee {
            Grantee::Account(id) => id != owner && id != bucket_owner,
            Grantee::AllUsers | Grantee::AuthenticatedUsers | Grantee::LogDelivery => true,
        });
        let decided = here.rules.policy.is_some() || (asker.identity.is_some() && !gatekeeper.is_full(asker));
        if lets_others_in && decided {
            gatekeeper.require(asker, here, Deed::on_key(Action::new("s3:PutObjectAcl"), key))?;
        }
        Ok(Some(acl.to_text()))
    }
}

impl Gatekeeper {
    /// The canonical id of whoever owns what a caller writes. What nobody has signed is the bucket owner's, and so is
    /// what the root access key writes into another's bucket: it acts for the bucket's owner there.
    fn writer(&self, asker: &Asker, here: &Here) -> Option<String> {
        if self.is_everything(asker) {
            return Some(here.owner.clone());
        }
        asker.account(&*self.directory).map(|account| account.id.canonical_id())
    }
}

/// Refuses a public list where those are blocked.
///
/// # Errors
/// AccessDenied.
pub(crate) fn check_public(acl: &Acl, rules: &Rules) -> S3Result<()> {
    if rules.block.block_public_acls && acl.is_public() { Err(access_denied()) } else { Ok(()) }
}

/// 400: lists mean nothing in a bucket of which the owner owns everything.
pub(crate) fn not_supported() -> S3Error {
    custom("AccessControlListNotSupported", http::StatusCode::BAD_REQUEST, "The bucket does not allow ACLs")
}
