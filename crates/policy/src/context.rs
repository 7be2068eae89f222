//! What conditions and variables look at.

use std::collections::BTreeMap;

/// What is known of a request under the names of AWS's condition keys. Names are alike in letters of either case, but
/// for what follows a slash: that is a tag's key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// Sets a key that has one value.
    pub fn insert(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(normal(key), vec![value.into()]);
    }

    /// Sets a key that may have any number of values.
    pub fn insert_all(&mut self, key: &str, values: Vec<String>) {
        self.0.insert(normal(key), values);
    }

    /// The values of a key; `None` if it is not there.
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&normal(key)).map(Vec::as_slice)
    }
}

/// A key's name as it is compared.
pub(crate) fn normal(key: &str) -> String {
    match key.split_once('/') {
        None => key.to_ascii_lowercase(),
        Some((name, tag)) => format!("{}/{tag}", name.to_ascii_lowercase()),
    }
}
