//! Virtual-host style: the bucket stands before one of our domains in `Host` (Amazon S3 user guide, "Virtual
//! hosting of buckets").
//!
//! A host that is none of ours says nothing: the bucket stands in the path then. s3s's own parsers would take any
//! other host for a bucket.

use http::{Request, header};
use percent_encoding::percent_decode_str;
use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

use crate::options::S3OptionsError;

/// Domains below which a bucket's name may stand in `Host`, such as `s3.example.com`.
///
/// With none, buckets are named in the path alone; under a host that is not below one of them they always are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Domains(Vec<String>);

impl Domains {
    /// Takes domains in letters of either case.
    ///
    /// # Errors
    /// [`S3OptionsError::Domain`] for the first that is none: no scheme, port or path belongs to it.
    pub fn new(domains: Vec<String>) -> Result<Self, S3OptionsError> {
        match domains.iter().find(|domain| !is_domain(domain)) {
            Some(bad) => Err(S3OptionsError::Domain(bad.clone())),
            None => Ok(Self(domains.into_iter().map(|domain| domain.to_ascii_lowercase()).collect())),
        }
    }

    /// Whether a `Host` names a bucket, so that the whole path is a key.
    pub fn names_bucket(&self, host: &str) -> bool {
        self.bucket(host).is_some()
    }

    /// What a request is about, as far as that shows before anything of it was checked.
    pub(crate) fn place<T>(&self, request: &Request<T>) -> Place {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let path = request.uri().path().trim_start_matches('/');
        if let Some(bucket) = self.bucket(host.unwrap_or_default()) {
            return Place { bucket: Some(bucket), has_key: !path.is_empty(), in_path: false };
        }
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let bucket = percent_decode_str(bucket).decode_utf8().ok().map(std::borrow::Cow::into_owned);
        Place { bucket: bucket.filter(|bucket| !bucket.is_empty()), has_key: !key.is_empty(), in_path: true }
    }

    /// The bucket that a host names.
    fn bucket(&self, host: &str) -> Option<String> {
        let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
        let name = if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host };
        let name = name.to_ascii_lowercase();
        // The longest of several that fit, so that a domain may be part of another.
        let ours = self.0.iter().filter(|domain| name == **domain || is_below(&name, domain));
        let domain = ours.max_by_key(|domain| domain.len())?;
        let bucket = name.strip_suffix(domain.as_str())?.strip_suffix('.')?;
        Some(bucket.to_owned())
    }
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: Option<String>,
    pub(crate) has_key: bool,
    /// Whether the bucket stands in the path, not in the host.
    pub(crate) in_path: bool,
}

impl S3Host for Domains {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let found = VirtualHost::new(host);
        Ok(match self.bucket(host) {
            Some(bucket) => found.with_bucket(bucket),
            None => found,
        })
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_stands_before_a_domain_of_ours() {
        let domains = Domains::new(vec!["s3.example.com".into(), "Example.com".into()]).unwrap();
        for (host, bucket) in [
            ("photos.s3.example.com", Some("photos")),
            ("photos.s3.example.com:9000", Some("photos")),
            ("PHOTOS.S3.Example.COM", Some("photos")),
            ("my.photos.s3.example.com", Some("my.photos")),
            ("photos.example.com", Some("photos")),
            ("s3.example.com", None),
            ("s3.example.com:9000", None),
            // No name of a bucket, and refused as such.
            (".s3.example.com", Some(".s3")),
            ("photos3.example.com.evil.org", None),
            ("localhost", None),
            ("127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("", None),
        ] {
            assert_eq!(domains.bucket(host).as_deref(), bucket, "{host}");
        }
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for bad in ["", ".", "a..b", "http://a", "a:9000", "a b", "a/b", "*.a"] {
            assert!(Domains::new(vec![bad.into()]).is_err(), "{bad}");
        }
    }
}
