//! Lists that a request gives in its headers: `x-amz-acl`, or `x-amz-grant-*`.

use carob_identity::Directory;
use carob_policy::{Acl, AclGrant, Canned, Grantee, MAX_GRANTS, Permission};
use http::HeaderMap;
use s3s::{S3Error, S3Result, s3_error};

use super::document::{account, by_email, group};
use crate::error::not_implemented;

const CANNED: &str = "x-amz-acl";
const GRANTS: [(&str, Permission); 5] = [
    ("x-amz-grant-read", Permission::Read),
    ("x-amz-grant-write", Permission::Write),
    ("x-amz-grant-read-acp", Permission::ReadAcp),
    ("x-amz-grant-write-acp", Permission::WriteAcp),
    ("x-amz-grant-full-control", Permission::FullControl),
];

/// A list as headers give it, before it is known whose what it is for is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    /// By name.
    Canned(Canned),
    /// Grant by grant.
    Grants(Vec<AclGrant>),
}

/// What a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnWhat {
    /// A bucket, which knows no list that names its owner.
    Bucket,
    /// An object.
    Object,
}

impl Given {
    /// Reads the headers; `None` if they give no list.
    ///
    /// # Errors
    /// InvalidArgument for what is no list or for whom there is no account, InvalidRequest for both kinds at once,
    /// UnresolvableGrantByEmailAddress, NotImplemented for `aws-exec-read`.
    pub(crate) fn parse(
        headers: &HeaderMap,
        on: OnWhat,
        directory: &dyn Directory,
    ) -> S3Result<Option<Self>> {
        if headers.contains_key(CANNED) && has_grants(headers) {
            return Err(s3_error!(
                InvalidRequest,
                "Specifying both Canned ACLs and Header Grants is not allowed"
            ));
        }
        let mut canned = None;
        for value in headers.get_all(CANNED) {
            let name = value.to_str().unwrap_or_default();
            canned = match (name, on) {
                ("aws-exec-read", _) => return Err(not_implemented("x-amz-acl: aws-exec-read")),
                ("bucket-owner-read" | "bucket-owner-full-control", OnWhat::Bucket) => Some(Canned::Private),
                _ => Some(
                    Canned::named(name).ok_or_else(|| s3_error!(InvalidArgument, "Invalid canned ACL"))?,
                ),
            };
        }
        let mut grants = Vec::new();
        for (name, permission) in GRANTS {
            for value in headers.get_all(name) {
                let text = value.to_str().map_err(|_| invalid(name))?;
                for grantee in text.split(',') {
                    let grantee = grantee_of(grantee, directory)?.ok_or_else(|| invalid(name))?;
                    grants.push(AclGrant { grantee, permission });
                }
            }
        }
        if grants.len() > MAX_GRANTS {
            return Err(s3_error!(InvalidArgument, "An access control list has at most 100 grants"));
        }
        Ok(canned.map(Self::Canned).or_else(|| (!grants.is_empty()).then_some(Self::Grants(grants))))
    }

    /// Whether there is one in the headers.
    pub(super) fn is_in(headers: &HeaderMap) -> bool {
        headers.contains_key(CANNED) || has_grants(headers)
    }

    /// The list, for something of `owner`'s in a bucket of `bucket_owner`'s.
    pub(crate) fn acl(self, owner: &str, bucket_owner: &str) -> Acl {
        match self {
            Self::Canned(canned) => canned.acl(owner, bucket_owner),
            Self::Grants(grants) => Acl { owner: owner.to_owned(), grants },
        }
    }

    /// Whether it does no more than let the bucket's owner do everything, which is all that may be said where the owner
    /// owns everything.
    pub(crate) fn is_bucket_owners(&self, bucket_owner: &str) -> bool {
        match self {
            Self::Canned(canned) => *canned == Canned::BucketOwnerFullControl,
            Self::Grants(grants) => grants.iter().all(|AclGrant { grantee, permission }| {
                *permission == Permission::FullControl
                    && *grantee == Grantee::Account(bucket_owner.to_owned())
            }),
        }
    }
}

fn has_grants(headers: &HeaderMap) -> bool {
    GRANTS.iter().any(|(name, _)| headers.contains_key(*name))
}

/// `id="…"`, `uri="…"` or `emailAddress="…"`, with quotes or without.
fn grantee_of(text: &str, directory: &dyn Directory) -> S3Result<Option<Grantee>> {
    let Some((kind, value)) = text.split_once('=') else { return Ok(None) };
    let value = value.trim().trim_matches('"');
    match kind.trim().to_ascii_lowercase().as_str() {
        "id" => account(value, directory).map(Some),
        "uri" => group(value).map(Some),
        "emailaddress" => by_email(value, directory).map(Some),
        _ => Ok(None),
    }
}

fn invalid(name: &str) -> S3Error {
    s3_error!(InvalidArgument, "Argument format not recognized: {name}")
}

#[cfg(test)]
mod tests {
    use carob_identity::{Account, Signer, SoleAccount, SpaceKey};

    use super::*;

    fn given(headers: &[(&'static str, String)]) -> Result<Option<Given>, String> {
        let did = *SpaceKey::from_seed(&[7; 32]).did();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Given::parse(&map, OnWhat::Object, &SoleAccount(Account::root(did)))
            .map_err(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn lists_are_read_from_headers() {
        let id = SpaceKey::from_seed(&[7; 32]).did().canonical_id();
        let all = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";
        assert_eq!(given(&[]), Ok(None));
        assert_eq!(
            given(&[("x-amz-acl", "public-read".into())]),
            Ok(Some(Given::Canned(Canned::PublicRead)))
        );
        let grant = |grantee, permission| AclGrant { grantee, permission };
        let me = || Grantee::Account(id.clone());
        assert_eq!(
            given(&[
                ("x-amz-grant-full-control", format!("id={id}")),
                ("x-amz-grant-read", format!("{all}, ID=\"{id}\"")),
                ("x-amz-grant-read", "emailAddress=root".into()),
            ]),
            Ok(Some(Given::Grants(vec![
                grant(Grantee::AllUsers, Permission::Read),
                grant(me(), Permission::Read),
                grant(me(), Permission::Read),
                grant(me(), Permission::FullControl),
            ])))
        );
        for (name, value, code) in [
            ("x-amz-acl", "public-ready", "InvalidArgument"),
            ("x-amz-acl", "", "InvalidArgument"),
            ("x-amz-acl", "aws-exec-read", "NotImplemented"),
            ("x-amz-grant-read", "", "InvalidArgument"),
            ("x-amz-grant-read", "id=abc", "InvalidArgument"),
            ("x-amz-grant-read", "name=root", "InvalidArgument"),
            ("x-amz-grant-read", "uri=http://example.com/", "InvalidArgument"),
            ("x-amz-grant-read", "emailAddress=nobody@example.com", "UnresolvableGrantByEmailAddress"),
        ] {
            assert_eq!(given(&[(name, value.into())]), Err(code.to_owned()), "{name}: {value}");
        }
        let both = given(&[("x-amz-acl", "private".into()), ("x-amz-grant-read", all.into())]);
        assert_eq!(both, Err("InvalidRequest".to_owned()));
        let many = vec![all; 101].join(",");
        assert_eq!(given(&[("x-amz-grant-read", many)]), Err("InvalidArgument".to_owned()));
    }
}
