//! The two key files in the data directory: made on the first start, read on the others.

use std::path::{Path, PathBuf};

use anyhow::bail;
use carob_identity::files::{
    create_credentials, create_master_key, create_space_key, load_credentials, load_master_key,
    load_space_key, replace_credentials,
};
use carob_identity::{Credentials, Entropy, MasterKey, SpaceKey};

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

/// Reads the master key, from `chosen` or from the data directory, where it is made if no secret was ever sealed.
/// `sealed` tells whether any was: then a missing key is not made anew, because nothing would open under it.
pub(crate) fn master(
    data: &Path,
    chosen: Option<&Path>,
    sealed: bool,
    entropy: &dyn Entropy,
) -> anyhow::Result<MasterKey> {
    let own = data.join("master.key");
    let file = chosen.unwrap_or(&own);
    match load_master_key(file)? {
        Some(key) => Ok(key),
        None if sealed => {
            bail!(
                "{} is missing, but the store holds secrets sealed under it: restore the key",
                file.display()
            )
        }
        None if chosen.is_some() => bail!("the master key file {} is missing", file.display()),
        None => {
            let key = MasterKey::generate(entropy);
            create_master_key(file, &key)?;
            Ok(key)
        }
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
    fn a_master_key_is_made_once_and_never_over_sealed_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let open = |chosen: Option<&Path>, sealed, seed| {
            let key = master(dir.path(), chosen, sealed, &SeededEntropy::new(seed));
            key.map(|key| key.to_hex().to_string()).map_err(|error| error.to_string())
        };
        let lost = open(None, true, 1).unwrap_err();
        assert!(lost.ends_with(
            "master.key is missing, but the store holds secrets sealed under it: restore the key"
        ));
        let elsewhere = dir.path().join("elsewhere");
        assert!(open(Some(&elsewhere), false, 1).unwrap_err().ends_with("elsewhere is missing"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let made = open(None, false, 1).unwrap();
        assert_eq!(open(None, true, 2).unwrap(), made);
        std::fs::rename(dir.path().join("master.key"), &elsewhere).unwrap();
        assert_eq!(open(Some(&elsewhere), true, 3).unwrap(), made);
    }

    #[test]
    fn a_lost_space_key_is_not_made_anew_over_buckets() {
        let dir = tempfile::tempdir().unwrap();
        let err = open(dir.path(), true, None, 1).unwrap_err();
        assert!(err.to_string().ends_with("is missing, but the store holds buckets: restore the key"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
