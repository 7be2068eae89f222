//! A body on its way into the store.

use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Cid, Session};
use carob_commit::Encryption;
use carob_object::{Budget, Checksum, ChecksumAlgorithm, ObjectWriter, Salt, WrittenObject};

use crate::{BucketError, Seal};

/// A body on its way in. Dropping it at any time leaves nothing behind.
#[derive(Debug)]
pub struct Upload {
    writer: ObjectWriter,
    session: Arc<dyn Session>,
    sealed: Option<(Seal, Salt)>,
}

impl Upload {
    pub(crate) fn new(session: Arc<dyn Session>, checksums: &[ChecksumAlgorithm]) -> Self {
        Self { writer: ObjectWriter::new(Arc::clone(&session), checksums), session, sealed: None }
    }

    pub(crate) fn sealed(self, seal: &Seal, salt: Salt) -> Self {
        let writer = self.writer.sealed(&seal.data_key.body(&salt));
        Self { writer, sealed: Some((seal.clone(), salt)), ..self }
    }

    /// Has the body, which is to have `length` bytes, take its memory from `budget`; `beside` is what whoever feeds it
    /// needs for each MiB beside it.
    #[must_use]
    pub fn within(self, budget: &Budget, length: u64, beside: usize) -> Self {
        Self { writer: self.writer.within(budget.clone(), length, beside), ..self }
    }

    /// Waits until there is memory for the next bytes, if more are to come: before they are read from anywhere.
    ///
    /// # Errors
    /// [`BucketError::Overloaded`] before the first byte; and as [`Upload::write`].
    pub async fn ready(&mut self) -> Result<(), BucketError> {
        Ok(self.writer.ready().await?)
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
        let body = self.writer.finish().await?;
        let tag = match &self.sealed {
            Some((seal, _)) => seal.entity_tag(&body.md5),
            None => body.md5,
        };
        let sealed = self.sealed.map(|(seal, salt)| (seal.encryption, salt));
        Ok(Uploaded { body, session: self.session, tag, sealed })
    }
}

/// A whole body, stored but not yet under any key. It holds its blocks until it is put or dropped.
#[derive(Debug)]
pub struct Uploaded {
    pub(crate) body: WrittenObject,
    pub(crate) session: Arc<dyn Session>,
    /// The entity tag.
    pub(crate) tag: [u8; 16],
    pub(crate) sealed: Option<(Encryption, Salt)>,
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
