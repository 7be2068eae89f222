//! Encryption keys, made, disabled and used.

use async_trait::async_trait;
use carob_identity::{Change, EncryptionKey, EncryptionKeys, IdentityError, KeyChange, KeyName, Sealed};
use zeroize::Zeroizing;

use super::{Shared, System, SystemError};

impl System {
    /// Makes an encryption key.
    ///
    /// # Errors
    /// [`SystemError::Identity`] if there is one of this name.
    pub async fn create_encryption_key(&self, name: &KeyName) -> Result<EncryptionKey, SystemError> {
        let Shared { space, master, clock, .. } = &*self.shared;
        let entropy = &*space.inner.entropy;
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        let sealed = master.seal(Sealed::EncryptionKey(name), &*bytes, entropy);
        let key = EncryptionKey { name: name.clone(), created: clock.now(), disabled: None };
        self.change(vec![Change::Encryption(KeyChange::Add { key: key.clone(), sealed })]).await?;
        Ok(key)
    }

    /// Disables an encryption key, or enables it again. What it has encrypted cannot be read meanwhile.
    ///
    /// # Errors
    /// [`SystemError::Identity`] if there is no such key, or if it is the one that is there by itself.
    pub async fn disable_encryption_key(
        &self,
        name: &KeyName,
        disabled: bool,
    ) -> Result<EncryptionKey, SystemError> {
        let at = disabled.then(|| self.shared.clock.now());
        self.change(vec![Change::Encryption(KeyChange::Disable { name: name.clone(), at })]).await?;
        let key = self.shared.table.encryption_keys().into_iter().find(|key| key.name == *name);
        key.ok_or_else(|| IdentityError::NoSuchEncryptionKey(name.clone()).into())
    }

    /// Makes an encryption key, unless it is there.
    ///
    /// # Errors
    /// As [`System::create_encryption_key`], but for that.
    pub async fn ensure_encryption_key(&self, name: &KeyName) -> Result<(), SystemError> {
        match self.create_encryption_key(name).await {
            Ok(_) | Err(SystemError::Identity(IdentityError::EncryptionKeyExists(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes the key that is there by itself, unless somebody has.
    async fn make_managed(&self) -> Result<(), IdentityError> {
        self.ensure_encryption_key(&KeyName::managed()).await.map_err(|error| match error {
            SystemError::Identity(error) => error,
            error => {
                IdentityError::Unavailable { context: "making an encryption key", source: Box::new(error) }
            }
        })
    }
}

#[async_trait]
impl EncryptionKeys for System {
    async fn wrap(&self, name: &KeyName, key: &[u8; 32], place: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let table = &self.shared.table;
        let found = match table.encryption_key(name) {
            Err(IdentityError::NoSuchEncryptionKey(_)) if name.is_managed() => {
                self.make_managed().await?;
                table.encryption_key(name)
            }
            found => found,
        };
        Ok(found?.wrap(key, place, &*self.shared.space.inner.entropy))
    }

    async fn unwrap(
        &self,
        name: &KeyName,
        sealed: &[u8],
        place: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, IdentityError> {
        self.shared.table.encryption_key(name)?.unwrap(sealed, place)
    }
}
