//! Settings of a bucket that only S3 understands: kept in its configuration under a name, as the XML that Amazon S3
//! describes them with, after they were validated.

use bytes::Bytes;
use carob_bucket::Config;
use http::Extensions;
use s3s::xml::{DeError, DeserializeContent, Deserializer, SerializeContent, Serializer};
use s3s::{S3Result, s3_error};

use crate::error::{from_bucket, internal, malformed_xml};
use crate::table::Carob;
use crate::xml::needs_reference;

pub(crate) const CORS: &str = "cors";
pub(crate) const LIFECYCLE: &str = "lifecycle";
/// `x-amz-transition-default-minimum-object-size` of the rules, if it is not Amazon's default; no XML.
pub(crate) const LIFECYCLE_SIZE: &str = "lifecycle-minimum-size";
pub(crate) const LOGGING: &str = "logging";
pub(crate) const REQUEST_PAYMENT: &str = "request-payment";

/// The name of the element that each document is.
const ROOT: &str = "Document";

/// The longest setting: several of them, and all else of a configuration, fit into a block.
const MAX_BYTES: usize = 256 << 10;

/// Writes what was validated.
///
/// # Errors
/// MalformedXML, if it holds a character that XML cannot; MaxMessageLengthExceeded.
pub(crate) fn write(setting: &impl SerializeContent) -> S3Result<Bytes> {
    let mut text = Vec::new();
    Serializer::new(&mut text).content(ROOT, setting).map_err(|_| malformed_xml())?;
    // They could be kept, and never shown again: s3s answers with none of them.
    if String::from_utf8_lossy(&text).chars().any(needs_reference) {
        return Err(malformed_xml());
    }
    if text.len() > MAX_BYTES {
        return Err(s3_error!(MaxMessageLengthExceeded, "Your request was too big."));
    }
    Ok(text.into())
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// InternalError, if something else wrote it.
pub(crate) fn read<T>(text: &[u8]) -> S3Result<T>
where
    T: for<'xml> DeserializeContent<'xml>,
{
    let mut reader = Deserializer::new(text);
    let setting = reader.named_element(ROOT, Deserializer::content);
    setting.map_err(|error: DeError| internal(Box::new(error)))
}

impl Carob {
    /// A bucket's setting of this name, if it has one.
    ///
    /// # Errors
    /// NoSuchBucket, AccessDenied; InternalError for what cannot be read.
    pub(crate) async fn setting<T>(
        &self,
        name: &str,
        extensions: &Extensions,
        owner: Option<&str>,
    ) -> S3Result<Option<T>>
    where
        T: for<'xml> DeserializeContent<'xml>,
    {
        let config = self.config(extensions, owner).await?;
        config.documents.get(name).map(|text| read(text)).transpose()
    }

    /// Puts a setting in place of the bucket's; `None` takes it away.
    ///
    /// # Errors
    /// NoSuchBucket, AccessDenied; what the bucket says.
    pub(crate) async fn set(
        &self,
        name: &'static str,
        extensions: &Extensions,
        owner: Option<&str>,
        setting: Option<Bytes>,
    ) -> S3Result<()> {
        self.set_all([(name, setting)], extensions, owner).await
    }

    /// Puts several settings in place at once.
    ///
    /// # Errors
    /// As [`Carob::set`].
    pub(crate) async fn set_all<const N: usize>(
        &self,
        settings: [(&'static str, Option<Bytes>); N],
        extensions: &Extensions,
        owner: Option<&str>,
    ) -> S3Result<()> {
        let bucket = self.bucket(extensions, owner)?;
        let change = move |config: &mut Config| {
            for (name, setting) in &settings {
                match setting {
                    Some(text) => config.documents.insert((*name).to_owned(), text.clone()),
                    None => config.documents.remove(*name),
                };
            }
            Ok(())
        };
        bucket.configure(change).await.map(drop).map_err(from_bucket)
    }
}

#[cfg(test)]
mod tests {
    use s3s::dto::{CORSConfiguration, CORSRule};

    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let rule = CORSRule {
            allowed_headers: Some(vec!["x-<&>".to_owned()]),
            allowed_methods: vec!["GET".to_owned()],
            allowed_origins: vec!["*".to_owned()],
            expose_headers: None,
            id: Some("a \"rule\"".to_owned()),
            max_age_seconds: Some(5),
        };
        let setting = CORSConfiguration { cors_rules: vec![rule] };
        assert_eq!(read::<CORSConfiguration>(&write(&setting).unwrap()).unwrap(), setting);
        assert!(read::<CORSConfiguration>(b"<Document><Other/></Document>").is_err());
        for odd in ["\u{0}", "a\u{1f}", "\u{ffff}"] {
            let rule = CORSRule { id: Some(odd.to_owned()), ..setting.cors_rules[0].clone() };
            let refused = write(&CORSConfiguration { cors_rules: vec![rule] }).unwrap_err();
            assert_eq!(refused.code().as_str(), "MalformedXML", "{odd:?}");
        }
    }
}
