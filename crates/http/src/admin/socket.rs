//! The Unix socket of the admin API, for the data directory's owner alone.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// `sun_path` of `sockaddr_un` holds 108 bytes on Linux, one of them the end mark.
const MAX_PATH: usize = 107;

/// Why the admin socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The operating system cannot address a socket at a path of this length.
    #[error("the path of the admin socket is {len} bytes long and may have {max}: {path}", path = .path.display())]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        len: usize,
        /// The longest possible.
        max: usize,
    },
    /// It could not be created.
    #[error("cannot open the admin socket {}", .path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Opens the admin socket: whoever may open it may do everything, so it has mode 0600 from its first moment.
///
/// A socket that an earlier run left is replaced. The caller makes sure that no other gateway runs on the same
/// data directory. Must be called within a Tokio runtime.
///
/// # Errors
/// [`SocketError`].
pub fn bind(path: &Path) -> Result<UnixListener, SocketError> {
    // Opened under another name and moved in place once it is private.
    let mut temp = path.as_os_str().to_owned();
    temp.push(OsStr::from_bytes(b"~"));
    let len = temp.len();
    if len > MAX_PATH {
        return Err(SocketError::PathTooLong { path: path.into(), len: len - 1, max: MAX_PATH - 1 });
    }
    let temp = PathBuf::from(temp);
    open(&temp, path).map_err(|source| SocketError::Io { path: path.into(), source })
}

fn open(temp: &Path, path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(temp) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(temp)?;
    std::fs::set_permissions(temp, Permissions::from_mode(0o600))?;
    std::fs::rename(temp, path)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixStream;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_by_a_private_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        for _ in 0..2 {
            let listener = bind(&path).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let (client, server) = tokio::join!(UnixStream::connect(&path), listener.accept());
            assert!(client.is_ok() && server.is_ok());
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[tokio::test]
    async fn a_path_that_no_socket_can_have_is_told_plainly() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(107));
        let err = bind(&path).unwrap_err();
        assert!(matches!(err, SocketError::PathTooLong { .. }), "{err}");
        let base = dir.path().as_os_str().len() + 1;
        assert!(bind(&dir.path().join("x".repeat(106 - base))).is_ok());
        assert!(bind(&dir.path().join("x".repeat(107 - base))).is_err());
    }
}
