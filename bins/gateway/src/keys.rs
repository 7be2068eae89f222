//! The two key files in the data directory: made on the first start, read on the others.

use std::path::{Path, PathBuf};

use anyhow::bail;
use carob_identity::files::{
    create_credentials, create_space_key, load_credentials, load_space_key, replace_credentials,
};
use carob_identity::{Credentials, Entropy, SpaceKey};

/// The keys, and what was done to have them.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) space: SpaceKey,
    pub(crate) root: Credentials,
    /// Where the secret of the root access key can be read.
    pub(crate) root_file: PathBuf,
    /// The access key that the chosen one took the place of.
    pub(crate) replaced: Option<Credentials>,
}

impl Keys {
    /// Reads the keys in `data`, and makes those that are not there. `store_in_use` tells whether anything was
    /// ever written to the store: then a missing space key is not made anew, because the buckets would become
    /// another space's.
    pub(crate) fn open(
        data: &Path,
        store_in_use: bool,
        chosen: Option<Credentials>,
        entropy: &dyn Entropy,
    ) -> anyhow::Result<Self> {
        let space_file = data.join("space.key");
        let space = match load_space_key(&space_file)? {
            Some(key) => key,
            None if store_in_use => {
                bail!("{} is missing, but the store holds buckets: restore the key", space_file.display())
            }
            None => {
                let key = SpaceKey::generate(entropy);
                create_space_key(&space_file, &key)?;
                key
            }
        };
        let root_file = data.join("credentials");
        let stored = load_credentials(&root_file)?;
        let (root, replaced) = match (chosen, stored) {
            (Some(chosen), Some(stored)) if chosen != stored => {
                replace_credentials(&root_file, &chosen)?;
                (chosen, Some(stored))
            }
            (_, Some(stored)) => (stored, None),
            (chosen, None) => {
                let root = chosen.unwrap_or_else(|| Credentials::generate(entropy));
                create_credentials(&root_file, &root)?;
                (root, None)
            }
        };
        Ok(Self { space, root, root_file, replaced })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carob_identity::{SeededEntropy, Signer};

    fn open(data: &Path, in_use: bool, chosen: Option<&Credentials>, seed: u64) -> anyhow::Result<Keys> {
        Keys::open(data, in_use, chosen.cloned(), &SeededEntropy::new(seed))
    }

    #[test]
    fn keys_are_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path(), false, None, 1).unwrap();
        let later = open(dir.path(), true, None, 2).unwrap();
        assert_eq!((first.space.did(), &first.root), (later.space.did(), &later.root));
        assert!(later.replaced.is_none());
    }

    #[test]
    fn a_chosen_root_key_replaces_the_stored_one_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let made = open(dir.path(), false, None, 1).unwrap().root;
        let chosen = Credentials::parse("chosen", "chosen-secret").unwrap();
        let keys = open(dir.path(), true, Some(&chosen), 2).unwrap();
        assert_eq!((keys.root, keys.replaced), (chosen.clone(), Some(made)));
        assert!(open(dir.path(), true, Some(&chosen), 2).unwrap().replaced.is_none());
        assert_eq!(open(dir.path(), true, None, 3).unwrap().root, chosen);
    }

    #[test]
    fn a_lost_space_key_is_not_made_anew_over_buckets() {
        let dir = tempfile::tempdir().unwrap();
        let err = open(dir.path(), true, None, 1).unwrap_err();
        assert!(err.to_string().ends_with("is missing, but the store holds buckets: restore the key"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
