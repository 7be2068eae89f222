//! Authorization: every operation asks before it does anything, and before its body is read.
//!
//! A request's bucket is found once, by [`Gatekeeper::resolve`]; what is decided is decided of that bucket, and the
//! operation works on the same one ([`Here`]), so that a bucket made anew under the name meanwhile is never reached.

mod asker;
mod facts;
mod here;
mod rules;

use std::sync::Arc;

use carob_bucket::{Bucket, Found, Moment, Record, Space, VersionName};
use carob_identity::{AccessRequest, Action, Authorizer, Clock, Directory, Resource, Rights};
use carob_policy::{Acl, Question, decide};
use http::Uri;
use s3s::access::{S3Access, S3AccessContext};
use s3s::path::S3Path;
use s3s::{S3Result, s3_error};

use crate::conditions::Conditional;
use crate::context::RequestContext;
use crate::error::{access_denied, from_bucket, internal};
use crate::operations::{self, Operation, Scope};
use crate::target::parse_version;
use crate::{past, refuse};

pub(crate) use asker::Asker;
pub(crate) use facts::Signed;
pub(crate) use here::{Here, acl_of};
pub(crate) use rules::{ACL, OWNERSHIP, POLICY, PUBLIC_ACCESS_BLOCK, RuleBook};

/// Asks the authorizer, and the bucket's own rules.
#[derive(Debug, Clone)]
pub(crate) struct Gatekeeper {
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) space: Space,
    pub(crate) rules: RuleBook,
    pub(crate) region: Arc<str>,
    /// Whether all requests come by TLS.
    pub(crate) tls: bool,
}

/// What is to be done with what in a bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deed<'a> {
    pub(crate) action: Action,
    /// The key, if it is about one.
    pub(crate) key: Option<&'a str>,
    /// The version that is named.
    pub(crate) version: Option<VersionName>,
    /// What is there, where that was looked up.
    pub(crate) record: Option<&'a Record>,
    /// The prefix of the keys that the answer lists, if it lists any.
    pub(crate) listed: Option<&'a str>,
    /// The tags in the request's body.
    pub(crate) tags: Option<&'a std::collections::BTreeMap<String, String>>,
}

impl<'a> Deed<'a> {
    pub(crate) const fn on_bucket(action: Action) -> Self {
        Self { action, key: None, version: None, record: None, listed: None, tags: None }
    }

    pub(crate) const fn on_key(action: Action, key: &'a str) -> Self {
        Self { key: Some(key), ..Self::on_bucket(action) }
    }

    pub(crate) const fn of_version(self, version: Option<VersionName>) -> Self {
        Self { version, ..self }
    }

    pub(crate) const fn to(self, record: Option<&'a Record>) -> Self {
        Self { record, ..self }
    }
}

impl Gatekeeper {
    /// Finds the bucket that a request is about, with the rules that hold now. Where a past state is asked for, by the
    /// name or by `moment`, it is that state with the rules of today.
    ///
    /// # Errors
    /// NoSuchBucket: bucket names are one name space for all, and Amazon S3 tells everyone which are taken.
    /// AccessDenied for a past state that the caller may not see; InvalidBucketName and InvalidArgument for one that is
    /// none.
    pub(crate) async fn resolve(&self, asker: &Asker, name: &str, moment: Option<&Moment>) -> S3Result<Here> {
        let (present, named) = Moment::in_name(name).unzip();
        let bucket = self.space.bucket(present.unwrap_or(name)).await.map_err(from_bucket)?;
        let snapshot = bucket.snapshot().await.map_err(from_bucket)?;
        let rules = self.rules.of(&bucket, snapshot.config())?;
        if (named.is_some() || moment.is_some()) && !self.reads_history(asker, &bucket) {
            return Err(access_denied());
        }
        let past = match (named.transpose().map_err(from_bucket)?, moment) {
            (None, None) => return Ok(Here::new(bucket, snapshot, rules)),
            (Some(_), Some(_)) => {
                return Err(s3_error!(
                    InvalidArgument,
                    "The bucket's name and x-carob-at both name a past state."
                ));
            }
            (Some(moment), None) => bucket.as_of(&moment).await.map_err(from_bucket)?,
            (None, Some(moment)) => bucket.as_of(moment).await.map_err(from_bucket)?,
        };
        let snapshot = past.snapshot().await.map_err(from_bucket)?;
        Ok(Here::new(past, snapshot, rules))
    }

    /// Whether a caller may see what was in a bucket before: no rule of the bucket gives that, since what its owner shows
    /// to others now, it may not have shown before.
    fn reads_history(&self, asker: &Asker, bucket: &Bucket) -> bool {
        match self.rights(asker, Action::READ_HISTORY, Resource::Bucket(bucket.name()), None) {
            Rights::Everything => true,
            Rights::Account { id, granted, .. } => granted && id == bucket.info().owner,
            Rights::None => false,
        }
    }

    /// Lets a caller do something in a bucket.
    ///
    /// # Errors
    /// AccessDenied.
    pub(crate) fn require(&self, asker: &Asker, here: &Here, deed: Deed<'_>) -> S3Result<()> {
        if self.allows(asker, here, deed) { Ok(()) } else { Err(access_denied()) }
    }

    /// Whether a caller may do something in a bucket.
    pub(crate) fn allows(&self, asker: &Asker, here: &Here, deed: Deed<'_>) -> bool {
        let bucket = here.bucket.name();
        let resource = match deed.key {
            Some(key) => Resource::Object { bucket, key },
            None => Resource::Bucket(bucket),
        };
        let rights = self.rights(asker, deed.action, resource, deed.listed);
        // Most requests are of a bucket's own account, to a bucket that says nothing of others.
        if here.rules.policy.is_none() && deed.record.is_none_or(|record| record.access.is_none()) {
            let owner = &here.bucket.info().owner;
            match rights {
                Rights::Everything => return true,
                Rights::Account { id, granted: true, .. } if id == *owner => return true,
                Rights::Account { .. } | Rights::None => {}
            }
        }
        let caller = asker.caller(rights, &*self.directory);
        let context = match here.rules.policy {
            Some(_) => self.context(asker, &caller, here, deed),
            None => carob_policy::Context::default(),
        };
        let object: Option<Acl> = deed.record.and_then(|record| acl_of(record, here));
        let question = Question {
            request: carob_policy::Request {
                caller: &caller,
                action: deed.action.name(),
                resource: match deed.key {
                    Some(key) => carob_policy::Resource::Object { bucket, key },
                    None => carob_policy::Resource::Bucket(bucket),
                },
                context: &context,
            },
            rights: match rights {
                Rights::None => carob_policy::Rights::None,
                Rights::Everything => carob_policy::Rights::Everything,
                Rights::Account { full, granted, .. } => carob_policy::Rights::Key { full, granted },
            },
            bucket_owner: &here.owner,
            object: object.as_ref(),
        };
        let decided = decide(&here.rules, &question);
        if let Some(context) = &asker.request
            && decided.reason != carob_policy::Reason::Key
        {
            context.set_decision(deed.action.name(), decided.allowed, &decided.reason);
            if decided.reason == carob_policy::Reason::Acl {
                context.set_acl_required();
            }
        }
        decided.allowed
    }

    /// Whether the caller's key may do all that its account may.
    pub(crate) fn is_full(&self, asker: &Asker) -> bool {
        let all = self.rights(asker, Action::CREATE_BUCKET, Resource::Bucket(""), None);
        matches!(all, Rights::Everything | Rights::Account { full: true, .. })
    }

    /// Whether the caller may do everything in all of the space.
    pub(crate) fn is_everything(&self, asker: &Asker) -> bool {
        self.rights(asker, Action::CREATE_BUCKET, Resource::Bucket(""), None) == Rights::Everything
    }

    pub(crate) fn rights(
        &self,
        asker: &Asker,
        action: Action,
        resource: Resource<'_>,
        listed: Option<&str>,
    ) -> Rights {
        let now = self.clock.now();
        let identity = asker.identity.as_ref();
        self.authorizer.rights(&AccessRequest { identity, action, resource, listed, now })
    }

    /// What no bucket's rules have a say in: listing one's own buckets, making one.
    fn require_of_key(&self, asker: &Asker, action: Action, resource: Resource<'_>) -> S3Result<()> {
        match self.rights(asker, action, resource, None) {
            Rights::Everything | Rights::Account { granted: true, .. } => Ok(()),
            Rights::None | Rights::Account { granted: false, .. } => Err(access_denied()),
        }
    }

    /// Decides on an operation on a bucket, and on a key in it if there is one.
    async fn admit(
        &self,
        asker: &Asker,
        here: &mut Here,
        operation: &Operation,
        key: Option<&str>,
        uri: &Uri,
    ) -> S3Result<()> {
        let action = operation.action_for(uri);
        let Some(key) = key else {
            let prefix = operation.lists_keys().then(|| listed_prefix(uri));
            let deed = Deed { listed: prefix.as_deref(), ..Deed::on_bucket(action) };
            return self.require(asker, here, deed);
        };
        let policy = here.rules.policy.as_ref();
        // The tags are in the body: the operation asks when it has read them.
        if operation.name == "PutObjectTagging"
            && policy.is_some_and(|policy| policy.looks_at("s3:requestobjecttag"))
        {
            return Ok(());
        }
        let reads = operation.reads_object();
        let tagged = policy.is_some_and(|policy| policy.looks_at("s3:existingobjecttag/"));
        // What is no version is told by the operation, to those who may ask.
        let version = named_version(uri);
        let found = match version {
            Ok(version) if reads || tagged => {
                Some(here.snapshot.find(key, version).await.map_err(from_bucket)?)
            }
            _ => None,
        };
        let version = version.unwrap_or_default();
        let record = match &found {
            Some(Found::Object(object)) => Some(object.record()),
            _ => None,
        };
        let deed = Deed::on_key(action, key).of_version(version).to(record);
        let allowed = self.allows(asker, here, deed);
        let absent = reads && matches!(found, Some(Found::Nothing | Found::DeleteMarker(_)));
        let allowed = if absent { self.tells_of_absence(asker, here, key, version) } else { allowed };
        if let Some(found) = found {
            here.found = Some((key.to_owned(), version, found));
        }
        if allowed { Ok(()) } else { Err(access_denied()) }
    }

    /// Whether a caller may learn that a key is not there: whoever may list it (API reference, GetObject, "Permissions").
    pub(crate) fn tells_of_absence(
        &self,
        asker: &Asker,
        here: &Here,
        key: &str,
        version: Option<VersionName>,
    ) -> bool {
        let action = match version {
            None => Action::LIST_BUCKET,
            Some(_) => Action::new("s3:ListBucketVersions"),
        };
        self.allows(asker, here, Deed { listed: Some(key), ..Deed::on_bucket(action) })
    }
}

#[async_trait::async_trait]
impl S3Access for Gatekeeper {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let asker = Arc::new(Asker::of(cx, self.clock.now()));
        let (bucket, object) = match cx.s3_path() {
            S3Path::Bucket { bucket } => (Some(bucket.to_string()), None),
            S3Path::Object { bucket, key } => (Some(bucket.to_string()), Some(key.to_string())),
            S3Path::Root => (None, None),
        };
        if let (Some(bucket), Some(context)) = (&bucket, cx.extensions_mut().get::<Arc<RequestContext>>()) {
            context.set_resource(bucket, object);
        }
        let Some(operation) = operations::find(cx.s3_op().name()) else {
            return Err(s3_error!(
                NotImplemented,
                "{} is not implemented. See the list of limits in the documentation.",
                cx.s3_op().name()
            ));
        };
        if let Some(context) = cx.extensions_mut().get::<Arc<RequestContext>>() {
            context.set_operation(operation);
        }
        if asker.identity.is_none() {
            refuse::check_unsigned(operation)?;
        }
        let named = bucket.as_deref().is_some_and(|bucket| Moment::in_name(bucket).is_some());
        let asked = bucket.is_some() && cx.extensions_mut().get::<Moment>().is_some();
        if asked && !past::reads(operation.name) {
            return Err(past::read_only());
        }
        if named && !past::reads(operation.name) && operation.action != Action::CREATE_BUCKET {
            return Err(past::read_only());
        }
        let moment = cx.extensions_mut().get::<Moment>().filter(|_| past::reads(operation.name)).cloned();
        let key = match (operation.scope, cx.s3_path()) {
            (Scope::Space, _) | (Scope::Bucket | Scope::EachKey, S3Path::Bucket { .. }) => None,
            (Scope::Object, S3Path::Object { key, .. }) => Some(&**key),
            // The router matches operations to the shape of the path.
            (Scope::Object | Scope::Bucket | Scope::EachKey, _) => return Err(access_denied()),
        };
        match (operation.scope, &bucket) {
            (Scope::Space, _) => self.require_of_key(&asker, operation.action, Resource::Space)?,
            (_, None) => return Err(access_denied()),
            (_, Some(bucket)) if operation.action == Action::CREATE_BUCKET => {
                self.require_of_key(&asker, operation.action, Resource::Bucket(bucket))?;
            }
            (scope, Some(bucket)) => {
                let mut here = self.resolve(&asker, bucket, moment.as_ref()).await?;
                if scope != Scope::EachKey {
                    self.admit(&asker, &mut here, operation, key, cx.uri()).await?;
                } else if asker.identity.is_none() && here.rules.policy.is_none() && here.rules.acl.is_none()
                {
                    // Nothing could allow any of the keys: the body need not be read.
                    return Err(access_denied());
                }
                cx.extensions_mut().insert(Arc::new(here));
            }
        }
        cx.extensions_mut().insert(asker);
        if let Some(given) = cx.extensions_mut().get::<Conditional>() {
            refuse::check_conditions(operation, given)?;
        }
        refuse::check(operation, cx.uri(), cx.headers())
    }
}

/// The version that a query names.
///
/// # Errors
/// InvalidArgument for what is none.
fn named_version(uri: &Uri) -> S3Result<Option<VersionName>> {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let named = query.filter(|(name, _)| name == "versionId").map(|(_, value)| value).last();
    parse_version(named.as_deref())
}

/// The prefix that a listing asks for; given twice, all keys, as nobody can tell which one counts.
fn listed_prefix(uri: &Uri) -> String {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut prefixes = query.filter(|(name, _)| name == "prefix").map(|(_, value)| value.into_owned());
    match (prefixes.next(), prefixes.next()) {
        (Some(prefix), None) => prefix,
        _ => String::new(),
    }
}

/// The bucket of a request, as it was found when the request was let in.
///
/// # Errors
/// InternalError for an operation that has none.
pub(crate) fn here(extensions: &http::Extensions) -> S3Result<&Arc<Here>> {
    extensions.get::<Arc<Here>>().ok_or_else(|| internal("an operation without a bucket".into()))
}

/// Who sent a request.
///
/// # Errors
/// InternalError for a request that nobody let in.
pub(crate) fn asker(extensions: &http::Extensions) -> S3Result<&Arc<Asker>> {
    extensions.get::<Arc<Asker>>().ok_or_else(|| internal("a request that nobody let in".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_given_twice_is_none() {
        for (uri, prefix) in
            [("/b", ""), ("/b?prefix=a", "a"), ("/b?prefix=a&prefix=b", ""), ("/b?prefix=a%2Fb", "a/b")]
        {
            assert_eq!(listed_prefix(&uri.parse().unwrap()), prefix);
        }
    }
}
