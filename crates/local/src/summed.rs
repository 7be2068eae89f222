//! Small files that are there as a whole or not at all: a DAG-CBOR map, and the SHA-256 of it.

use std::io::{self, ErrorKind};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::disk::{Disk, read_whole};

/// Replaces the file. It is whole whenever it is there; its name is durable once the directory is flushed.
pub(crate) fn write(disk: &dyn Disk, dir: &Path, name: &str, content: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_ipld_dagcbor::to_vec(content).map_err(io::Error::other)?;
    let sum = Sha256::digest(&bytes);
    bytes.extend(sum);
    let draft = dir.join(format!("{name}.tmp"));
    let file = disk.create(&draft)?;
    file.write_at(0, &bytes)?;
    file.flush_all()?;
    disk.rename(&draft, &dir.join(name))
}

/// What the file holds, or `None` if there is none. At most `limit` bytes of it are read; [`ErrorKind::InvalidData`] if it is
/// not what was written.
pub(crate) fn read<T: DeserializeOwned>(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
    limit: u64,
) -> io::Result<Option<T>> {
    let file = match disk.open(&dir.join(name)) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let bytes = read_whole(&*file, limit)?;
    match bytes.split_last_chunk::<32>() {
        Some((text, sum)) if Sha256::digest(text).as_slice() == sum => serde_ipld_dagcbor::from_slice(text)
            .map(Some)
            .map_err(|e| io::Error::new(ErrorKind::InvalidData, e)),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}
