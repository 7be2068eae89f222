//! What a write asks for.

use carob_bucket::NamedKey;
use carob_identity::KeyName;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::{S3Error, S3Result, s3_error};

use super::{AES256, CustomerKey, HEADER};
use crate::error::bad_request;

/// What the headers of a write ask for; `None` in [`Asked::wanted`] leaves it to the bucket.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(super) wanted: Option<Wanted>,
}

/// What an object is to be encrypted under.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// A key that the client has sent.
    Customer(CustomerKey),
    /// The space's.
    Space,
    /// One of the space's, by name.
    Named(Named),
}

/// What goes with a named key.
#[derive(Debug)]
pub(crate) struct Named {
    pub(super) key: NamedKey,
    /// Whether two layers were asked for.
    pub(super) dual: bool,
    pub(super) context: Option<String>,
    pub(super) bucket_key: Option<bool>,
}

impl Asked {
    /// Reads the headers of a write.
    ///
    /// # Errors
    /// InvalidArgument for what does not belong together or is not to be had, KMS.NotFoundException for what names no key;
    /// as [`CustomerKey::to_write`].
    pub(crate) fn parse(headers: &HeaderMap) -> S3Result<Self> {
        let customer = CustomerKey::to_write(headers)?;
        let text = |name: &str| headers.get(format!("{HEADER}{name}")).map(HeaderValue::to_str).transpose();
        let text = |name: &str| text(name).map_err(|_| unsupported());
        let (method, key, context) = (text("")?, text("-aws-kms-key-id")?, text("-context")?);
        let bucket_key = text("-bucket-key-enabled")?.map(boolean).transpose()?;
        if customer.is_some() && (method.is_some() || key.is_some()) {
            return Err(s3_error!(
                InvalidArgument,
                "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
            ));
        }
        let wanted = match method {
            Some("aws:kms" | "aws:kms:dsse") => Some(Wanted::Named(Named {
                key: key.map(named_key).transpose()?.unwrap_or_else(managed),
                dual: method == Some("aws:kms:dsse"),
                context: context.map(checked_context).transpose()?,
                bucket_key,
            })),
            Some(AES256) | None if key.is_some() || context.is_some() => {
                return Err(s3_error!(
                    InvalidArgument,
                    "Server Side Encryption with AWS KMS managed key requires HTTP header \
                     x-amz-server-side-encryption : aws:kms"
                ));
            }
            Some(AES256) => Some(Wanted::Space),
            Some(_) => return Err(unsupported()),
            None => customer.map(Wanted::Customer),
        };
        Ok(Self { wanted })
    }

    /// Whether anything is asked for.
    pub(crate) fn is_some(&self) -> bool {
        self.wanted.is_some()
    }
}

impl Wanted {
    /// The key that the client has sent.
    pub(crate) fn customer(&self) -> Option<&CustomerKey> {
        match self {
            Self::Customer(key) => Some(key),
            Self::Space | Self::Named(_) => None,
        }
    }
}

/// Refuses headers that say how to write where something is read.
///
/// # Errors
/// InvalidArgument.
pub(crate) fn refuse_on_read(headers: &HeaderMap) -> S3Result<()> {
    const OF_WRITES: [&str; 4] = ["", "-aws-kms-key-id", "-context", "-bucket-key-enabled"];
    for end in OF_WRITES {
        let name = format!("{HEADER}{end}");
        if HeaderName::try_from(&name).is_ok_and(|header| headers.contains_key(header)) {
            return Err(s3_error!(InvalidArgument, "{name} header is not supported for this operation."));
        }
    }
    Ok(())
}

/// The key that a client means: its name, `alias/` and the name, or an ARN of either.
///
/// # Errors
/// KMS.NotFoundException for what no key can be called.
pub(super) fn named_key(called: &str) -> S3Result<NamedKey> {
    let resource = match called.strip_prefix("arn:") {
        // Partition, service, region, account.
        Some(rest) => match rest.splitn(5, ':').collect::<Vec<_>>()[..] {
            [_, "kms", _, _, resource] => resource.strip_prefix("key/").or(Some(resource)),
            _ => None,
        },
        None => Some(called),
    };
    let name = resource.map(|resource| resource.strip_prefix("alias/").unwrap_or(resource));
    let name: Option<KeyName> = name.and_then(|name| name.parse().ok());
    let name =
        name.ok_or_else(|| bad_request("KMS.NotFoundException", format!("Invalid keyId '{called}'")))?;
    Ok(NamedKey { name, called: called.to_owned() })
}

/// The key of who names none.
pub(super) fn managed() -> NamedKey {
    let name = KeyName::managed();
    NamedKey { called: format!("alias/{name}"), name }
}

/// Base64 of a JSON object of texts.
fn checked_context(text: &str) -> S3Result<String> {
    let decoded = BASE64.decode(text.as_bytes()).ok();
    let pairs: Option<std::collections::BTreeMap<String, String>> =
        decoded.and_then(|json| serde_json::from_slice(&json).ok());
    match pairs {
        Some(_) => Ok(text.to_owned()),
        None => Err(s3_error!(
            InvalidArgument,
            "The header '{HEADER}-context' shall be Base64-encoded UTF-8 string holding JSON which represents a \
             string-string map"
        )),
    }
}

fn boolean(text: &str) -> S3Result<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Ok(true),
        _ if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(s3_error!(InvalidArgument, "{HEADER}-bucket-key-enabled must be true or false")),
    }
}

fn unsupported() -> S3Error {
    s3_error!(InvalidArgument, "The encryption method specified is not supported")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &str)]) -> Result<String, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let asked = Asked::parse(&map).map_err(|error| error.code().as_str().to_owned())?;
        Ok(match asked.wanted {
            None => "nothing".to_owned(),
            Some(Wanted::Customer(_)) => "customer".to_owned(),
            Some(Wanted::Space) => "space".to_owned(),
            Some(Wanted::Named(Named { key, dual, context, bucket_key })) => {
                format!("{} {dual} {} {bucket_key:?}", key.name, context.is_some())
            }
        })
    }

    const METHOD: &str = "x-amz-server-side-encryption";
    const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
    const CONTEXT: &str = "x-amz-server-side-encryption-context";
    const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
    const CUSTOMER: [(&str, &str); 3] = [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs="),
        ("x-amz-server-side-encryption-customer-key-md5", "DWygnHRtgiJ77HCm+1rvHw=="),
    ];

    #[test]
    fn methods_and_what_goes_with_them() {
        let ok = |text: &str| Ok(text.to_owned());
        let bad = || Err("InvalidArgument".to_owned());
        for (headers, expected) in [
            (&[][..], ok("nothing")),
            (&[(METHOD, "AES256")], ok("space")),
            (&[(METHOD, "aws:kms")], ok("aws/s3 false false None")),
            (&[(METHOD, "aws:kms"), (KEY, "one")], ok("one false false None")),
            (
                &[(METHOD, "aws:kms:dsse"), (KEY, "one"), (BUCKET_KEY, "true")],
                ok("one true false Some(true)"),
            ),
            (&[(METHOD, "aws:kms"), (CONTEXT, "eyJhIjoiYiJ9")], ok("aws/s3 false true None")),
            (&[(METHOD, "aws:kms"), (CONTEXT, "W10=")], bad()),
            (&[(METHOD, "aws:kms"), (CONTEXT, "{}")], bad()),
            (&[(METHOD, "aws:kms"), (BUCKET_KEY, "yes")], bad()),
            (&[(METHOD, "aws:kms"), (KEY, "no key")], Err("KMS.NotFoundException".to_owned())),
            (&[(METHOD, "AES256"), (KEY, "one")], bad()),
            (&[(KEY, "one")], bad()),
            (&[(METHOD, "aes:kms")], bad()),
            (&[(METHOD, "aes256")], bad()),
            (&CUSTOMER, ok("customer")),
        ] {
            assert_eq!(asked(headers), expected, "{headers:?}");
        }
        for method in ["AES256", "aws:kms"] {
            let headers: Vec<_> = CUSTOMER.into_iter().chain([(METHOD, method)]).collect();
            assert_eq!(asked(&headers), bad(), "a customer's key with {method}");
        }
    }

    #[test]
    fn a_key_is_known_by_name_alias_and_arn() {
        for called in [
            "one/two",
            "alias/one/two",
            "arn:aws:kms:us-east-1:123456789012:key/one/two",
            "arn:aws:kms:us-east-1:123456789012:alias/one/two",
            "arn:aws-cn:kms:::key/one/two",
        ] {
            let key = named_key(called).unwrap();
            assert_eq!((key.name.as_str(), key.called.as_str()), ("one/two", called));
        }
        for bad in ["", "alias/", "arn:aws:s3:::key/one", "arn:aws:kms:us-east-1:1", "one two", "aws/ebs"] {
            assert_eq!(named_key(bad).unwrap_err().code().as_str(), "KMS.NotFoundException", "{bad}");
        }
    }
}
