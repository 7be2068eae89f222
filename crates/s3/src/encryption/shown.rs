//! What answers say of encryption.

use carob_bucket::{Encryption, Record, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{AES256, CustomerKey};
use crate::headers;

/// What an answer about an object says in headers of its own.
pub(crate) fn of_record(record: &Record, customer: Option<&CustomerKey>) -> HeaderMap {
    let mut shown = headers::of(record);
    shown.extend(of_upload(record.sealed.as_ref().map(|sealed| &sealed.encryption), customer));
    shown
}

/// What an answer about an upload says in headers of its own.
pub(crate) fn of_upload(encryption: Option<&Encryption>, customer: Option<&CustomerKey>) -> HeaderMap {
    let mut shown = HeaderMap::new();
    let Some(encryption) = encryption else { return shown };
    let mut show = |name: &'static str, value: Option<&str>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            shown.insert(HeaderName::from_static(name), value);
        }
    };
    let method = match encryption.scheme {
        Scheme::Customer => {
            show("x-amz-server-side-encryption-customer-algorithm", Some(AES256));
            show("x-amz-server-side-encryption-customer-key-md5", customer.map(|key| &*key.md5));
            return shown;
        }
        Scheme::Space => AES256,
        Scheme::Named => "aws:kms",
        Scheme::NamedDual => "aws:kms:dsse",
    };
    show("x-amz-server-side-encryption", Some(method));
    let called = encryption.key.as_ref().map(|key| &*key.called);
    show("x-amz-server-side-encryption-aws-kms-key-id", called);
    // Only true is told.
    let bucket_key = encryption.bucket_key.filter(|enabled| *enabled).map(|_| "true");
    show("x-amz-server-side-encryption-bucket-key-enabled", bucket_key);
    shown
}
