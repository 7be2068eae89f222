//! The file `FORMAT`, which says what a directory is.

use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::{Disk, read_whole};
use crate::error::LocalError;
use crate::record::LogId;
use crate::segment;

/// The version of the store's layout as a whole.
const VERSION: u64 = 1;

/// The largest format file read.
const MAX_SIZE: u64 = 64 * 1024;

/// The file `FORMAT`: a line of JSON, so that people can read what a directory is.
#[derive(Debug, Serialize, Deserialize)]
struct Format {
    carob_local: u64,
    /// What a reader must know beyond the version.
    features: Vec<String>,
    /// In hexadecimal.
    log: String,
}

/// Reads the format file, or `None` if there is none.
pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<LogId>, LocalError> {
    let path = dir.join("FORMAT");
    let io = || LocalError::io("read", &path);
    let file = match disk.open(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(io())?,
    };
    let text = read_whole(&*file, MAX_SIZE).map_err(io())?;
    // The version is looked at first: another version may have other fields.
    let json: serde_json::Value =
        serde_json::from_slice(&text).map_err(|e| LocalError::damaged(&path, 0, e))?;
    let unknown = |what: String| LocalError::UnknownFormat { path: path.clone(), what };
    match json.get("carob_local").and_then(serde_json::Value::as_u64) {
        Some(VERSION) => {}
        Some(other) => return Err(unknown(format!("format version {other}"))),
        None => return Err(LocalError::damaged(&path, 0, "no format version")),
    }
    let format: Format = serde_json::from_value(json).map_err(|e| LocalError::damaged(&path, 0, e))?;
    if let Some(feature) = format.features.first() {
        return Err(unknown(format!("the feature {feature:?}")));
    }
    let mut log = LogId::default();
    hex::decode_to_slice(&format.log, &mut log).map_err(|e| LocalError::damaged(&path, 0, e))?;
    Ok(Some(log))
}

/// Writes the format file of a new store, so that it is there as a whole or not at all. It comes before any
/// segment: segments without it are not a new store.
pub(crate) fn create(disk: &dyn Disk, dir: &Path, segments: &Path, log: LogId) -> Result<(), LocalError> {
    if disk.list(segments).is_ok_and(|names| names.iter().any(|name| segment::number(name).is_some())) {
        return Err(LocalError::damaged(&dir.join("FORMAT"), 0, "it is missing, but there are segments"));
    }
    let format = Format { carob_local: VERSION, features: Vec::new(), log: hex::encode(log) };
    let (path, draft) = (dir.join("FORMAT"), dir.join("FORMAT.tmp"));
    let write = || {
        let mut text = serde_json::to_vec(&format)?;
        text.push(b'\n');
        let file = disk.create(&draft)?;
        file.write_at(0, &text)?;
        file.flush_all()?;
        disk.rename(&draft, &path)?;
        disk.flush_dir(dir)
    };
    write().map_err(LocalError::io("write", &path))
}
