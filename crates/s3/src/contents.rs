//! The objects of a listing, written straight into the answer's document. A page has a thousand of them; to make s3s's own types
//! and have those written took an eighth of the processor time of a page.

use std::borrow::Cow;
use std::io::{self, Write};

use carob_bucket::Summary;
use s3s::dto::{Owner, TimestampFormat};

use crate::headers;
use crate::xml::escape;

/// The `<Contents>` elements of a page, in their order (Amazon S3 API reference, Object).
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents(Vec<u8>);

impl Contents {
    /// For about so many objects.
    pub(crate) fn with_capacity(objects: usize) -> Self {
        /// Of an element for a key of usual length.
        const USUAL: usize = 320;
        Self(Vec::with_capacity(objects.saturating_mul(USUAL)))
    }

    /// Adds an object. Its name is as [`crate::xml::Names`] gives it.
    ///
    /// # Errors
    /// None but for a time that has no year of four digits.
    pub(crate) fn push(&mut self, name: &str, of: &Summary, owner: Option<&Owner>) -> io::Result<()> {
        let out = &mut self.0;
        write!(out, "<Contents><Key>{}</Key><LastModified>", escape(name))?;
        let modified = headers::timestamp(of.modified);
        modified.format(TimestampFormat::DateTime, &mut *out).map_err(io::Error::other)?;
        write!(out, "</LastModified><ETag>\"{}\"</ETag>", of.etag)?;
        if let Some(algorithm) = of.checksum {
            let kind = headers::checksum_kind(of.checksum_type);
            write!(out, "<ChecksumAlgorithm>{}</ChecksumAlgorithm>", algorithm.as_str())?;
            write!(out, "<ChecksumType>{}</ChecksumType>", kind.as_str())?;
        }
        write!(out, "<Size>{}</Size>", of.size)?;
        if let Some(owner) = owner {
            out.extend_from_slice(b"<Owner>");
            for (tag, text) in [("DisplayName", &owner.display_name), ("ID", &owner.id)] {
                if let Some(text) = text {
                    write!(out, "<{tag}>{}</{tag}>", escape(text))?;
                }
            }
            out.extend_from_slice(b"</Owner>");
        }
        let class = headers::storage_class(of.storage_class.as_deref());
        write!(out, "<StorageClass>{}</StorageClass></Contents>", escape(class))
    }

    /// The document of the answer with the objects, where Amazon S3 has them: behind what is said of the whole page, before
    /// the prefixes.
    pub(crate) fn insert<'a>(&self, document: &'a str) -> Cow<'a, str> {
        let place = document.find("<CommonPrefixes>").or_else(|| document.rfind("</"));
        match (place, std::str::from_utf8(&self.0)) {
            (Some(place), Ok(objects)) if !objects.is_empty() => {
                let (before, after) = document.split_at(place);
                Cow::Owned([before, objects, after].concat())
            }
            _ => Cow::Borrowed(document),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_stand_before_the_prefixes_or_at_the_end() {
        let objects = Contents(b"<Contents>1</Contents>".to_vec());
        for (document, whole) in [
            ("<L><Name>b</Name></L>", "<L><Name>b</Name><Contents>1</Contents></L>"),
            ("<L><CommonPrefixes/></L>", "<L><CommonPrefixes/><Contents>1</Contents></L>"),
            (
                "<L><CommonPrefixes>a</CommonPrefixes></L>",
                "<L><Contents>1</Contents><CommonPrefixes>a</CommonPrefixes></L>",
            ),
        ] {
            assert_eq!(objects.insert(document), whole);
            assert_eq!(Contents::default().insert(document), document);
        }
    }
}
