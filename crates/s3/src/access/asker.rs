//! Who asks, and what is known of the request that it asks with.

use std::sync::Arc;

use carob_identity::{Account, AccountNumber, Directory, Identity, Rights, Source, Timestamp};
use carob_policy::Caller;
use http::{Extensions, HeaderMap, Uri};
use s3s::access::S3AccessContext;

use super::facts::Signed;
use crate::context::RequestContext;

/// Who sent a request, with what rules may look at of it.
#[derive(Debug)]
pub(crate) struct Asker {
    /// `None` if nobody has signed.
    pub(crate) identity: Option<Identity>,
    /// How it was signed.
    pub(super) signed: Option<Signed>,
    pub(super) source: Option<Source>,
    pub(super) headers: HeaderMap,
    pub(super) uri: Uri,
    pub(super) now: Timestamp,
    pub(super) request: Option<Arc<RequestContext>>,
}

impl Asker {
    pub(super) fn of(cx: &mut S3AccessContext<'_>, now: Timestamp) -> Self {
        let (headers, uri) = (cx.headers().clone(), cx.uri().clone());
        Self::of_request(&headers, &uri, cx.extensions_mut(), now)
    }

    /// The same of a request that is not S3's.
    pub(crate) fn of_request(
        headers: &HeaderMap,
        uri: &Uri,
        extensions: &Extensions,
        now: Timestamp,
    ) -> Self {
        Self {
            identity: extensions.get::<Identity>().cloned(),
            signed: extensions.get::<Signed>().cloned(),
            source: extensions.get::<Source>().copied(),
            request: extensions.get::<Arc<RequestContext>>().cloned(),
            headers: headers.clone(),
            uri: uri.clone(),
            now,
        }
    }

    /// The account that it acts for.
    pub(crate) fn account(&self, directory: &dyn Directory) -> Option<Account> {
        directory.account_of(self.identity.as_ref()?)
    }

    /// What policies know it as. A key that may not do everything its account may is what AWS calls a user.
    pub(super) fn caller(&self, rights: Rights, directory: &dyn Directory) -> Caller {
        let (account, full) = match rights {
            Rights::None => return Caller::Anonymous,
            Rights::Everything => match self.account(directory) {
                Some(account) => (account.id, true),
                None => return Caller::Anonymous,
            },
            Rights::Account { id, full, .. } => (id, full),
        };
        let user = match &self.identity {
            Some(Identity::AccessKey(key)) if !full => Some(key.to_string()),
            _ => None,
        };
        let number = AccountNumber::of(&account).to_string();
        Caller::Account { number, canonical: account.canonical_id(), user }
    }
}
