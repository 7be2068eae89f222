//! Where a listing goes on.

use data_encoding::BASE64URL_NOPAD;

use crate::BucketError;

const VERSION: u8 = 1;

/// Where the next page of a listing starts. Opaque to clients; it names a place among the keys, not a state
/// of the bucket, so it stays good while the bucket changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resume {
    /// At the first key after this one.
    AfterKey(String),
    /// At the first key that does not start with this common prefix.
    AfterPrefix(String),
}

impl Resume {
    pub(crate) fn to_token(&self) -> String {
        let (kind, text) = match self {
            Self::AfterKey(key) => (b'k', key),
            Self::AfterPrefix(prefix) => (b'p', prefix),
        };
        let mut bytes = vec![VERSION, kind];
        bytes.extend_from_slice(text.as_bytes());
        BASE64URL_NOPAD.encode(&bytes)
    }

    pub(crate) fn from_token(token: &str) -> Result<Self, BucketError> {
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| BucketError::BadToken)?;
        let [VERSION, kind, text @ ..] = &bytes[..] else { return Err(BucketError::BadToken) };
        let text = std::str::from_utf8(text).map_err(|_| BucketError::BadToken)?.to_owned();
        match kind {
            b'k' => Ok(Self::AfterKey(text)),
            b'p' => Ok(Self::AfterPrefix(text)),
            _ => Err(BucketError::BadToken),
        }
    }
}

/// The smallest byte string that is greater than every string starting with `prefix`; `None` if there is
/// none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut bound = prefix.get(..=keep)?.to_vec();
    if let Some(last) = bound.last_mut() {
        *last += 1;
    }
    Some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_foreign_ones_are_refused() {
        for resume in [Resume::AfterKey("a/ü\0".into()), Resume::AfterPrefix(String::new())] {
            assert_eq!(Resume::from_token(&resume.to_token()).unwrap(), resume);
        }
        for token in ["", "AA", "!", "AXg", "Amth", "AWv_"] {
            assert!(matches!(Resume::from_token(token), Err(BucketError::BadToken)), "{token}");
        }
    }

    #[test]
    fn the_bound_of_a_prefix_is_tight() {
        assert_eq!(after_prefix(b"a/"), Some(b"a0".to_vec()));
        assert_eq!(after_prefix(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(after_prefix(b"\xff"), None);
        assert_eq!(after_prefix(b""), None);
    }
}
