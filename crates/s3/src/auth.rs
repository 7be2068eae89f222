//! Signature verification is mostly s3s's; it asks here for secrets.

use std::sync::Arc;

use carob_identity::{AccessKeyId, AccessKeys};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use crate::error::{access_denied, internal};

/// Secrets from the space's access keys.
pub(crate) struct KeyRing(pub(crate) Arc<dyn AccessKeys>);

#[async_trait::async_trait]
impl S3Auth for KeyRing {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let (_, secret) = key(&*self.0, access_key).await?;
        Ok(SecretKey::from(secret.expose()))
    }
}

/// The key of that name and its secret.
///
/// # Errors
/// InvalidAccessKeyId.
pub(crate) async fn key(
    keys: &dyn AccessKeys,
    name: &str,
) -> S3Result<(AccessKeyId, carob_identity::SecretKey)> {
    let unknown =
        || s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.");
    let id: AccessKeyId = name.parse().map_err(|_| unknown())?;
    let secret = keys.secret(&id).await.map_err(|error| internal(Box::new(error)))?.ok_or_else(unknown)?;
    Ok((id, secret))
}

/// Knows no secret. The inner service uses it: what reaches it was verified before, and a signature that turns up
/// there all the same must not pass.
pub(crate) struct NoKeys;

#[async_trait::async_trait]
impl S3Auth for NoKeys {
    async fn get_secret_key(&self, _access_key: &str) -> S3Result<SecretKey> {
        Err(access_denied())
    }
}
