//! `AccessControlPolicy` documents.

use carob_identity::{Did, Directory};
use carob_policy::{Acl, AclGrant, Grantee, MAX_GRANTS, Permission};
use s3s::dto::{self, AccessControlPolicy, Grant, Type};
use s3s::{S3Error, S3Result, s3_error};

use crate::error::{access_denied, custom};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// Reads a document about something of `owner`'s, which stays its.
///
/// # Errors
/// MalformedACLError, InvalidArgument, UnresolvableGrantByEmailAddress; AccessDenied for another owner.
pub(crate) fn from_document(
    document: &AccessControlPolicy,
    owner: &str,
    directory: &dyn Directory,
) -> S3Result<Acl> {
    // Taken for an empty list, a document without one would take everybody's rights away.
    let stated = document.owner.as_ref().and_then(|owner| owner.id.as_deref()).ok_or_else(malformed)?;
    let grants = document.grants.as_deref().ok_or_else(malformed)?;
    if grants.len() > MAX_GRANTS {
        return Err(malformed());
    }
    let grants = grants.iter().map(|grant| read(grant, directory)).collect::<S3Result<_>>()?;
    if stated != owner {
        return Err(access_denied());
    }
    Ok(Acl { owner: owner.to_owned(), grants })
}

fn read(grant: &Grant, directory: &dyn Directory) -> S3Result<AclGrant> {
    let permission = grant.permission.as_ref().and_then(|permission| Permission::named(permission.as_str()));
    let permission = permission.ok_or_else(malformed)?;
    let grantee = grant.grantee.as_ref().ok_or_else(malformed)?;
    let grantee = match (grantee.type_.as_str(), &grantee.id, &grantee.uri, &grantee.email_address) {
        (Type::CANONICAL_USER, Some(id), _, _) if !id.is_empty() => account(id, directory)?,
        (Type::GROUP, _, Some(uri), _) => group(uri)?,
        (Type::AMAZON_CUSTOMER_BY_EMAIL, _, _, Some(email)) => by_email(email, directory)?,
        _ => return Err(malformed()),
    };
    Ok(AclGrant { grantee, permission })
}

/// The account with this canonical id.
///
/// # Errors
/// InvalidArgument if there is none.
pub(super) fn account(id: &str, directory: &dyn Directory) -> S3Result<Grantee> {
    let known = Did::from_canonical_id(id).filter(|did| directory.name_of(did).is_some());
    let known = known.ok_or_else(|| s3_error!(InvalidArgument, "Invalid id"))?;
    Ok(Grantee::Account(known.canonical_id()))
}

/// # Errors
/// InvalidArgument for a group that S3 does not have.
pub(super) fn group(uri: &str) -> S3Result<Grantee> {
    match uri {
        ALL_USERS => Ok(Grantee::AllUsers),
        AUTHENTICATED_USERS => Ok(Grantee::AuthenticatedUsers),
        LOG_DELIVERY => Ok(Grantee::LogDelivery),
        _ => Err(s3_error!(InvalidArgument, "Invalid group uri")),
    }
}

/// The account that is called so: accounts here have a name, which may be an address, and no other address.
///
/// # Errors
/// UnresolvableGrantByEmailAddress if there is none.
pub(super) fn by_email(email: &str, directory: &dyn Directory) -> S3Result<Grantee> {
    match directory.named(email) {
        Some(did) => Ok(Grantee::Account(did.canonical_id())),
        None => Err(s3_error!(
            UnresolvableGrantByEmailAddress,
            "The email address you provided does not match any account on record."
        )),
    }
}

fn malformed() -> S3Error {
    custom(
        "MalformedACLError",
        http::StatusCode::BAD_REQUEST,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// The grants of a list as S3 shows them, those of groups first; `named` shows an account.
pub(crate) fn shown(acl: &Acl, named: impl Fn(&str) -> dto::Owner) -> Vec<Grant> {
    let show = |AclGrant { grantee, permission }: &AclGrant| {
        let group = |uri: &str| dto::Grantee {
            display_name: None,
            email_address: None,
            id: None,
            type_: Type::from_static(Type::GROUP),
            uri: Some(uri.to_owned()),
        };
        let grantee = match grantee {
            Grantee::AllUsers => group(ALL_USERS),
            Grantee::AuthenticatedUsers => group(AUTHENTICATED_USERS),
            Grantee::LogDelivery => group(LOG_DELIVERY),
            Grantee::Account(id) => {
                let dto::Owner { id, display_name } = named(id);
                let type_ = Type::from_static(Type::CANONICAL_USER);
                dto::Grantee { display_name, email_address: None, id, type_, uri: None }
            }
        };
        Grant { grantee: Some(grantee), permission: Some(dto::Permission::from_static(permission.name())) }
    };
    let (groups, accounts): (Vec<_>, Vec<_>) =
        acl.grants.iter().partition(|grant| !matches!(grant.grantee, Grantee::Account(_)));
    groups.into_iter().chain(accounts).map(show).collect()
}
