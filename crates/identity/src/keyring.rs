//! Named keys that objects are encrypted under.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::{IdentityError, KeyName, MasterKey, Sealed, Timestamp, WrappingKey};

/// What is known of an encryption key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionKey {
    /// What it is called.
    pub name: KeyName,
    /// When it was made.
    pub created: Timestamp,
    /// Since when nothing is encrypted or read with it.
    pub disabled: Option<Timestamp>,
}

/// Seals and opens the keys of objects by the name of an encryption key.
#[async_trait]
pub trait EncryptionKeys: fmt::Debug + Send + Sync {
    /// Seals a key for a `place` under the named one.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchEncryptionKey`], [`IdentityError::EncryptionKeyDisabled`]; [`IdentityError::Unavailable`].
    async fn wrap(&self, name: &KeyName, key: &[u8; 32], place: &[u8]) -> Result<Vec<u8>, IdentityError>;

    /// Opens what was sealed under the named key for this place.
    ///
    /// # Errors
    /// As [`EncryptionKeys::wrap`]; [`IdentityError::Unsealable`].
    async fn unwrap(
        &self,
        name: &KeyName,
        sealed: &[u8],
        place: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, IdentityError>;
}

/// A change of an encryption key.
#[derive(Debug, Clone)]
pub enum KeyChange {
    /// A new one.
    Add {
        /// What is known of it.
        key: EncryptionKey,
        /// Its 32 bytes, sealed.
        sealed: Vec<u8>,
    },
    /// A key is disabled since then, or not any more.
    Disable {
        /// Which.
        name: KeyName,
        /// When.
        at: Option<Timestamp>,
    },
}

/// The encryption keys there are, each as it is sealed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring(BTreeMap<KeyName, (EncryptionKey, Arc<[u8]>)>);

impl Keyring {
    pub(crate) fn check(&self, change: &KeyChange) -> Result<(), IdentityError> {
        match change {
            KeyChange::Add { key, .. } if self.0.contains_key(&key.name) => {
                Err(IdentityError::EncryptionKeyExists(key.name.clone()))
            }
            KeyChange::Add { .. } => Ok(()),
            KeyChange::Disable { name, .. } if name.is_managed() => {
                Err(IdentityError::InvalidKeyName("the key that is there by itself cannot be disabled"))
            }
            KeyChange::Disable { name, .. } => match self.0.contains_key(name) {
                true => Ok(()),
                false => Err(IdentityError::NoSuchEncryptionKey(name.clone())),
            },
        }
    }

    pub(crate) fn apply(&mut self, change: KeyChange) {
        match change {
            KeyChange::Add { key, sealed } => _ = self.0.insert(key.name.clone(), (key, sealed.into())),
            KeyChange::Disable { name, at } => {
                if let Some((key, _)) = self.0.get_mut(&name) {
                    key.disabled = at;
                }
            }
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &EncryptionKey> {
        self.0.values().map(|(key, _)| key)
    }

    /// The key of this name, as it is sealed.
    pub(crate) fn usable(&self, name: &KeyName) -> Result<Arc<[u8]>, IdentityError> {
        match self.0.get(name) {
            None => Err(IdentityError::NoSuchEncryptionKey(name.clone())),
            Some((EncryptionKey { disabled: Some(_), .. }, _)) => {
                Err(IdentityError::EncryptionKeyDisabled(name.clone()))
            }
            Some((_, sealed)) => Ok(Arc::clone(sealed)),
        }
    }
}

impl MasterKey {
    /// Opens an encryption key.
    ///
    /// # Errors
    /// [`IdentityError::Unsealable`].
    pub(crate) fn open_key(&self, name: &KeyName, sealed: &[u8]) -> Result<WrappingKey, IdentityError> {
        let opened = self.open(Sealed::EncryptionKey(name), sealed)?;
        let mut key = Zeroizing::new([0; 32]);
        match opened.len() == key.len() {
            true => key.copy_from_slice(&opened),
            false => return Err(IdentityError::Unsealable),
        }
        Ok(WrappingKey::new(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> KeyName {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_is_made_once_and_of_no_use_while_disabled() {
        let mut ring = Keyring::default();
        let key = EncryptionKey { name: name("one"), created: Timestamp(1), disabled: None };
        let add = KeyChange::Add { key: key.clone(), sealed: vec![1] };
        assert!(matches!(ring.usable(&name("one")), Err(IdentityError::NoSuchEncryptionKey(_))));
        ring.check(&add).unwrap();
        ring.apply(add.clone());
        assert!(matches!(ring.check(&add), Err(IdentityError::EncryptionKeyExists(_))));
        assert_eq!(*ring.usable(&name("one")).unwrap(), [1]);
        let disable = |name, at| KeyChange::Disable { name, at };
        ring.apply(disable(name("one"), Some(Timestamp(2))));
        assert!(matches!(ring.usable(&name("one")), Err(IdentityError::EncryptionKeyDisabled(_))));
        ring.apply(disable(name("one"), None));
        assert_eq!(ring.keys().collect::<Vec<_>>(), [&key]);
        let absent = ring.check(&disable(name("two"), None));
        assert!(matches!(absent, Err(IdentityError::NoSuchEncryptionKey(_))));
        assert!(ring.check(&disable(KeyName::managed(), Some(Timestamp(1)))).is_err());
    }
}
