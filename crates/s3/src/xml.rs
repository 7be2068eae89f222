//! Characters that XML 1.0 cannot hold, which keys may.
//!
//! S3 writes them as character references (`&#x1;`) all the same, and many clients read them. s3s refuses to write
//! them at all, so operations put a placeholder and the finished answer gets the reference in its stead. Clients
//! that want to be sure ask for `encoding-type=url`.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::Extensions;
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::context::RequestContext;

/// What `encoding-type=url` leaves as it is, besides letters and digits.
const URL: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'*').remove(b'/');

/// How an answer writes names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    context: Option<&'a RequestContext>,
    url: bool,
}

impl<'a> Names<'a> {
    /// For the answer to the request with these extensions.
    pub(crate) fn of(extensions: &'a Extensions, url: bool) -> Self {
        Self::new(RequestContext::of(extensions).map(Arc::as_ref), url)
    }

    /// Percent-encoded if `url` (`encoding-type=url`), as XML text otherwise.
    pub(crate) fn new(context: Option<&'a RequestContext>, url: bool) -> Self {
        Self { context, url }
    }

    /// A name, ready for s3s's XML writer.
    pub(crate) fn write(&self, name: &str) -> String {
        if self.url { utf8_percent_encode(name, URL).to_string() } else { self.plain(name) }
    }

    /// Appends a name as the text of an element, for [`crate::contents`].
    pub(crate) fn put(&self, out: &mut Vec<u8>, name: &str) {
        if self.url {
            utf8_percent_encode(name, URL).for_each(|piece| out.extend_from_slice(piece.as_bytes()));
        } else {
            put_text(out, name);
        }
    }

    /// A name as XML text, whatever encoding was asked for.
    pub(crate) fn plain(&self, name: &str) -> String {
        match self.context {
            Some(context) if name.chars().any(needs_reference) => hide(name, context.nonce()),
            _ => name.to_owned(),
        }
    }
}

/// Not a character of XML 1.0, or one that a parser would change: a carriage return is read as a line feed.
pub(crate) fn needs_reference(c: char) -> bool {
    (c < ' ' && c != '\t' && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn hide(name: &str, nonce: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if needs_reference(c) {
            text.push_str(&format!("{nonce}{:04X}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// Refers to what s3s writes though XML lacks it, such as in an error that repeats a parameter.
pub(crate) fn refer(xml: Cow<'_, str>) -> Cow<'_, str> {
    let has = |c: &str| memmem::find(xml.as_bytes(), c.as_bytes()).is_some();
    if has("\u{fffe}") || has("\u{ffff}") {
        Cow::Owned(xml.replace('\u{fffe}', "&#xFFFE;").replace('\u{ffff}', "&#xFFFF;"))
    } else {
        xml
    }
}

/// Puts the references where the placeholders stand.
pub(crate) fn reveal<'a>(xml: Cow<'a, str>, nonce: &str) -> Cow<'a, str> {
    if memmem::find(xml.as_bytes(), nonce.as_bytes()).is_none() {
        return xml;
    }
    let mut pieces = xml.split(nonce);
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(4).unwrap_or(("", piece));
        text.push_str("&#x");
        text.push_str(code.trim_start_matches('0'));
        // The reference to NUL has no digit left.
        if code.chars().all(|c| c == '0') {
            text.push('0');
        }
        text.push(';');
        text.push_str(rest);
    }
    Cow::Owned(text)
}

/// Replaces the character references in a request's document that s3s does not read by the characters themselves,
/// which it takes as they are: those that XML does not know, and those beyond the first plane, of which s3s knows
/// only the last. Spaces at the end make up for the length, which s3s compares with the header.
pub(crate) fn admit_references(document: Bytes) -> Bytes {
    let Some(text) = std::str::from_utf8(&document).ok().filter(|text| text.contains("&#")) else {
        return document;
    };
    let mut pieces = text.split("&#");
    let mut admitted = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (number, rest) = piece.split_once(';').unwrap_or(("", piece));
        match referred(number).filter(|c| (*c != '\r' && needs_reference(*c)) || *c > '\u{ffff}') {
            Some(c) => {
                admitted.push(c);
                admitted.push_str(rest);
            }
            None => {
                admitted.push_str("&#");
                admitted.push_str(piece);
            }
        }
    }
    admitted.extend(std::iter::repeat_n(' ', text.len().saturating_sub(admitted.len())));
    admitted.into()
}

/// The character that `&#…;` refers to.
fn referred(number: &str) -> Option<char> {
    let code = match number.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    code.ok().and_then(char::from_u32)
}

/// Whether [`escape`] and [`put_text`] may change a text that has this byte.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'&' | b'<' | b'>' | 0xef) || byte < b' '
}

/// Appends text of an element, with references to the characters that XML 1.0 cannot hold.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    // Without an early end, many bytes are compared at a time.
    if !text.bytes().fold(false, |found, byte| found | is_special(byte)) {
        return out.extend_from_slice(text.as_bytes());
    }
    for c in text.chars() {
        match c {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            c if needs_reference(c) => out.extend_from_slice(format!("&#x{:X};", u32::from(c)).as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Text for an element.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(is_special) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if needs_reference(c) => {}
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use carob_identity::SeededEntropy;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn url_encoding_is_that_of_s3() {
        let names = Names::new(None, true);
        for (name, encoded) in [
            ("foo+1/bar", "foo%2B1/bar"),
            ("quux ab/thud", "quux%20ab/thud"),
            ("é\u{1}", "%C3%A9%01"),
            ("a-_.~*", "a-_.~*"),
        ] {
            assert_eq!(names.write(name), encoded);
        }
    }

    #[test]
    fn control_characters_become_references() {
        let context = RequestContext::new(&SeededEntropy::new(1));
        let names = Names::new(Some(&context), false);
        let xml =
            format!("<Key>{}</Key><Key>{}</Key>", names.write("a\u{1}b\r\0"), names.write("plain\tkey\n"));
        assert_eq!(
            reveal(xml.into(), context.nonce()),
            "<Key>a&#x1;b&#xD;&#x0;</Key><Key>plain\tkey\n</Key>"
        );
    }

    #[test]
    fn references_in_requests_name_any_character() {
        let admit = |text: &'static str| {
            let admitted = admit_references(Bytes::from_static(text.as_bytes()));
            assert_eq!(admitted.len(), text.len());
            String::from_utf8(admitted.to_vec()).unwrap().trim_end_matches(' ').to_owned()
        };
        assert_eq!(admit("a&#x1;b&#0;&#xFFFF;"), "a\u{1}b\0\u{ffff}");
        assert_eq!(admit("&#128512;&#x1F600;"), "😀😀");
        for kept in ["&#13;&#xA;&#65;", "&#;", "&#x;", "&#", "&#xD800;", "&#99999999;", "&lt;", "plain"] {
            assert_eq!(admit(kept), kept);
        }
    }

    proptest! {
        #[test]
        fn what_is_hidden_is_revealed(name in "[\u{0}-\u{ff}\u{fff0}-\u{ffff}]{0,20}") {
            let context = RequestContext::new(&SeededEntropy::new(2));
            let hidden = Names::new(Some(&context), false).write(&name);
            prop_assert!(!hidden.chars().any(needs_reference));
            let mut back = String::new();
            let shown = reveal(hidden.as_str().into(), context.nonce());
            let mut rest = &*shown;
            while let Some((before, after)) = rest.split_once("&#x") {
                back.push_str(before);
                let (code, after) = after.split_once(';').unwrap();
                back.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
                rest = after;
            }
            back.push_str(rest);
            prop_assume!(!name.contains("&#x"));
            prop_assert_eq!(back, name);
        }
    }
}
