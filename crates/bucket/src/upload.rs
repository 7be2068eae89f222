//! A body on its way into the store.

use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Cid, Session};
use carob_object::{Checksum, ChecksumAlgorithm, ObjectWriter, WrittenObject};

use crate::BucketError;

/// A body on its way in. Dropping it at any time leaves nothing behind.
#[derive(Debug)]
pub struct Upload {
    writer: ObjectWriter,
    session: Arc<dyn Session>,
}

impl Upload {
    pub(crate) fn new(session: Arc<dyn Session>, checksums: &[ChecksumAlgorithm]) -> Self {
        Self { writer: ObjectWriter::new(Arc::clone(&session), checksums), session }
    }

    /// Takes the next bytes of the body, in pieces of any size; waits while the store is behind.
    ///
    /// # Errors
    /// [`BucketError::OutOfSpace`], [`BucketError::Store`].
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), BucketError> {
        Ok(self.writer.write(chunk).await?)
    }

    /// How many bytes were written so far.
    pub fn written(&self) -> u64 {
        self.writer.written()
    }

    /// Ends the body. Nothing is durable or visible until [`crate::Bucket::put`].
    ///
    /// # Errors
    /// As [`Upload::write`].
    pub async fn finish(self) -> Result<Uploaded, BucketError> {
        Ok(Uploaded { body: self.writer.finish().await?, session: self.session })
    }
}

/// A whole body, stored but not yet under any key. It holds its blocks until it is put or dropped.
#[derive(Debug)]
pub struct Uploaded {
    pub(crate) body: WrittenObject,
    pub(crate) session: Arc<dyn Session>,
}

impl Uploaded {
    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.body.size
    }

    /// The content CID.
    pub fn cid(&self) -> Cid {
        self.body.cid
    }

    /// MD5 of the body.
    pub fn md5(&self) -> [u8; 16] {
        self.body.md5
    }

    /// The checksums asked for, in the order asked.
    pub fn checksums(&self) -> &[Checksum] {
        &self.body.checksums
    }
}
