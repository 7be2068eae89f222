//! Pages of a listing, counted: a load that parsed every entry would measure its own parser.

use memchr::memmem;
use quick_xml::escape::unescape;

use super::client::{Client, Failure};

/// How many keys a page of ListObjectsV2 has, and where the next one starts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) keys: usize,
    pub(crate) next: Option<String>,
}

impl Client {
    /// [`Client::list_page`], counted.
    pub(crate) async fn count_page(
        &self,
        bucket: &str,
        max_keys: u32,
        token: Option<&str>,
    ) -> Result<Counted, Failure> {
        count(&self.page(bucket, max_keys, token).await?)
    }
}

fn count(page: &[u8]) -> Result<Counted, Failure> {
    let keys = memmem::find_iter(page, "<Contents>").count();
    let truncated = memmem::find(page, b"<IsTruncated>true<").is_some();
    let next = between(page, "<NextContinuationToken>", "</").map(|token| {
        let token = std::str::from_utf8(token).map_err(|error| error.to_string())?;
        Ok(unescape(token).map_err(|error| error.to_string())?.into_owned())
    });
    let next = next.transpose().map_err(Failure::Nonsense)?;
    if truncated != next.is_some() {
        return Err(Failure::Nonsense(format!("IsTruncated is {truncated}, the token {next:?}")));
    }
    Ok(Counted { keys, next })
}

fn between<'a>(page: &'a [u8], start: &str, end: &str) -> Option<&'a [u8]> {
    let rest = &page[memmem::find(page, start.as_bytes())? + start.len()..];
    Some(&rest[..memmem::find(rest, end.as_bytes())?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_the_token_are_found() {
        let page = b"<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a</Key></Contents>\
            <Contents><Key>b</Key></Contents><NextContinuationToken>x&amp;y=</NextContinuationToken></ListBucketResult>";
        assert_eq!(count(page).unwrap(), Counted { keys: 2, next: Some("x&y=".to_owned()) });
        let last = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
        assert_eq!(count(last).unwrap(), Counted { keys: 0, next: None });
        assert!(count(b"<IsTruncated>true</IsTruncated>").is_err(), "nowhere to go on");
    }
}
