//! The order of a listing of versions: s3s writes all delete markers and then all versions, Amazon S3 each where it
//! belongs. Clients that go by the order of the document (minio-go) would take a key's delete markers for another key's.

/// What each of a page's versions and delete markers is, in their order: `true` for a delete marker.
#[derive(Debug, Clone)]
pub(crate) struct Markers(pub(crate) Vec<bool>);

/// The elements of one kind, and what stands around them.
struct Run<'a> {
    before: &'a str,
    elements: &'a str,
    after: &'a str,
}

/// Nothing in an element's text looks like a tag.
fn run<'a>(document: &'a str, open: &str, close: &str) -> Option<Run<'a>> {
    let start = document.find(open)?;
    let end = document.rfind(close)? + close.len();
    Some(Run { before: &document[..start], elements: document.get(start..end)?, after: &document[end..] })
}

impl Markers {
    /// The document in that order; `None` where there is nothing to move.
    pub(crate) fn interleave(&self, document: &str) -> Option<String> {
        let markers = run(document, "<DeleteMarker>", "</DeleteMarker>")?;
        let versions = run(markers.after, "<Version>", "</Version>")?;
        let mut ordered = format!("{}{}", markers.before, versions.before);
        let mut marker = markers.elements.split_inclusive("</DeleteMarker>");
        let mut version = versions.elements.split_inclusive("</Version>");
        for &is_marker in &self.0 {
            ordered.push_str(if is_marker { marker.next()? } else { version.next()? });
        }
        ordered.push_str(versions.after);
        Some(ordered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = "<DeleteMarker><Key>m</Key></DeleteMarker>";
    const VERSION: &str = "<Version><VersionId>v</VersionId></Version>";

    #[test]
    fn versions_and_markers_stand_in_their_order() {
        let document = format!("<a><x/>{MARKER}{MARKER}<y/>{VERSION}{VERSION}</a>");
        let ordered = Markers(vec![false, true, true, false]).interleave(&document);
        assert_eq!(ordered.unwrap(), format!("<a><x/><y/>{VERSION}{MARKER}{MARKER}{VERSION}</a>"));
    }

    #[test]
    fn a_page_of_one_kind_stays_as_it_is() {
        assert_eq!(Markers(vec![true]).interleave(&format!("<a>{MARKER}</a>")), None);
        assert_eq!(Markers(vec![false]).interleave(&format!("<a>{VERSION}</a>")), None);
        assert_eq!(Markers(Vec::new()).interleave("<a></a>"), None);
    }
}
