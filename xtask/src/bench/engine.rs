//! Carob's engine without HTTP around it, on the disk as it is and on one that flushes nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use carob_bucket::{Bucket, PutOptions, Space, SpaceOptions};
use carob_identity::{SeededEntropy, SpaceKey, SystemClock};
use carob_local::{LocalOptions, LocalStore};
use futures::TryStreamExt;

use super::CACHE;
use super::turn::OBJECTS;
use crate::s3::Stamped;
use crate::unflushed::Unflushed;

/// A bucket of a space in this process.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    space: Space,
    store: Arc<LocalStore>,
    bucket: Bucket,
}

impl Engine {
    /// Opens a new store in `dir`; its flushes do nothing unless `flush`.
    pub(super) async fn open(dir: &Path, flush: bool) -> Result<Self> {
        let mut options = LocalOptions::new(dir, [7; 16]);
        if !flush {
            options.disk = Arc::new(Unflushed(options.disk));
        }
        let store = Arc::new(tokio::task::spawn_blocking(|| LocalStore::open(options)).await??);
        let entropy = Arc::new(SeededEntropy::new(1));
        let space = Space::open(SpaceOptions {
            store: store.clone(),
            signer: Arc::new(SpaceKey::generate(&*entropy)),
            clock: Arc::new(SystemClock),
            entropy,
            cache_bytes: CACHE,
        })
        .await?;
        space.create_bucket(OBJECTS).await?;
        let bucket = space.bucket(OBJECTS).await?;
        Ok(Self { space, store, bucket })
    }

    pub(super) async fn put(&self, key: &str, mut body: Stamped) -> Result<()> {
        let mut upload = self.bucket.upload(&[]);
        loop {
            let run = body.next_run();
            if run.is_empty() {
                break;
            }
            upload.write(run).await?;
        }
        self.bucket.put(key, upload.finish().await?, PutOptions::default()).await?;
        Ok(())
    }

    /// Gives the length of what was read.
    pub(super) async fn get(&self, key: &str) -> Result<u64> {
        let object = self.bucket.get(key).await?.with_context(|| format!("{key} is not there"))?;
        let read =
            object.read(0..u64::MAX).try_fold(0_u64, async |read, piece| Ok(read + piece.len() as u64));
        Ok(read.await?)
    }

    pub(super) async fn close(self) -> Result<()> {
        self.space.close().await;
        Ok(self.store.close().await?)
    }
}
