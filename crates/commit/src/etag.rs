//! Entity tags as S3 has them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::CommitError;

/// An object's entity tag as S3 computes it: the MD5 of the body, or for a multipart upload the MD5 of the
/// parts' MD5s with the number of parts behind a dash. Shown without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ETag {
    /// MD5 of the body, or of the parts' MD5s.
    #[serde(with = "serde_bytes")]
    pub md5: [u8; 16],
    /// How many parts, for an object made by a multipart upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u32>,
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        hex::encode_to_slice(self.md5, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?)?;
        match self.parts {
            Some(parts) => write!(f, "-{parts}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ETag {
    type Err = CommitError;

    fn from_str(text: &str) -> Result<Self, CommitError> {
        let bad = || CommitError::BadEtag(text.to_owned());
        let (digest, parts) = match text.split_once('-') {
            Some((digest, parts)) => (digest, Some(parts.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let mut md5 = [0; 16];
        hex::decode_to_slice(digest, &mut md5).map_err(|_| bad())?;
        Ok(Self { md5, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_nonsense_is_refused() {
        for text in ["d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e-10000"] {
            assert_eq!(text.parse::<ETag>().unwrap().to_string(), text);
        }
        for text in ["", "*", "d41d8cd98f00b204e9800998ecf8427", "d41d8cd98f00b204e9800998ecf8427e-x"] {
            assert!(text.parse::<ETag>().is_err(), "{text}");
        }
    }
}
