//! The `system` tree: its keys, and what changes make of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, Store};
use carob_commit::{AccountState, CommitError, EncryptionKeyState, KeyState, SystemState, TreeValue};
use carob_identity::{AccessKeyId, Change, Did, EncryptionKey, KeyChange, KeyName};
use carob_index::{Entry, Tree};

use crate::{BucketError, snapshot};

/// What the tree is.
pub(super) const META: &[u8] = b"0";

/// Before the public key of an account. Accounts stand before keys, so that a key's account is known when it is read.
const ACCOUNT: u8 = b'a';

/// Before the id of an access key.
const KEY: u8 = b'k';

/// Before the name of an encryption key.
const ENCRYPTION_KEY: u8 = b'e';

fn encryption_key_at(name: &KeyName) -> Bytes {
    [&[ENCRYPTION_KEY], name.as_str().as_bytes()].concat().into()
}

fn account_at(id: &Did) -> Bytes {
    [&[ACCOUNT], &id.public_key()[..]].concat().into()
}

fn key_at(id: &AccessKeyId) -> Bytes {
    [&[KEY], id.as_str().as_bytes()].concat().into()
}

/// Edits of the tree, and the blocks that stand beside it.
#[derive(Debug, Default)]
pub(super) struct Edits {
    pub(super) entries: BTreeMap<Bytes, Option<Entry>>,
    pub(super) blocks: Vec<Block>,
}

impl Edits {
    pub(super) fn put(&mut self, key: Bytes, value: &impl TreeValue) -> Result<(), CommitError> {
        let (value, block) = value.to_value()?;
        self.blocks.extend(block);
        self.entries.insert(key, Some(Entry { weight: 0, value }));
        Ok(())
    }
}

/// What changes do to a tree.
pub(super) async fn edits(
    store: &Arc<dyn Store>,
    tree: &Tree,
    changes: &[Change],
) -> Result<Edits, BucketError> {
    let mut edits = Edits::default();
    for change in changes {
        match change {
            Change::AddAccount { account, sealed } => {
                let (name, created) = (account.name.to_string(), account.created.unwrap_or_default());
                let state = AccountState { name, created, key: sealed.clone() };
                edits.put(account_at(&account.id), &state)?;
            }
            Change::AddKey { grant, sealed } => {
                edits.put(key_at(&grant.key), &KeyState::new(grant, sealed.clone()))?;
            }
            Change::RevokeKey { key, at } => {
                let at_key = key_at(key);
                let Some(entry) = tree.get(&at_key).await? else { continue };
                let mut state: KeyState = snapshot::read(store, tree, &entry.value).await?;
                if state.revoked.is_none() {
                    state.revoked = Some(*at);
                    edits.put(at_key, &state)?;
                }
            }
            Change::Encryption(KeyChange::Add { key, sealed }) => {
                let EncryptionKey { name, created, disabled } = key.clone();
                let state = EncryptionKeyState { created, disabled, key: sealed.clone() };
                edits.put(encryption_key_at(&name), &state)?;
            }
            Change::Encryption(KeyChange::Disable { name, at }) => {
                let at_key = encryption_key_at(name);
                let Some(entry) = tree.get(&at_key).await? else { continue };
                let mut state: EncryptionKeyState = snapshot::read(store, tree, &entry.value).await?;
                state.disabled = *at;
                edits.put(at_key, &state)?;
            }
            Change::RemoveAccount(id) => {
                edits.entries.insert(account_at(id), None);
                let mut keys = tree.prefix(&[KEY]);
                while let Some((key, entry)) = keys.next().await? {
                    let state: KeyState = snapshot::read(store, tree, &entry.value).await?;
                    if state.account == *id {
                        edits.entries.insert(key, None);
                    }
                }
            }
        }
    }
    Ok(edits)
}

/// Everything in the tree, as the changes that would make it anew.
pub(super) async fn read(
    store: &Arc<dyn Store>,
    tree: &Tree,
) -> Result<(Option<SystemState>, Vec<Change>), BucketError> {
    let mut meta = None;
    let mut changes = Vec::new();
    let mut cursor = tree.cursor();
    while let Some((key, entry)) = cursor.next().await? {
        let malformed =
            |what: &str| BucketError::damaged(std::io::Error::other(format!("system tree: {what}")));
        match key.split_first() {
            _ if *key == *META => {
                meta = Some(snapshot::read::<SystemState>(store, tree, &entry.value).await?);
            }
            Some((&ACCOUNT, id)) => {
                let id = id.try_into().map_err(|_| malformed("an account's id"))?;
                let id = Did::from_public_key(id).map_err(BucketError::damaged)?;
                let state: AccountState = snapshot::read(store, tree, &entry.value).await?;
                let account = state.account(id).map_err(BucketError::damaged)?;
                changes.push(Change::AddAccount { account, sealed: state.key });
            }
            Some((&ENCRYPTION_KEY, name)) => {
                let name = std::str::from_utf8(name).map_err(|_| malformed("an encryption key's name"))?;
                let name = name.parse().map_err(BucketError::damaged)?;
                let state: EncryptionKeyState = snapshot::read(store, tree, &entry.value).await?;
                let EncryptionKeyState { created, disabled, key: sealed } = state;
                let key = EncryptionKey { name, created, disabled };
                changes.push(Change::Encryption(KeyChange::Add { key, sealed }));
            }
            Some((&KEY, id)) => {
                let id = std::str::from_utf8(id).map_err(|_| malformed("an access key's id"))?;
                let id = id.parse().map_err(BucketError::damaged)?;
                let state: KeyState = snapshot::read(store, tree, &entry.value).await?;
                let (grant, sealed) = state.into_grant(id);
                changes.push(Change::AddKey { grant, sealed });
            }
            _ => return Err(malformed("an unknown entry")),
        }
    }
    Ok((meta, changes))
}
