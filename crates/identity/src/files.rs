//! Key files: created once with mode 0600, replaced atomically, refused when damaged or open to others.
//!
//! Blocking: call it before serving, or from a blocking thread. Unix only.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

#[cfg(feature = "accounts")]
use crate::MasterKey;
use crate::{Credentials, IdentityError, SpaceKey};

mod ini;

/// Nobody's key file is longer; a mistaken path to a huge file is not read.
const MAX_LEN: u64 = 64 * 1024;

/// Reads a space key in PKCS#8 PEM, or `None` if there is no such file.
///
/// # Errors
/// [`IdentityError::FileDamaged`], [`IdentityError::FileExposed`], [`IdentityError::File`].
pub fn load_space_key(path: &Path) -> Result<Option<SpaceKey>, IdentityError> {
    let Some(text) = read(path)? else { return Ok(None) };
    SpaceKey::from_pem(&text).map(Some).map_err(|e| damaged(path, e.to_string()))
}

/// Writes a new space key file. When this returns, it survives a power cut.
///
/// # Errors
/// [`IdentityError::FileExists`], [`IdentityError::File`].
pub fn create_space_key(path: &Path, key: &SpaceKey) -> Result<(), IdentityError> {
    write(path, key.to_pem().as_bytes(), Existing::Refuse)
}

/// Reads credentials from the `[default]` section of a file in the AWS CLI's form, or `None` if there is no
/// such file.
///
/// # Errors
/// [`IdentityError::FileDamaged`], [`IdentityError::FileExposed`], [`IdentityError::File`].
pub fn load_credentials(path: &Path) -> Result<Option<Credentials>, IdentityError> {
    let Some(text) = read(path)? else { return Ok(None) };
    ini::parse(&text).map(Some).map_err(|problem| damaged(path, problem))
}

/// Writes a new credentials file, usable as `AWS_SHARED_CREDENTIALS_FILE`. When this returns, it survives a
/// power cut.
///
/// # Errors
/// [`IdentityError::FileExists`], [`IdentityError::File`].
pub fn create_credentials(path: &Path, credentials: &Credentials) -> Result<(), IdentityError> {
    write(path, ini::format(credentials).as_bytes(), Existing::Refuse)
}

/// Writes a credentials file in place of the one that is there, if any. A crash leaves the old or the new one.
///
/// # Errors
/// [`IdentityError::File`].
pub fn replace_credentials(path: &Path, credentials: &Credentials) -> Result<(), IdentityError> {
    write(path, ini::format(credentials).as_bytes(), Existing::Replace)
}

/// Reads a master key, 64 hex digits, or `None` if there is no such file.
///
/// # Errors
/// [`IdentityError::FileDamaged`], [`IdentityError::FileExposed`], [`IdentityError::File`].
#[cfg(feature = "accounts")]
pub fn load_master_key(path: &Path) -> Result<Option<MasterKey>, IdentityError> {
    let Some(text) = read(path)? else { return Ok(None) };
    MasterKey::from_hex(&text).map(Some).map_err(|e| damaged(path, e.to_string()))
}

/// Writes a new master key file. When this returns, it survives a power cut.
///
/// # Errors
/// [`IdentityError::FileExists`], [`IdentityError::File`].
#[cfg(feature = "accounts")]
pub fn create_master_key(path: &Path, key: &MasterKey) -> Result<(), IdentityError> {
    let line = Zeroizing::new([key.to_hex().as_bytes(), b"\n"].concat());
    write(path, &line, Existing::Refuse)
}

#[derive(Clone, Copy, PartialEq)]
enum Existing {
    Refuse,
    Replace,
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, IdentityError> {
    let file = match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|e| failed("open", path, e))?,
    };
    let meta = file.metadata().map_err(|e| failed("inspect", path, e))?;
    if !meta.is_file() {
        return Err(damaged(path, "it is not a regular file"));
    }
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::FileExposed { path: path.into(), mode });
    }
    if meta.len() > MAX_LEN {
        return Err(damaged(path, "it is too long"));
    }
    // The capacity up front: growing would leave copies of the secret behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_LEN as usize + 1));
    match file.take(MAX_LEN + 1).read_to_string(&mut text) {
        Err(e) if e.kind() == ErrorKind::InvalidData => Err(damaged(path, "it is not text")),
        Err(e) => Err(failed("read", path, e)),
        Ok(_) => Ok(Some(text)),
    }
}

fn write(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), IdentityError> {
    let fail = |e| failed("write", path, e);
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    // Mode 0600 from the moment it exists.
    let mut temp = NamedTempFile::with_prefix_in(".new-", dir).map_err(fail)?;
    temp.write_all(bytes).map_err(fail)?;
    temp.as_file().sync_all().map_err(fail)?;
    let moved = match existing {
        Existing::Refuse => temp.persist_noclobber(path),
        Existing::Replace => temp.persist(path),
    };
    moved.map_err(|e| match e.error.kind() {
        ErrorKind::AlreadyExists => IdentityError::FileExists(path.into()),
        _ => fail(e.error),
    })?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(fail)
}

fn failed(action: &'static str, path: &Path, source: std::io::Error) -> IdentityError {
    IdentityError::File { action, path: path.into(), source }
}

fn damaged(path: &Path, problem: impl Into<String>) -> IdentityError {
    IdentityError::FileDamaged { path: path.into(), problem: problem.into() }
}
