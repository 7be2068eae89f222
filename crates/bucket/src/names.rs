//! What a bucket may be called.

use crate::BucketError;

/// Parts of names that stand for past states of a bucket; see [`crate::Moment`].
pub(crate) const AT_TIME: &str = "--at-";
pub(crate) const OF_SNAPSHOT: &str = "--snap-";
pub(crate) const OF_COMMIT: &str = "--root-";
const RESERVED_PARTS: [&str; 3] = [AT_TIME, OF_SNAPSHOT, OF_COMMIT];
const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Checks a new bucket's name (Amazon S3 user guide, "General purpose bucket naming rules").
pub(crate) fn check(name: &str) -> Result<(), BucketError> {
    match reason_against(name) {
        Some(reason) => Err(BucketError::InvalidBucketName(name.to_owned(), reason)),
        None => Ok(()),
    }
}

fn reason_against(name: &str) -> Option<&'static str> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !(3..=63).contains(&name.len()) {
        Some("it must be 3 to 63 characters long")
    } else if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-') {
        Some("only lower-case letters, digits, dots and hyphens are allowed")
    } else if !edge(name.chars().next()) || !edge(name.chars().last()) {
        Some("it must begin and end with a letter or digit")
    } else if ["..", ".-", "-."].iter().any(|pair| name.contains(pair)) {
        Some("a dot may not stand beside a dot or hyphen")
    } else if name.parse::<std::net::Ipv4Addr>().is_ok() {
        Some("it may not look like an IP address")
    } else if RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
    {
        Some("Amazon S3 reserves this prefix or suffix")
    } else if RESERVED_PARTS.iter().any(|part| name.contains(part)) {
        Some("--at-, --snap- and --root- name past states of a bucket")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_s3() {
        for good in ["abc", "a-b.c", "123", "a--b", "my.bucket.name", &"a".repeat(63)] {
            assert_eq!(reason_against(good), None, "{good}");
        }
        let too_long = "a".repeat(64);
        for bad in [
            "",
            "ab",
            &too_long,
            "Abc",
            "a_b",
            "-abc",
            "abc-",
            ".abc",
            "abc.",
            "a..b",
            "a.-b",
            "a-.b",
            "192.168.5.4",
            "xn--abc",
            "sthree-abc",
            "amzn-s3-demo-abc",
            "abc-s3alias",
            "abc--ol-s3",
            "abc.mrap",
            "abc--x-s3",
            "abc--table-s3",
            "a--at-b",
            "a--snap-b",
            "a--root-b",
            "äbc",
        ] {
            assert!(reason_against(bad).is_some(), "{bad}");
        }
    }
}
