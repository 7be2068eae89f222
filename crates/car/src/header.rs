//! The header of a CAR.

use carob_block::Cid;
use serde::{Deserialize, Serialize};

use crate::CarError;
use crate::encode::append_length;

/// The longest header accepted, in bytes without its length: room for some 1500 roots.
pub const MAX_HEADER_SIZE: usize = 64 * 1024;

/// Fields in canonical DAG-CBOR order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    /// Absent in CARv2's pragma, which is told apart by its version.
    #[serde(default)]
    roots: Vec<Cid>,
    version: u64,
}

/// The bytes that open a CARv1 with these roots, their length included.
///
/// # Errors
/// [`CarError::Malformed`] for no roots at all, which many readers refuse, or for too many to fit
/// [`MAX_HEADER_SIZE`].
pub fn header(roots: &[Cid]) -> Result<Vec<u8>, CarError> {
    let header = Header { roots: roots.to_vec(), version: 1 };
    check(&header)?;
    let body = serde_ipld_dagcbor::to_vec(&header).map_err(|e| CarError::malformed(0, e))?;
    if body.len() > MAX_HEADER_SIZE {
        return Err(CarError::malformed(0, "too many roots"));
    }
    let mut bytes = Vec::with_capacity(body.len() + 4);
    append_length(body.len(), &mut bytes);
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Reads the header's body, the bytes after its length.
pub(crate) fn decode(body: &[u8]) -> Result<Vec<Cid>, CarError> {
    let header: Header = serde_ipld_dagcbor::from_slice(body).map_err(|e| CarError::malformed(0, e))?;
    check(&header)?;
    Ok(header.roots)
}

fn check(header: &Header) -> Result<(), CarError> {
    if header.version != 1 {
        return Err(CarError::malformed(0, format!("version {} is not supported", header.version)));
    }
    if header.roots.is_empty() {
        return Err(CarError::malformed(0, "no roots"));
    }
    Ok(())
}
