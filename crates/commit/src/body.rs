//! The check of one body: that it is what its record says.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use carob_block::{Cid, ReadBlocks};
use carob_object::{GROUP_SIZE, sealed_size};
use futures::TryStreamExt;

use crate::verify::get;
use crate::{Blake3Root, PartList, Record, VerifyError};

/// Bytes of the outboard for each group but the first.
const PAIR: u64 = 64;

/// The bodies that were checked already. Many entries may have one body: versions, copies, past states.
#[derive(Debug, Default)]
pub struct CheckedBodies(Mutex<HashSet<[u8; 32]>>);

impl CheckedBodies {
    fn contains(&self, body: &[u8; 32]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(body)
    }

    fn insert(&self, body: [u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(body);
    }
}

/// All of a record that the check of its body goes by, as a hash.
fn claim(record: &Record) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("carob checked body");
    let mut add = |bytes: &[u8]| _ = hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    add(&record.content.to_bytes());
    add(&record.size.to_le_bytes());
    add(&record.sealed.as_ref().map_or([0; 8], |sealed| sealed.stored.to_le_bytes()));
    add(&[u8::from(record.sealed.is_some()), u8::from(record.blake3.is_some())]);
    add(&record.parts.map(|parts| parts.to_bytes()).unwrap_or_default());
    if let Some(blake3) = &record.blake3 {
        add(&blake3.root);
        add(&blake3.outboard.map(|outboard| outboard.to_bytes()).unwrap_or_default());
    }
    *hasher.finalize().as_bytes()
}

/// As [`check_body`], unless one of which the same is said was checked before.
pub(crate) async fn check_body_once(
    blocks: &Arc<dyn ReadBlocks>,
    key: String,
    record: &Record,
    checked: &CheckedBodies,
) -> Result<(), VerifyError> {
    let claim = claim(record);
    if !checked.contains(&claim) {
        check_body(blocks, key, record).await?;
        checked.insert(claim);
    }
    Ok(())
}

/// Reads the body and its outboards to their ends, and nothing that is longer than its record makes it.
pub(crate) async fn check_body(
    blocks: &Arc<dyn ReadBlocks>,
    key: String,
    record: &Record,
) -> Result<(), VerifyError> {
    let mismatch = |what| VerifyError::Mismatch { key: key.clone(), what };
    let object = |source| VerifyError::Object { key: key.clone(), source };
    if record.size == 0 {
        // Reading nothing takes no block, but the record links one.
        get(&**blocks, record.content).await?;
    }
    let spans = spans(&**blocks, record).await?.map_err(mismatch)?;
    let body = carob_object::read(Arc::clone(blocks), record.content, record.stored(), 0..record.stored());
    let body = body.map_err(object)?;
    let mut body = std::pin::pin!(body);
    let mut chunk = Bytes::new();
    for (size, blake3) in spans {
        let (mut hasher, mut left) = (blake3::Hasher::new(), size);
        while left > 0 {
            if chunk.is_empty() {
                let next = body.try_next().await.map_err(object)?;
                chunk = next.ok_or_else(|| mismatch("size"))?;
            }
            let take = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
            hasher.update(&chunk.split_to(take));
            left -= take as u64;
        }
        if *hasher.finalize().as_bytes() != blake3.root {
            return Err(mismatch("BLAKE3 root"));
        }
        let outboard = outboard(blocks, size, blake3.outboard).map_err(mismatch)?;
        if let Some(outboard) = outboard {
            let mut outboard = std::pin::pin!(outboard.map_err(object)?);
            while outboard.try_next().await.map_err(object)?.is_some() {}
        }
    }
    let rest = body.try_next().await.map_err(object)?;
    if !chunk.is_empty() || rest.is_some() {
        return Err(mismatch("size"));
    }
    Ok(())
}

type Outboard = Result<carob_object::ObjectReader, carob_object::ObjectError>;

/// The outboard of so many bytes, which has the length that theirs has: a few nodes over one another make a file that takes
/// years to read.
fn outboard(
    blocks: &Arc<dyn ReadBlocks>,
    size: u64,
    outboard: Option<Cid>,
) -> Result<Option<Outboard>, &'static str> {
    let length = size.div_ceil(GROUP_SIZE as u64).saturating_sub(1) * PAIR;
    match outboard {
        None if length == 0 => Ok(None),
        Some(outboard) if length > 0 => {
            Ok(Some(carob_object::read(Arc::clone(blocks), outboard, length, 0..length)))
        }
        _ => Err("outboard"),
    }
}

/// What each BLAKE3 root covers: lengths of consecutive pieces of the stored body. Or what is wrong with what is said of
/// these: of a sealed body only what is stored can be hashed, and its size follows from that.
async fn spans(
    blocks: &dyn ReadBlocks,
    record: &Record,
) -> Result<Result<Vec<(u64, Blake3Root)>, &'static str>, VerifyError> {
    let sealed = record.sealed.as_ref();
    let Some(parts) = record.parts else {
        if sealed.is_some_and(|sealed| sealed_size(record.size) != Some(sealed.stored)) {
            return Ok(Err("size"));
        }
        return Ok(Ok(record.blake3.iter().map(|blake3| (record.stored(), blake3.clone())).collect()));
    };
    let parts = PartList::from_block(&get(blocks, parts).await?)?;
    if parts.0.iter().any(|part| part.salt.is_some() != sealed.is_some()) {
        return Ok(Err("part list"));
    }
    if parts.size() != record.size {
        return Ok(Err("size"));
    }
    Ok(Ok(parts.0.into_iter().map(|part| (part.stored().unwrap_or(u64::MAX), part.blake3)).collect()))
}
