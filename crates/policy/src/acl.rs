//! Access control lists (Amazon S3 user guide, "Access control list (ACL) overview").

use crate::principal::Caller;

/// The most grants in a list.
pub const MAX_GRANTS: usize = 100;

/// Who owns a bucket or an object, and who may do what with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// The owner's canonical id, which may read and write the list whatever it says.
    pub owner: String,
    /// What is granted, in the order given.
    pub grants: Vec<AclGrant>,
}

/// One right of one grantee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclGrant {
    /// Who.
    pub grantee: Grantee,
    /// What.
    pub permission: Permission,
}

/// Whom a grant is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// The account with this canonical id.
    Account(String),
    /// Everybody.
    AllUsers,
    /// Everybody with an access key.
    AuthenticatedUsers,
    /// Whoever delivers access logs.
    LogDelivery,
}

/// What a grant is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// All of the others.
    FullControl,
    /// Listing a bucket, reading an object.
    Read,
    /// Writing and deleting keys of a bucket; nothing on objects.
    Write,
    /// Reading the list.
    ReadAcp,
    /// Writing the list.
    WriteAcp,
}

/// The lists that have names (user guide, "Canned ACL").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canned {
    /// The owner's alone.
    Private,
    /// Everybody reads.
    PublicRead,
    /// Everybody reads and writes.
    PublicReadWrite,
    /// Everybody with a key reads.
    AuthenticatedRead,
    /// The bucket's owner reads the object.
    BucketOwnerRead,
    /// The bucket's owner may do everything with the object.
    BucketOwnerFullControl,
    /// Logs may be delivered into the bucket.
    LogDeliveryWrite,
}

impl Canned {
    const NAMES: [(&'static str, Self); 7] = [
        ("private", Self::Private),
        ("public-read", Self::PublicRead),
        ("public-read-write", Self::PublicReadWrite),
        ("authenticated-read", Self::AuthenticatedRead),
        ("bucket-owner-read", Self::BucketOwnerRead),
        ("bucket-owner-full-control", Self::BucketOwnerFullControl),
        ("log-delivery-write", Self::LogDeliveryWrite),
    ];

    /// The list of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, canned)| canned)
    }

    /// The list itself, for something of `owner`'s in a bucket of `bucket_owner`'s; for a bucket both are one.
    pub fn acl(self, owner: &str, bucket_owner: &str) -> Acl {
        use Grantee::{AllUsers, AuthenticatedUsers, LogDelivery};
        let mut acl = Acl::private(owner);
        let others = bucket_owner != owner;
        let of_bucket = || Grantee::Account(bucket_owner.to_owned());
        let more = match self {
            Self::BucketOwnerRead if others => vec![(of_bucket(), Permission::Read)],
            Self::BucketOwnerFullControl if others => vec![(of_bucket(), Permission::FullControl)],
            Self::Private | Self::BucketOwnerRead | Self::BucketOwnerFullControl => Vec::new(),
            Self::PublicRead => vec![(AllUsers, Permission::Read)],
            Self::PublicReadWrite => vec![(AllUsers, Permission::Read), (AllUsers, Permission::Write)],
            Self::AuthenticatedRead => vec![(AuthenticatedUsers, Permission::Read)],
            Self::LogDeliveryWrite => {
                vec![(LogDelivery, Permission::Write), (LogDelivery, Permission::ReadAcp)]
            }
        };
        acl.grants.extend(more.into_iter().map(|(grantee, permission)| AclGrant { grantee, permission }));
        acl
    }
}

impl Permission {
    const NAMES: [(&'static str, Self); 5] = [
        ("FULL_CONTROL", Self::FullControl),
        ("READ", Self::Read),
        ("WRITE", Self::Write),
        ("READ_ACP", Self::ReadAcp),
        ("WRITE_ACP", Self::WriteAcp),
    ];

    /// The permission of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, permission)| permission)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    fn covers(self, wanted: Self) -> bool {
        self == Self::FullControl || self == wanted
    }
}

impl Grantee {
    /// Whether it is the public: everybody, or everybody with some key.
    pub fn is_public(&self) -> bool {
        matches!(self, Self::AllUsers | Self::AuthenticatedUsers)
    }
}

/// By what a list lets a caller in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// Its account is named.
    Account,
    /// It is one of a group.
    Group,
}

impl Acl {
    /// The owner's alone: what everything has that was given no list.
    pub fn private(owner: &str) -> Self {
        let grantee = Grantee::Account(owner.to_owned());
        Self {
            owner: owner.to_owned(),
            grants: vec![AclGrant { grantee, permission: Permission::FullControl }],
        }
    }

    /// Whether it gives anything to the public.
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| grant.grantee.is_public())
    }

    /// Whether it lets a caller in, the public grants in it counting or not.
    pub(crate) fn lets(&self, caller: &Caller, wanted: Permission, public: bool) -> Option<Through> {
        let mut through = None;
        for grant in self.grants.iter().filter(|grant| grant.permission.covers(wanted)) {
            match (&grant.grantee, caller) {
                (Grantee::Account(id), Caller::Account { canonical, .. }) if id == canonical => {
                    through = through.or(Some(Through::Account));
                }
                (Grantee::AllUsers, _) | (Grantee::AuthenticatedUsers, Caller::Account { .. }) if public => {
                    through = Some(Through::Group);
                }
                (Grantee::LogDelivery, Caller::Service(name)) if name == LOG_DELIVERY => {
                    through = Some(Through::Group);
                }
                _ => {}
            }
        }
        through
    }

    /// The list as text: a line for the owner, then one for each grant.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.owner);
        for AclGrant { grantee, permission } in &self.grants {
            let grantee = match grantee {
                Grantee::Account(id) => id,
                Grantee::AllUsers => ALL_USERS,
                Grantee::AuthenticatedUsers => AUTHENTICATED_USERS,
                Grantee::LogDelivery => LOG_DELIVERY_GROUP,
            };
            text.push_str(&format!("{} {grantee}\n", permission.name()));
        }
        text
    }

    /// Reads a list back; `None` for what is none.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let owner = lines.next()?.to_owned();
        let mut grants = Vec::new();
        for line in lines {
            let (permission, grantee) = line.split_once(' ')?;
            let grantee = match grantee {
                ALL_USERS => Grantee::AllUsers,
                AUTHENTICATED_USERS => Grantee::AuthenticatedUsers,
                LOG_DELIVERY_GROUP => Grantee::LogDelivery,
                id => Grantee::Account(id.to_owned()),
            };
            grants.push(AclGrant { grantee, permission: Permission::named(permission)? });
        }
        Some(Self { owner, grants })
    }
}

const ALL_USERS: &str = "AllUsers";
const AUTHENTICATED_USERS: &str = "AuthenticatedUsers";
const LOG_DELIVERY_GROUP: &str = "LogDelivery";
const LOG_DELIVERY: &str = "logging.s3.amazonaws.com";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_are_written() {
        for (_, canned) in Canned::NAMES {
            let acl = canned.acl("aa", "bb");
            assert_eq!(Acl::from_text(&acl.to_text()), Some(acl));
        }
        let none = Acl { owner: "aa".into(), grants: Vec::new() };
        assert_eq!(Acl::from_text(&none.to_text()), Some(none));
        for bad in ["", "aa\nREAD", "aa\nEAT AllUsers\n"] {
            assert_eq!(Acl::from_text(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_list_lets_in_whom_it_names_and_nobody_else() {
        use Permission::{FullControl, Read, ReadAcp, Write, WriteAcp};
        let account = |id: &str| Caller::Account { number: String::new(), canonical: id.into(), user: None };
        let (owner, other) = (account("aa"), account("bb"));
        let logs = Caller::Service(LOG_DELIVERY.into());
        for (canned, caller, allowed) in [
            (Canned::Private, &owner, vec![Read, Write, ReadAcp, WriteAcp]),
            (Canned::Private, &other, vec![]),
            (Canned::Private, &Caller::Anonymous, vec![]),
            (Canned::PublicRead, &Caller::Anonymous, vec![Read]),
            (Canned::PublicReadWrite, &Caller::Anonymous, vec![Read, Write]),
            (Canned::AuthenticatedRead, &Caller::Anonymous, vec![]),
            (Canned::AuthenticatedRead, &account("cc"), vec![Read]),
            (Canned::BucketOwnerRead, &other, vec![Read]),
            (Canned::BucketOwnerFullControl, &other, vec![Read, Write, ReadAcp, WriteAcp]),
            (Canned::LogDeliveryWrite, &logs, vec![Write, ReadAcp]),
            (Canned::PublicRead, &logs, vec![Read]),
        ] {
            let acl = canned.acl("aa", "bb");
            let found: Vec<_> = [Read, Write, ReadAcp, WriteAcp]
                .into_iter()
                .filter(|wanted| acl.lets(caller, *wanted, true).is_some())
                .collect();
            assert_eq!(found, allowed, "{canned:?} {caller:?}");
            assert_eq!(acl.lets(caller, FullControl, true).is_some(), allowed.len() == 4);
        }
        let public = Canned::PublicReadWrite.acl("aa", "aa");
        assert!(public.is_public() && public.lets(&Caller::Anonymous, Read, false).is_none());
        assert!(public.lets(&owner, Read, false).is_some());
    }
}
