//! Accounts and access keys, kept in the head `system`.

use std::sync::Arc;

use carob_identity::{
    AccessKeyId, Account, AccountName, AccountTable, BucketOwners, Change, Clock, Credentials, Did, Grant,
    IdentityError, MasterKey, Scope, Sealed, Signer, SpaceKey, TableOptions, Timestamp,
};
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::{BucketError, Space};
use writer::Writer;

mod encryption;
mod owners;
mod tree;
mod writer;

/// What [`System::open`] needs beside the space.
#[derive(Debug)]
pub struct SystemOptions {
    /// The root access key, which stands in no tree.
    pub root: Credentials,
    /// Seals secrets. For a space without accounts, any key will do; from the first account on, it is that one.
    pub master: MasterKey,
    /// Tells when keys expire, and what time goes with changes.
    pub clock: Arc<dyn Clock>,
}

/// Why accounts were not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// A rule, or a secret that does not open.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// An account that owns buckets stays.
    #[error("account {account} owns buckets, {bucket} among them: delete them first")]
    OwnsBuckets {
        /// The account.
        account: String,
        /// One of its buckets.
        bucket: String,
    },
    /// The master key is not the one that the accounts are sealed under.
    #[error(
        "the master key is not the one that the accounts of this space are sealed under: restore that one"
    )]
    WrongMasterKey,
    /// The tree could not be read or written.
    #[error(transparent)]
    Store(#[from] BucketError),
}

/// An access key as it is told once, when it is made.
#[derive(Debug)]
pub struct NewKey {
    /// What it may do.
    pub grant: Grant,
    /// Its id and secret.
    pub credentials: Credentials,
}

/// The accounts of a space: a tree for what is durable, a table for who asks. Cheap to clone; the clones are one.
///
/// One writer makes all changes, each durable before it holds, and holding before it is answered. A change that was
/// begun is finished also if whoever asked for it has gone away.
#[derive(Debug, Clone)]
pub struct System {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    space: Space,
    master: Arc<MasterKey>,
    clock: Arc<dyn Clock>,
    table: Arc<AccountTable>,
    writer: Mutex<Writer>,
    tasks: TaskTracker,
}

impl System {
    /// Whether accounts were ever kept here, so that only one master key is right.
    ///
    /// # Errors
    /// [`BucketError::Store`].
    pub async fn exists(heads: &dyn carob_block::Heads) -> Result<bool, BucketError> {
        Ok(heads.head(carob_commit::SYSTEM_HEAD).await?.is_some())
    }

    /// Reads the accounts.
    ///
    /// # Errors
    /// [`SystemError::WrongMasterKey`]; [`SystemError::Identity`] for a secret that does not open, and where the root
    /// access key has the id of an account's; [`SystemError::Store`].
    pub async fn open(space: &Space, options: SystemOptions) -> Result<Self, SystemError> {
        let SystemOptions { root, master, clock } = options;
        let master = Arc::new(master);
        let owners: Arc<dyn BucketOwners> = Arc::new(space.clone());
        let (space_id, keys) = (*space.did(), Arc::clone(&master));
        let table = TableOptions { root, space: space_id, master: keys, owners, clock: Arc::clone(&clock) };
        let table = Arc::new(AccountTable::new(table));
        let mut writer = Writer::new(Arc::clone(&space.inner), Arc::clone(&master), Arc::clone(&table));
        writer.load().await?;
        let space = space.clone();
        let shared =
            Shared { space, master, clock, table, writer: Mutex::new(writer), tasks: TaskTracker::new() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Who there is, and who may do what: always as the last acknowledged change left it.
    pub fn table(&self) -> &Arc<AccountTable> {
        &self.shared.table
    }

    /// Makes an account with its first access key: `credentials`, or new ones.
    ///
    /// # Errors
    /// [`SystemError::Identity`] with the rule that it breaks.
    pub async fn create_account(
        &self,
        name: &str,
        credentials: Option<Credentials>,
    ) -> Result<(Account, NewKey), SystemError> {
        let name = name.parse()?;
        loop {
            let Shared { space, master, clock, .. } = &*self.shared;
            let entropy = &*space.inner.entropy;
            let now = clock.now();
            let mut seed = Zeroizing::new([0; 32]);
            entropy.fill(seed.as_mut());
            let id = *SpaceKey::from_seed(&seed).did();
            let sealed = master.seal(Sealed::AccountKey(&id), &*seed, entropy);
            let account = Account { id, name: AccountName::clone(&name), created: Some(now) };
            let (add_key, key) = self.new_key(id, Scope::default(), None, credentials.clone());
            let add_account = Change::AddAccount { account: account.clone(), sealed };
            match self.change(vec![add_account, add_key]).await {
                Ok(()) => return Ok((account, key)),
                // One in 10^12 for each account there is.
                Err(SystemError::Identity(IdentityError::AccountNumberTaken)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes an account and its keys.
    ///
    /// # Errors
    /// [`SystemError::OwnsBuckets`], [`SystemError::Identity`].
    pub async fn remove_account(&self, name: &str) -> Result<Account, SystemError> {
        let account = self.shared.table.account(name)?;
        let buckets = self.shared.space.buckets().await?;
        if let Some(bucket) = buckets.into_iter().find(|bucket| bucket.owner == account.id) {
            return Err(SystemError::OwnsBuckets { account: name.to_owned(), bucket: bucket.name });
        }
        self.change(vec![Change::RemoveAccount(account.id)]).await?;
        Ok(account)
    }

    /// Gives an account another access key: `credentials`, or new ones.
    ///
    /// # Errors
    /// [`SystemError::Identity`] with the rule that it breaks.
    pub async fn create_key(
        &self,
        account: &str,
        scope: Scope,
        expires: Option<Timestamp>,
        credentials: Option<Credentials>,
    ) -> Result<NewKey, SystemError> {
        let account = self.shared.table.account(account)?;
        if expires.is_some_and(|expires| expires <= self.shared.clock.now()) {
            return Err(IdentityError::InvalidScope("the key would have expired already").into());
        }
        let (change, key) = self.new_key(account.id, scope, expires, credentials);
        self.change(vec![change]).await?;
        Ok(key)
    }

    /// Makes an access key void for good. When this returns, no request that begins is let in by it. Gives the key as it
    /// is then; to revoke it again changes nothing.
    ///
    /// # Errors
    /// [`SystemError::Identity`] if there is no such key.
    pub async fn revoke_key(&self, key: AccessKeyId) -> Result<Grant, SystemError> {
        let at = self.shared.clock.now();
        self.change(vec![Change::RevokeKey { key: key.clone(), at }]).await?;
        let grants = self.shared.table.grants(None);
        let grant = grants.into_iter().find(|grant| grant.key == key);
        grant.ok_or_else(|| IdentityError::NoSuchAccessKey(key).into())
    }

    /// Waits for changes under way.
    pub async fn close(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    fn new_key(
        &self,
        account: Did,
        scope: Scope,
        expires: Option<Timestamp>,
        credentials: Option<Credentials>,
    ) -> (Change, NewKey) {
        let Shared { space, master, clock, .. } = &*self.shared;
        let entropy = &*space.inner.entropy;
        let credentials = credentials.unwrap_or_else(|| Credentials::generate(entropy));
        let key = credentials.id.clone();
        let place = Sealed::Secret(&account, &key);
        let sealed = master.seal(place, credentials.secret.expose().as_bytes(), entropy);
        let grant = Grant { key, account, scope, created: clock.now(), expires, revoked: None };
        (Change::AddKey { grant: grant.clone(), sealed }, NewKey { grant, credentials })
    }

    /// Makes changes durable and has them hold, all or none. A task of its own does it, which goes on should the caller be
    /// dropped: what is durable must hold.
    async fn change(&self, changes: Vec<Change>) -> Result<(), SystemError> {
        let shared = Arc::clone(&self.shared);
        let task = self.shared.tasks.spawn(async move { shared.writer.lock().await.change(changes).await });
        task.await.unwrap_or_else(|_| Err(BucketError::closed().into()))
    }
}
