//! Key files on a real file system.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use carob_identity::files::{
    create_credentials, create_space_key, load_credentials, load_space_key, replace_credentials,
};
use carob_identity::{Credentials, IdentityError, SeededEntropy, Signer, SpaceKey};

fn key(seed: u64) -> SpaceKey {
    SpaceKey::generate(&SeededEntropy::new(seed))
}

fn credentials(seed: u64) -> Credentials {
    Credentials::generate(&SeededEntropy::new(seed))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn private(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn created_files_are_private_read_back_and_leave_nothing_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    let (key_file, credentials_file) = (dir.path().join("space.key"), dir.path().join("credentials"));
    assert!(load_space_key(&key_file).unwrap().is_none());
    assert!(load_credentials(&credentials_file).unwrap().is_none());
    create_space_key(&key_file, &key(1)).unwrap();
    create_credentials(&credentials_file, &credentials(1)).unwrap();
    assert_eq!(load_space_key(&key_file).unwrap().unwrap().did(), key(1).did());
    assert_eq!(load_credentials(&credentials_file).unwrap().unwrap(), credentials(1));
    assert_eq!((mode(&key_file), mode(&credentials_file)), (0o600, 0o600));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn creating_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("space.key");
    create_space_key(&path, &key(1)).unwrap();
    let err = create_space_key(&path, &key(2)).unwrap_err();
    assert!(matches!(err, IdentityError::FileExists(_)));
    assert_eq!(load_space_key(&path).unwrap().unwrap().did(), key(1).did());
    let err = create_credentials(&path, &credentials(1)).unwrap_err();
    assert!(matches!(err, IdentityError::FileExists(_)));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn replacing_leaves_the_new_credentials_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credentials");
    create_credentials(&path, &credentials(1)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    replace_credentials(&path, &credentials(2)).unwrap();
    assert_eq!(load_credentials(&path).unwrap().unwrap(), credentials(2));
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_file_open_to_others_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("space.key");
    create_space_key(&path, &key(1)).unwrap();
    for open in [0o640, 0o604, 0o620, 0o602, 0o610] {
        fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
        let err = load_space_key(&path).unwrap_err();
        assert!(matches!(err, IdentityError::FileExposed { mode, .. } if mode == open));
        assert!(err.to_string().ends_with(&format!("run chmod 600 {}", path.display())), "{err}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(load_space_key(&path).unwrap().is_some());
}

#[test]
fn damage_is_one_line_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("space.key");
    let whole = key(1).to_pem();
    let damages = [&b""[..], &whole.as_bytes()[..60], b"\xff\xfe", &[b'x'; 70_000]];
    for damage in damages {
        private(&path, damage);
        for err in [load_space_key(&path).unwrap_err(), load_credentials(&path).unwrap_err()] {
            assert!(matches!(err, IdentityError::FileDamaged { .. }), "{err:?}");
            let line = err.to_string();
            assert!(line.starts_with(&format!("{} is damaged: ", path.display())), "{line}");
            assert_eq!(line.lines().count(), 1, "{line}");
        }
    }
    let err = load_space_key(dir.path()).unwrap_err();
    assert!(matches!(err, IdentityError::FileDamaged { .. }), "{err:?}");
}

#[test]
fn a_directory_that_is_not_there_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("absent/space.key");
    let err = create_space_key(&path, &key(1)).unwrap_err();
    assert!(matches!(err, IdentityError::File { .. }));
    assert_eq!(err.to_string(), format!("cannot write {}", path.display()));
}

#[test]
fn a_master_key_is_private_and_reads_back() {
    use carob_identity::files::{create_master_key, load_master_key};
    use carob_identity::{MasterKey, Sealed};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    assert!(load_master_key(&path).unwrap().is_none());
    let entropy = SeededEntropy::new(3);
    let key = MasterKey::generate(&entropy);
    create_master_key(&path, &key).unwrap();
    assert_eq!((mode(&path), fs::read(&path).unwrap().len()), (0o600, 65));
    let sealed = key.seal(Sealed::Check, b"text", &entropy);
    assert_eq!(**load_master_key(&path).unwrap().unwrap().open(Sealed::Check, &sealed).unwrap(), *b"text");
    assert!(matches!(create_master_key(&path, &key), Err(IdentityError::FileExists(_))));
    private(&path, "not hex");
    let line = load_master_key(&path).unwrap_err().to_string();
    assert!(line.ends_with("is damaged: a master key is 64 hex digits"), "{line}");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(load_master_key(&path), Err(IdentityError::FileExposed { .. })));
}
