//! Accounts, access keys and encryption keys.

use super::route::encode;
use super::{Client, ClientError};
use crate::api;

impl Client {
    /// All accounts, the root's first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn accounts(&self) -> Result<Vec<api::Account>, ClientError> {
        self.json("/accounts".into()).await
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_account(&self, account: &api::CreateAccount) -> Result<api::NewAccount, ClientError> {
        self.post("/accounts", account).await
    }

    /// Removes an account that owns no bucket, and its keys.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_account(&self, name: &str) -> Result<api::Account, ClientError> {
        self.delete(format!("/accounts?name={}", encode(name))).await
    }

    /// The access keys of an account or of all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn keys(&self, account: Option<&str>) -> Result<Vec<api::Key>, ClientError> {
        let account = account.map(|name| format!("?account={}", encode(name))).unwrap_or_default();
        self.json(format!("/keys{account}")).await
    }

    /// Makes an access key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_key(&self, key: &api::CreateKey) -> Result<api::NewKey, ClientError> {
        self.post("/keys", key).await
    }

    /// Makes an access key void for good.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_key(&self, id: &str) -> Result<api::Key, ClientError> {
        self.delete(format!("/keys?id={}", encode(id))).await
    }

    /// The encryption keys.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn encryption_keys(&self) -> Result<Vec<api::EncryptionKey>, ClientError> {
        self.json("/encryption-keys".into()).await
    }

    /// Makes an encryption key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_encryption_key(&self, name: &str) -> Result<api::EncryptionKey, ClientError> {
        self.post("/encryption-keys", &api::NamesEncryptionKey { name: name.to_owned() }).await
    }

    /// Disables an encryption key, or enables it again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn disable_encryption_key(
        &self,
        name: &str,
        disabled: bool,
    ) -> Result<api::EncryptionKey, ClientError> {
        let route = if disabled { "/encryption-keys/disable" } else { "/encryption-keys/enable" };
        self.post(route, &api::NamesEncryptionKey { name: name.to_owned() }).await
    }
}
