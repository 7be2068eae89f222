//! One answer from everything that has a say: the caller's own rights, the bucket's policy, access control lists, and the
//! settings that narrow both (Amazon S3 user guide, "How Amazon S3 authorizes a request").

use std::fmt;

use crate::acl::{Acl, Permission, Through};
use crate::document::{Policy, StatementName};
use crate::evaluate::{Request, Verdict};
use crate::ownership::{Ownership, PublicAccessBlock};
use crate::principal::Caller;

/// What a bucket says of who may do what with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// Its policy.
    pub policy: Option<Policy>,
    /// Its list; none is the owner's alone.
    pub acl: Option<Acl>,
    /// What keeps it from being public.
    pub block: PublicAccessBlock,
    /// Whose its objects are.
    pub ownership: Ownership,
}

/// What a caller's key may do of itself, whatever others say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Nothing: there is no key.
    None,
    /// Everything in every bucket: the key is the server's own.
    Everything,
    /// What an account may do with what is its own or what it is let into, as far as the key goes.
    Key {
        /// Whether the key may do all that its account may.
        full: bool,
        /// Whether it may do this.
        granted: bool,
    },
}

/// What is asked of all rules together.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who, what, and on what.
    pub request: Request<'a>,
    /// What the caller's key may do of itself.
    pub rights: Rights,
    /// The canonical id of the bucket's owner.
    pub bucket_owner: &'a str,
    /// The list of the object that is there; none is the bucket owner's alone.
    pub object: Option<&'a Acl>,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Decided<'a> {
    /// Whether it may be done.
    pub allowed: bool,
    /// Why.
    pub reason: Reason<'a>,
}

/// Why something may be done or not. Displays as an audit log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason<'a> {
    /// A statement of the bucket's policy says so.
    Policy(StatementName<'a>),
    /// The key may do it of itself.
    Key,
    /// A list grants it.
    Acl,
    /// Nothing allows it.
    Nothing,
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(statement) => write!(f, "bucket policy, {statement}"),
            Self::Key => f.write_str("access key"),
            Self::Acl => f.write_str("access control list"),
            Self::Nothing => f.write_str("nothing allows it"),
        }
    }
}

/// What the account that owns a bucket may always do, so that no policy locks it out for good, and what nobody else ever
/// may, so that a policy that is too wide cannot be made wider by those whom it lets in (API reference, PutBucketPolicy).
const OF_THE_OWNER: &[&str] = &["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];

/// Decides.
pub fn decide<'a>(rules: &'a Rules, question: &Question<'_>) -> Decided<'a> {
    let Question { request, rights, bucket_owner, object } = *question;
    let Request { caller, action, .. } = request;
    let owns_bucket = matches!(caller, Caller::Account { canonical, .. } if canonical == bucket_owner);
    let verdict = rules.policy.as_ref().map_or(Verdict::Silent, |policy| policy.evaluate(&request));
    let manages = match rights {
        Rights::Everything => true,
        Rights::Key { full, .. } => full && owns_bucket,
        Rights::None => false,
    };
    if let Verdict::Deny(by) = verdict
        && !(manages && OF_THE_OWNER.contains(&action))
    {
        return Decided { allowed: false, reason: Reason::Policy(by) };
    }
    if rights == Rights::Everything {
        return Decided { allowed: true, reason: Reason::Key };
    }
    if OF_THE_OWNER.contains(&action) && !owns_bucket {
        return Decided { allowed: false, reason: Reason::Nothing };
    }

    let lists = rules.ownership != Ownership::BucketOwnerEnforced;
    let object = object.filter(|_| lists);
    // What is asked of an object that somebody else has put there is for that somebody to allow.
    let object_owner = object.map_or(bucket_owner, |acl| acl.owner.as_str());
    let foreign = object_owner != bucket_owner && is_for_object_owner(action);
    let narrowed = rules.block.restrict_public_buckets
        && !owns_bucket
        && !matches!(caller, Caller::Service(_))
        && rules.policy.as_ref().is_some_and(Policy::is_public);
    let by_policy = match verdict {
        Verdict::Allow { by, itself } if !foreign && !narrowed => Some((by, itself)),
        _ => None,
    };
    let by_list = if lists { listed(rules, object, caller, action) } else { None };
    let owns_object = matches!(caller, Caller::Account { canonical, .. } if canonical == object_owner);

    let (granted, itself) = match rights {
        Rights::Key { granted, .. } => (granted, owns_bucket),
        // Nobody has to pass on what is given to everybody.
        Rights::None | Rights::Everything => (false, true),
    };
    let no_lists = LIST_ACTIONS.contains(&action) && owns_object && object.is_some();
    let reason = match (by_policy, by_list) {
        _ if granted && owns_bucket && !foreign => Reason::Key,
        _ if granted && no_lists => Reason::Key,
        (Some((by, true)), _) if itself || granted => Reason::Policy(by),
        (Some((by, false)), _) if granted => Reason::Policy(by),
        (_, Some(Through::Group)) if itself || granted => Reason::Acl,
        (_, Some(Through::Account)) if granted => Reason::Acl,
        _ => return Decided { allowed: false, reason: Reason::Nothing },
    };
    Decided { allowed: true, reason }
}

/// What the owner of an object may do with it whatever its list says.
const LIST_ACTIONS: &[&str] =
    &["s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl"];

/// What an object's owner has a say in; over anything else in a bucket, its owner has.
fn is_for_object_owner(action: &str) -> bool {
    const READS: &[&str] =
        &["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"];
    READS.contains(&action) || LIST_ACTIONS.contains(&action)
}

/// Whether the list that counts for an action lets the caller in (user guide, "Mapping of ACL permissions and access
/// policy permissions").
fn listed(rules: &Rules, object: Option<&Acl>, caller: &Caller, action: &str) -> Option<Through> {
    let (acl, permission) = match action {
        "s3:ListBucket" | "s3:ListBucketVersions" | "s3:ListBucketMultipartUploads" => {
            (rules.acl.as_ref(), Permission::Read)
        }
        "s3:PutObject" | "s3:DeleteObject" | "s3:AbortMultipartUpload" | "s3:ListMultipartUploadParts" => {
            (rules.acl.as_ref(), Permission::Write)
        }
        "s3:GetBucketAcl" => (rules.acl.as_ref(), Permission::ReadAcp),
        "s3:PutBucketAcl" => (rules.acl.as_ref(), Permission::WriteAcp),
        "s3:GetObject"
        | "s3:GetObjectVersion"
        | "s3:GetObjectAttributes"
        | "s3:GetObjectVersionAttributes" => (object, Permission::Read),
        "s3:GetObjectAcl" | "s3:GetObjectVersionAcl" => (object, Permission::ReadAcp),
        "s3:PutObjectAcl" | "s3:PutObjectVersionAcl" => (object, Permission::WriteAcp),
        _ => return None,
    };
    acl?.lets(caller, permission, !rules.block.ignore_public_acls)
}
