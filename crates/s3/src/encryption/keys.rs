//! The keys of bodies: drawn, sealed for storage, and opened again.

use std::fmt;
use std::sync::Arc;

use carob_bucket::{Bucket, DataKey, Encryption, Object, Scheme, Seal, UploadState};
use carob_identity::{EncryptionKeys, Entropy, IdentityError};
use s3s::{S3Error, S3Result, s3_error};
use zeroize::Zeroizing;

use super::asked::Named;
use super::default::{blocks_customer_keys, default_of};
use super::{Asked, CustomerKey, Wanted};
use crate::error::{access_denied, bad_request, from_bucket, internal};

/// Makes and opens the keys of bodies.
#[derive(Clone)]
pub(crate) struct Encrypter {
    pub(crate) keys: Arc<dyn EncryptionKeys>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Encrypter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypter").finish_non_exhaustive()
    }
}

/// What the key of a body is sealed for: it opens as nothing else.
fn place(scheme: Scheme, context: Option<&str>) -> Vec<u8> {
    match scheme {
        Scheme::Customer => b"carob/object/customer".to_vec(),
        Scheme::Space => b"carob/object/space".to_vec(),
        Scheme::Named | Scheme::NamedDual => {
            [&b"carob/object/named"[..], context.unwrap_or_default().as_bytes()].concat()
        }
    }
}

/// Whether a copy may share the stored body: both have the same entity tag of it, and the key can be sealed anew.
pub(crate) fn by_reference(source: Option<&Encryption>, wanted: Option<&Wanted>) -> bool {
    match (source, wanted) {
        (None, None) => true,
        (Some(source), Some(wanted)) => (source.scheme == Scheme::Space) == matches!(wanted, Wanted::Space),
        _ => false,
    }
}

impl Encrypter {
    /// What a write to `bucket` is to be encrypted under: what it asks for, or else what the bucket says.
    ///
    /// # Errors
    /// AccessDenied for a customer's key, where the bucket takes none; what the bucket says.
    pub(crate) async fn wanted(&self, asked: Asked, bucket: &Bucket) -> S3Result<Option<Wanted>> {
        match asked.wanted {
            Some(Wanted::Customer(_)) if blocks_customer_keys(bucket).await? => Err(access_denied()),
            Some(Wanted::Named(Named { bucket_key: None, key, dual, context })) => {
                let bucket_key = match default_of(bucket).await? {
                    Some(Wanted::Named(default)) => default.bucket_key,
                    _ => None,
                };
                Ok(Some(Wanted::Named(Named { key, dual, context, bucket_key })))
            }
            Some(wanted) => Ok(Some(wanted)),
            None => default_of(bucket).await,
        }
    }

    /// A new key for a body that nobody asks anything for, sealed as the bucket says; none, if it says nothing.
    ///
    /// # Errors
    /// As [`Encrypter::seal`]; what the bucket says.
    pub(crate) async fn default_seal(&self, bucket: &Bucket) -> S3Result<Option<Seal>> {
        self.new_seal(default_of(bucket).await?.as_ref()).await
    }

    /// A new key, sealed as it is wanted.
    ///
    /// # Errors
    /// As [`Encrypter::seal`].
    pub(crate) async fn new_seal(&self, wanted: Option<&Wanted>) -> S3Result<Option<Seal>> {
        let Some(wanted) = wanted else { return Ok(None) };
        let mut bytes = Zeroizing::new([0; 32]);
        self.entropy.fill(bytes.as_mut());
        let data_key = DataKey::new(bytes);
        let encryption = self.seal(wanted, &data_key).await?;
        Ok(Some(Seal { data_key, encryption }))
    }

    /// Seals the key of a body as it is wanted.
    ///
    /// # Errors
    /// KMS.NotFoundException, KMS.DisabledException.
    pub(crate) async fn seal(&self, wanted: &Wanted, data_key: &DataKey) -> S3Result<Encryption> {
        let plain =
            |scheme, data_key| Encryption { scheme, data_key, key: None, context: None, bucket_key: None };
        let key = data_key.expose();
        match wanted {
            Wanted::Customer(customer) => {
                let place = place(Scheme::Customer, None);
                Ok(plain(Scheme::Customer, customer.key.wrap(key, &place, &*self.entropy)))
            }
            Wanted::Space => {
                let name = carob_identity::KeyName::managed();
                let sealed = self.keys.wrap(&name, key, &place(Scheme::Space, None)).await;
                Ok(plain(Scheme::Space, sealed.map_err(from_keys)?))
            }
            Wanted::Named(Named { key: named, dual, context, bucket_key }) => {
                let scheme = if *dual { Scheme::NamedDual } else { Scheme::Named };
                let place = place(scheme, context.as_deref());
                let sealed = self.keys.wrap(&named.name, key, &place).await.map_err(from_keys)?;
                Ok(Encryption {
                    key: Some(named.clone()),
                    context: context.clone(),
                    bucket_key: *bucket_key,
                    ..plain(scheme, sealed)
                })
            }
        }
    }

    /// What the key of a body that is copied by reference is sealed under.
    ///
    /// # Errors
    /// As [`Encrypter::data_key`].
    pub(crate) async fn reseal(
        &self,
        source: Option<&Encryption>,
        customer: Option<&CustomerKey>,
        wanted: Option<&Wanted>,
    ) -> S3Result<Option<Encryption>> {
        let (Some(source), Some(wanted)) = (source, wanted) else { return Ok(None) };
        let key = self.data_key(source, customer).await?;
        self.seal(wanted, &key).await.map(Some)
    }

    /// Whether a request brings the key that an object needs, and none that it does not.
    ///
    /// # Errors
    /// InvalidRequest without the customer's key, or with one where it is not due; AccessDenied with another.
    pub(crate) fn admit(&self, object: &Object, customer: Option<&CustomerKey>) -> S3Result<()> {
        let encryption = object.record().sealed.as_ref().map(|sealed| &sealed.encryption);
        match (encryption, customer) {
            (Some(encryption), Some(customer)) if encryption.scheme == Scheme::Customer => {
                opened_by(customer, encryption).map(drop).ok_or_else(access_denied)
            }
            (Some(encryption), None) if encryption.scheme == Scheme::Customer => Err(key_needed()),
            (_, Some(_)) => {
                Err(s3_error!(InvalidRequest, "The encryption parameters are not applicable to this object."))
            }
            (_, None) => Ok(()),
        }
    }

    /// The object, so that its body can be read.
    ///
    /// # Errors
    /// As [`Encrypter::admit`]; KMS.NotFoundException, KMS.DisabledException, KMS.InvalidCiphertextException.
    pub(crate) async fn open(&self, object: Object, customer: Option<&CustomerKey>) -> S3Result<Object> {
        self.admit(&object, customer)?;
        let Some(sealed) = &object.record().sealed else { return Ok(object) };
        let key = self.data_key(&sealed.encryption, customer).await?;
        object.opened_with(&key).await.map_err(from_bucket)
    }

    /// The key of a body.
    ///
    /// # Errors
    /// AccessDenied with another customer's key, InvalidRequest without one; KMS.NotFoundException,
    /// KMS.DisabledException; KMS.InvalidCiphertextException for one that does not open.
    pub(crate) async fn data_key(
        &self,
        encryption: &Encryption,
        customer: Option<&CustomerKey>,
    ) -> S3Result<DataKey> {
        let Encryption { scheme, data_key, key, context, .. } = encryption;
        let name = match (scheme, key) {
            (Scheme::Customer, _) => {
                let customer = customer.ok_or_else(key_needed)?;
                return opened_by(customer, encryption).ok_or_else(access_denied);
            }
            (Scheme::Named | Scheme::NamedDual, Some(named)) => named.name.clone(),
            (Scheme::Named | Scheme::NamedDual, None) => {
                return Err(internal("an object that is encrypted under a key without a name".into()));
            }
            (Scheme::Space, _) => carob_identity::KeyName::managed(),
        };
        let opened = self.keys.unwrap(&name, data_key, &place(*scheme, context.as_deref())).await;
        opened.map(DataKey::new).map_err(from_keys)
    }

    /// What a part of an upload is to be encrypted with.
    ///
    /// # Errors
    /// InvalidRequest without the key that the upload was begun with, with another, and with one where none was; as
    /// [`Encrypter::data_key`].
    pub(crate) async fn part_seal(
        &self,
        upload: &UploadState,
        customer: Option<&CustomerKey>,
    ) -> S3Result<Option<Seal>> {
        self.admit_part(upload, customer)?;
        let Some(encryption) = &upload.encryption else { return Ok(None) };
        if encryption.scheme == Scheme::Customer && customer.is_none() {
            return Err(s3_error!(
                InvalidRequest,
                "The multipart upload initiate requested encryption. Subsequent part requests must include the \
                 appropriate encryption parameters."
            ));
        }
        let data_key = self.data_key(encryption, customer).await?;
        Ok(Some(Seal { data_key, encryption: encryption.clone() }))
    }

    /// Whether the key that a request brings, if any, is that of the upload.
    ///
    /// # Errors
    /// InvalidRequest.
    pub(crate) fn admit_part(&self, upload: &UploadState, customer: Option<&CustomerKey>) -> S3Result<()> {
        let Some(customer) = customer else { return Ok(()) };
        match &upload.encryption {
            Some(encryption) if encryption.scheme == Scheme::Customer => {
                opened_by(customer, encryption).map(drop).ok_or_else(|| {
                    s3_error!(
                        InvalidRequest,
                        "The provided encryption parameters did not match the ones used originally."
                    )
                })
            }
            _ => Err(s3_error!(
                InvalidRequest,
                "The multipart upload initiate did not request encryption. Please resend the request without sending \
                 encryption parameters."
            )),
        }
    }
}

/// The key of a body, if the customer's is the right one.
fn opened_by(customer: &CustomerKey, encryption: &Encryption) -> Option<DataKey> {
    let opened = customer.key.unwrap(&encryption.data_key, &place(Scheme::Customer, None));
    opened.ok().map(DataKey::new)
}

/// 400 for who brings no key where the customer's is due.
pub(crate) fn key_needed() -> S3Error {
    s3_error!(
        InvalidRequest,
        "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to \
         retrieve the object."
    )
}

/// S3 passes on what KMS says.
fn from_keys(error: IdentityError) -> S3Error {
    match error {
        IdentityError::NoSuchEncryptionKey(name) => {
            bad_request("KMS.NotFoundException", format!("Key '{name}' does not exist"))
        }
        IdentityError::EncryptionKeyDisabled(name) => {
            bad_request("KMS.DisabledException", format!("{name} is disabled."))
        }
        // What a bucket brought along that was imported or pulled from another space, if not damage.
        IdentityError::Unsealable => bad_request(
            "KMS.InvalidCiphertextException",
            "The object's key does not open under the keys of this space: it was sealed in another one, or is damaged."
                .to_owned(),
        ),
        other => internal(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_sealed_elsewhere_is_no_fault_of_the_server() {
        let error = from_keys(IdentityError::Unsealable);
        assert_eq!(error.code().as_str(), "KMS.InvalidCiphertextException");
        assert_eq!(error.status_code(), Some(http::StatusCode::BAD_REQUEST));
    }
}
