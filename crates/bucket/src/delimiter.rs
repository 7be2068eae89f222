//! Rolling keys up by a delimiter, the same in every listing.

/// The key up to and including the delimiter, if it has one behind the prefix.
pub(crate) fn rolled_up<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let at = key.get(prefix.len()..)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_rolled_up_behind_the_prefix_alone() {
        assert_eq!(rolled_up("a/b/c", "", Some("/")), Some("a/"));
        assert_eq!(rolled_up("a/b/c", "a/", Some("/")), Some("a/b/"));
        assert_eq!(rolled_up("a/b/c", "a/b/", Some("/")), None);
        assert_eq!(rolled_up("aüübc", "a", Some("üb")), Some("aüüb"));
        assert_eq!(rolled_up("a/b", "", Some("")), None);
        assert_eq!(rolled_up("a/b", "", None), None);
    }
}
