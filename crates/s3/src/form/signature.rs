//! Who signed a form's policy (API reference, "Authenticating requests in browser-based uploads using POST").
//!
//! Version 2 covers the same text, the policy: many programs that make forms know no other.

use carob_identity::{AccessKeyId, AccessKeys};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use s3s::{S3Error, S3Result};
use sha2::Sha256;

use super::fields::Fields;
use crate::error::invalid_argument;
use crate::gate::VERSION_4;
use crate::mismatch::Compared;
use crate::scope::{Scope, key_of};
use crate::version2::{self, mismatch};
use crate::{auth, date};

/// Verifies the signature over `policy` and says whose it is, and of which version.
///
/// # Errors
/// InvalidArgument for a missing or malformed field, InvalidRequest for version 2 where it is not taken, InvalidAccessKeyId,
/// SignatureDoesNotMatch.
pub(super) async fn verify(
    fields: &Fields,
    policy: &str,
    keys: &dyn AccessKeys,
    region: &str,
    version_2: bool,
) -> S3Result<(AccessKeyId, &'static str)> {
    let v4 = fields.0.keys().any(|name| ["x-amz-algorithm", "x-amz-signature"].contains(&name.as_str()));
    if !v4 {
        if !version_2 {
            return Err(version2::unsupported());
        }
        let signature = field(fields, "signature", "Signature")?;
        let (id, secret) = auth::key(keys, field(fields, "awsaccesskeyid", "AWSAccessKeyId")?).await?;
        return version2::verify(secret.expose(), policy, signature).map(|()| (id, version2::NAME));
    }
    let algorithm = field(fields, "x-amz-algorithm", "x-amz-algorithm")?;
    if algorithm != "AWS4-HMAC-SHA256" {
        return Err(invalid_argument("Only AWS4-HMAC-SHA256 is supported", "X-Amz-Algorithm", algorithm));
    }
    let signature = field(fields, "x-amz-signature", "x-amz-signature")?;
    let date = field(fields, "x-amz-date", "x-amz-date")?;
    let credential = field(fields, "x-amz-credential", "x-amz-credential")?;
    let wrong = |message: String| invalid_argument(message, "x-amz-credential", credential);
    let Scope { key, day } = Scope::read(credential, region).map_err(wrong)?;
    if date::basic(date).is_none() {
        // So spelt.
        let message = "X-Amz-Date must be formated via ISO8601 Long format";
        return Err(invalid_argument(message, "X-Amz-Date", date));
    }
    if !date.starts_with(day) {
        return Err(wrong(format!(
            "Invalid credential date \"{day}\". This date is not the same as X-Amz-Date: \"{date}\"."
        )));
    }
    let (id, secret) = auth::key(keys, key).await?;
    let mut signing = format!("AWS4{}", secret.expose()).into_bytes();
    for step in [day, region, "s3", "aws4_request"] {
        signing = mac(&signing, step)?.finalize().into_bytes().to_vec();
    }
    let signature = HEXLOWER.decode(signature.as_bytes()).map_err(|_| mismatch())?;
    mac(&signing, policy)?.verify_slice(&signature).map(|()| (id, VERSION_4)).map_err(|_| mismatch())
}

/// What an error about the signature repeats.
pub(super) fn compared(fields: &Fields, policy: &str) -> Compared {
    let named = |one: &str, other: &str| fields.get(one).or_else(|| fields.get(other));
    let of_version_4 = fields.get("x-amz-credential").and_then(key_of);
    let signature = named("x-amz-signature", "signature").unwrap_or_default();
    Compared::over(policy, signature, of_version_4.or_else(|| fields.get("awsaccesskeyid")))
}

fn mac(key: &[u8], text: &str) -> S3Result<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| mismatch())?;
    mac.update(text.as_bytes());
    Ok(mac)
}

fn field<'a>(fields: &'a Fields, name: &str, shown: &'static str) -> S3Result<&'a str> {
    fields.get(name).ok_or_else(|| missing(shown))
}

/// S3's word on a field that a form must have.
pub(super) fn missing(name: &'static str) -> S3Error {
    let message = format!(
        "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    );
    invalid_argument(message, name, "")
}
