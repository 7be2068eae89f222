//! All accounts and access keys in memory, deciding for every surface.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;

use crate::keyring::{EncryptionKey, KeyChange, Keyring};
use crate::seal::{MasterKey, Sealed};
use crate::{
    AccessKeyId, AccessKeys, AccessRequest, Account, AccountName, AccountNumber, Action, Authorizer,
    BucketOwners, Clock, Credentials, Decision, Did, Directory, Grant, Identity, IdentityError, KeyName,
    Resource, Rights, SecretKey, Timestamp, WrappingKey,
};

/// What an [`AccountTable`] is made of.
#[derive(Debug)]
pub struct TableOptions {
    /// The root access key, which may do everything.
    pub root: Credentials,
    /// The space, which is the root account.
    pub space: Did,
    /// Opens the secrets.
    pub master: Arc<MasterKey>,
    /// Tells whose a bucket is.
    pub owners: Arc<dyn BucketOwners>,
    /// Tells when a key expires.
    pub clock: Arc<dyn Clock>,
}

/// All accounts and access keys, in memory and always current: the one that decides for every surface.
///
/// The rules, in order:
/// 1. The operator and the root access key may do everything. Nobody may do anything without a key.
/// 2. A key that is revoked or expired may do nothing, from that moment on.
/// 3. A key acts on the buckets of its own account alone, within its [`Scope`](crate::Scope), unless a surface that knows
///    what their owners allow asks for its [`Rights`] instead. What is another's, or not there, is denied alike; making a bucket takes a key whose scope takes nothing away.
///
/// It holds secrets as they are sealed and opens one when a request is to be checked. It stores nothing: whoever keeps
/// accounts durably calls [`AccountTable::check`], stores, and then [`AccountTable::apply`].
pub struct AccountTable {
    options: TableOptions,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    accounts: BTreeMap<Did, Account>,
    keys: HashMap<AccessKeyId, Kept>,
    encryption: Keyring,
}

/// An access key with its sealed secret.
#[derive(Clone)]
struct Kept {
    grant: Grant,
    sealed: Arc<[u8]>,
}

/// One change of the accounts.
#[derive(Debug, Clone)]
pub enum Change {
    /// A new account.
    AddAccount {
        /// The account.
        account: Account,
        /// Its private key, sealed. The table has no use for it.
        sealed: Vec<u8>,
    },
    /// An account goes, and its keys with it. That it owns no bucket is for the caller to check.
    RemoveAccount(Did),
    /// A new access key.
    AddKey {
        /// What it may do.
        grant: Grant,
        /// Its secret, sealed.
        sealed: Vec<u8>,
    },
    /// A key becomes void, if it is not yet.
    RevokeKey {
        /// Which.
        key: AccessKeyId,
        /// When.
        at: Timestamp,
    },
    /// An encryption key comes or changes.
    Encryption(KeyChange),
}

impl AccountTable {
    /// A table without accounts but the root.
    pub fn new(options: TableOptions) -> Self {
        Self { options, state: RwLock::default() }
    }

    /// Takes these changes in place of everything known; for a start.
    ///
    /// # Errors
    /// As [`AccountTable::check`], and [`IdentityError::Unsealable`] for a secret that does not open. The table is then
    /// as it was.
    pub fn load(&self, changes: Vec<Change>) -> Result<(), IdentityError> {
        let mut state = State::default();
        for change in changes {
            if let Change::AddKey { grant, sealed } = &change {
                self.options.master.open(Sealed::Secret(&grant.account, &grant.key), sealed)?;
            }
            if let Change::Encryption(KeyChange::Add { key, sealed }) = &change {
                self.options.master.open_key(&key.name, sealed)?;
            }
            self.check_against(&state, &change)?;
            state.apply(change);
        }
        *self.state.write() = state;
        Ok(())
    }

    /// Whether changes, made one after the other, keep the rules.
    ///
    /// # Errors
    /// [`IdentityError::AccountExists`], [`IdentityError::NoSuchAccount`], [`IdentityError::AccessKeyExists`],
    /// [`IdentityError::NoSuchAccessKey`], [`IdentityError::InvalidAccount`], [`IdentityError::InvalidScope`].
    pub fn check(&self, changes: &[Change]) -> Result<(), IdentityError> {
        let mut state = {
            let now = self.state.read();
            State {
                accounts: now.accounts.clone(),
                keys: now.keys.clone(),
                encryption: now.encryption.clone(),
            }
        };
        for change in changes {
            self.check_against(&state, change)?;
            state.apply(change.clone());
        }
        Ok(())
    }

    /// Takes changes over that were checked and are durable. They hold for the next request.
    pub fn apply(&self, changes: Vec<Change>) {
        let mut state = self.state.write();
        changes.into_iter().for_each(|change| state.apply(change));
    }

    fn check_against(&self, state: &State, change: &Change) -> Result<(), IdentityError> {
        match change {
            Change::AddAccount { account, .. } => self.check_new_account(state, account),
            Change::RemoveAccount(id) => match state.accounts.contains_key(id) {
                true => Ok(()),
                false if *id == self.options.space => {
                    Err(IdentityError::InvalidAccount("the root account cannot be removed"))
                }
                false => Err(IdentityError::NoSuchAccount(id.to_string())),
            },
            Change::AddKey { grant, .. } => {
                if !state.accounts.contains_key(&grant.account) && grant.account != self.options.space {
                    return Err(IdentityError::NoSuchAccount(grant.account.to_string()));
                }
                if state.keys.contains_key(&grant.key) || grant.key == self.options.root.id {
                    return Err(IdentityError::AccessKeyExists(grant.key.clone()));
                }
                grant.scope.check()
            }
            Change::RevokeKey { key, .. } => match state.keys.contains_key(key) {
                true => Ok(()),
                false if *key == self.options.root.id => Err(IdentityError::InvalidAccount(
                    "the root access key is changed in its file, not revoked",
                )),
                false => Err(IdentityError::NoSuchAccessKey(key.clone())),
            },
            Change::Encryption(change) => state.encryption.check(change),
        }
    }

    fn check_new_account(&self, state: &State, account: &Account) -> Result<(), IdentityError> {
        let root = Account::root(self.options.space);
        for known in state.accounts.values().chain([&root]) {
            // Names that differ in case alone would be taken for one another.
            if known.name.as_str().eq_ignore_ascii_case(account.name.as_str()) {
                return Err(IdentityError::AccountExists(account.name.clone()));
            }
            if AccountNumber::of(&known.id) == AccountNumber::of(&account.id) {
                return Err(IdentityError::AccountNumberTaken);
            }
        }
        Ok(())
    }

    /// The root account, then the others by name.
    pub fn accounts(&self) -> Vec<Account> {
        let mut accounts: Vec<_> = self.state.read().accounts.values().cloned().collect();
        accounts.sort_by(|a, b| a.name.cmp(&b.name));
        accounts.insert(0, Account::root(self.options.space));
        accounts
    }

    /// The account of this name.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchAccount`].
    pub fn account(&self, name: &str) -> Result<Account, IdentityError> {
        let found = self.accounts().into_iter().find(|account| account.name.as_str() == name);
        found.ok_or_else(|| IdentityError::NoSuchAccount(name.to_owned()))
    }

    /// The keys of an account, or of all; the oldest first, without the root's own.
    pub fn grants(&self, account: Option<&Did>) -> Vec<Grant> {
        let state = self.state.read();
        let grants = state.keys.values().map(|kept| &kept.grant);
        let mut grants: Vec<_> =
            grants.filter(|grant| account.is_none_or(|id| grant.account == *id)).cloned().collect();
        drop(state);
        grants.sort_by(|a, b| (a.created, &a.key).cmp(&(b.created, &b.key)));
        grants
    }

    /// The encryption keys, by name.
    pub fn encryption_keys(&self) -> Vec<EncryptionKey> {
        self.state.read().encryption.keys().cloned().collect()
    }

    /// The encryption key of this name, opened.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchEncryptionKey`], [`IdentityError::EncryptionKeyDisabled`].
    pub fn encryption_key(&self, name: &KeyName) -> Result<WrappingKey, IdentityError> {
        let sealed = self.state.read().encryption.usable(name)?;
        self.options.master.open_key(name, &sealed)
    }

    /// The key of this id, and what seals its secret.
    fn kept(&self, id: &AccessKeyId) -> Option<Kept> {
        self.state.read().keys.get(id).cloned()
    }

    async fn decide(
        &self,
        key: &AccessKeyId,
        request: &AccessRequest<'_>,
    ) -> Result<Decision, IdentityError> {
        let Rights::Account { id, granted: true, .. } = self.rights_of(key, request) else {
            return Ok(Decision::Deny);
        };
        let allowed = match request.resource {
            Resource::Space => true,
            Resource::Bucket(_) if request.action == Action::CREATE_BUCKET => true,
            Resource::Bucket(bucket) | Resource::Object { bucket, .. } => self.owns(&id, bucket).await?,
        };
        Ok(if allowed { Decision::Allow } else { Decision::Deny })
    }

    fn rights_of(&self, key: &AccessKeyId, request: &AccessRequest<'_>) -> Rights {
        let state = self.state.read();
        let Some(Kept { grant, .. }) = state.keys.get(key).filter(|kept| kept.grant.is_active(request.now))
        else {
            return Rights::None;
        };
        let scope = &grant.scope;
        let granted = match request.resource {
            Resource::Space => request.action == Action::LIST_ALL_MY_BUCKETS && scope.lists_buckets(),
            Resource::Bucket(_) if request.action == Action::CREATE_BUCKET => scope.is_full(),
            Resource::Bucket(bucket) => scope.allows_on_bucket(bucket, request.action, request.listed),
            Resource::Object { bucket, key } => scope.allows_on_object(bucket, key, request.action),
        };
        Rights::Account { id: grant.account, full: scope.is_full(), granted }
    }

    async fn owns(&self, account: &Did, bucket: &str) -> Result<bool, IdentityError> {
        Ok(self.options.owners.owner(bucket).await?.as_ref() == Some(account))
    }
}

impl State {
    fn apply(&mut self, change: Change) {
        match change {
            Change::AddAccount { account, .. } => _ = self.accounts.insert(account.id, account),
            Change::RemoveAccount(id) => {
                self.accounts.remove(&id);
                self.keys.retain(|_, kept| kept.grant.account != id);
            }
            Change::AddKey { grant, sealed } => {
                self.keys.insert(grant.key.clone(), Kept { grant, sealed: sealed.into() });
            }
            Change::RevokeKey { key, at } => {
                if let Some(kept) = self.keys.get_mut(&key) {
                    kept.grant.revoked.get_or_insert(at);
                }
            }
            Change::Encryption(change) => self.encryption.apply(change),
        }
    }
}

#[async_trait]
impl Authorizer for AccountTable {
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<Decision, IdentityError> {
        match request.identity {
            Some(Identity::Operator) => Ok(Decision::Allow),
            Some(Identity::AccessKey(id)) if *id == self.options.root.id => Ok(Decision::Allow),
            Some(Identity::AccessKey(id)) => self.decide(id, request).await,
            None => Ok(Decision::Deny),
        }
    }

    fn rights(&self, request: &AccessRequest<'_>) -> Rights {
        match request.identity {
            Some(Identity::Operator) => Rights::Everything,
            Some(Identity::AccessKey(id)) if *id == self.options.root.id => Rights::Everything,
            Some(Identity::AccessKey(id)) => self.rights_of(id, request),
            None => Rights::None,
        }
    }
}

#[async_trait]
impl AccessKeys for AccountTable {
    async fn secret(&self, id: &AccessKeyId) -> Result<Option<SecretKey>, IdentityError> {
        if *id == self.options.root.id {
            return Ok(Some(self.options.root.secret.clone()));
        }
        let now = self.options.clock.now();
        let Some(Kept { grant, sealed }) = self.kept(id).filter(|kept| kept.grant.is_active(now)) else {
            return Ok(None);
        };
        let opened = self.options.master.open(Sealed::Secret(&grant.account, id), &sealed)?;
        std::str::from_utf8(&opened).map_err(|_| IdentityError::Unsealable)?.parse().map(Some)
    }
}

impl Directory for AccountTable {
    fn account_of(&self, identity: &Identity) -> Option<Account> {
        let root = || Some(Account::root(self.options.space));
        let id = match identity {
            Identity::Operator => return root(),
            Identity::AccessKey(id) if *id == self.options.root.id => return root(),
            Identity::AccessKey(id) => id,
        };
        let state = self.state.read();
        let account = state.keys.get(id)?.grant.account;
        if account == self.options.space { root() } else { state.accounts.get(&account).cloned() }
    }

    fn name_of(&self, id: &Did) -> Option<AccountName> {
        if *id == self.options.space {
            return Some(Account::root(*id).name);
        }
        self.state.read().accounts.get(id).map(|account| account.name.clone())
    }

    fn named(&self, name: &str) -> Option<Did> {
        self.account(name).ok().map(|account| account.id)
    }
}

impl fmt::Debug for AccountTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.read();
        f.debug_struct("AccountTable")
            .field("space", &self.options.space)
            .field("accounts", &state.accounts.len())
            .field("keys", &state.keys.len())
            .finish_non_exhaustive()
    }
}
