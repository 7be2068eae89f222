//! Who signed a form's policy (API reference, "Authenticating requests in browser-based uploads using POST").
//!
//! Version 2 covers the same text, the policy: many programs that make forms know no other.

use carob_identity::{AccessKeyId, AccessKeys};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use s3s::{S3Error, S3Result, s3_error};
use sha2::Sha256;

use super::fields::Fields;
use crate::auth;
use crate::gate::VERSION_4;
use crate::mismatch::Compared;
use crate::version2::{self, mismatch};

/// Verifies the signature over `policy` and says whose it is, and of which version.
///
/// # Errors
/// InvalidArgument for a missing field, InvalidRequest for version 2 where it is not taken, InvalidAccessKeyId,
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
    if field(fields, "x-amz-algorithm", "X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
        return Err(s3_error!(InvalidArgument, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let signature = field(fields, "x-amz-signature", "X-Amz-Signature")?;
    let date = field(fields, "x-amz-date", "X-Amz-Date")?;
    let credential = field(fields, "x-amz-credential", "X-Amz-Credential")?;
    // From the right: an access key may hold slashes.
    let mut scope = credential.rsplitn(5, '/');
    let mut next = || scope.next().unwrap_or_default();
    let (terminal, service, of_region, day, id) = (next(), next(), next(), next(), next());
    if terminal != "aws4_request"
        || service != "s3"
        || of_region != region
        || !date.starts_with(day)
        || day.len() != 8
    {
        return Err(s3_error!(
            AuthorizationQueryParametersError,
            "Error parsing the X-Amz-Credential field; expecting \"<YOUR-AKID>/{}/{region}/s3/aws4_request\".",
            date.get(..8).unwrap_or("YYYYMMDD")
        ));
    }
    let (id, secret) = auth::key(keys, id).await?;
    let mut signing = format!("AWS4{}", secret.expose()).into_bytes();
    for step in [day, of_region, service, terminal] {
        signing = mac(&signing, step)?.finalize().into_bytes().to_vec();
    }
    let signature = HEXLOWER.decode(signature.as_bytes()).map_err(|_| mismatch())?;
    mac(&signing, policy)?.verify_slice(&signature).map(|()| (id, VERSION_4)).map_err(|_| mismatch())
}

/// What an error about the signature repeats.
pub(super) fn compared(fields: &Fields, policy: &str) -> Compared {
    let named = |one: &str, other: &str| fields.get(one).or_else(|| fields.get(other));
    let of_version_4 =
        fields.get("x-amz-credential").and_then(|credential| credential.rsplitn(5, '/').nth(4));
    let signature = named("x-amz-signature", "signature").unwrap_or_default();
    Compared::over(policy, signature, of_version_4.or_else(|| fields.get("awsaccesskeyid")))
}

fn mac(key: &[u8], text: &str) -> S3Result<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| mismatch())?;
    mac.update(text.as_bytes());
    Ok(mac)
}

fn field<'a>(fields: &'a Fields, name: &str, shown: &str) -> S3Result<&'a str> {
    fields.get(name).ok_or_else(|| missing(shown))
}

/// S3's word on a field that a form must have.
pub(super) fn missing(name: &str) -> S3Error {
    s3_error!(
        InvalidArgument,
        "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )
}
