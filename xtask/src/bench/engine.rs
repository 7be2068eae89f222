//! Carob's engine without HTTP around it, on the disk as it is and on one that flushes nothing.

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use carob_bucket::{Bucket, PutOptions, Space, SpaceOptions};
use carob_identity::{SeededEntropy, SpaceKey, SystemClock};
use carob_local::{Disk, DiskFile, DiskLock, LocalOptions, LocalStore, RealDisk};
use futures::TryStreamExt;

use super::turn::OBJECTS;
use crate::s3::Stamped;

/// As much as the gateway keeps by default.
const CACHE: u64 = 32 << 20;

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
            options.disk = Arc::new(Unflushed(RealDisk));
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

/// The real disk, but nothing is ever made durable: what the engine would do if flushes were free.
#[derive(Debug)]
struct Unflushed(RealDisk);

impl Disk for Unflushed {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(UnflushedFile(self.0.create(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(UnflushedFile(self.0.open(path)?)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn flush_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        self.0.lock(path)
    }
}

#[derive(Debug)]
struct UnflushedFile(Arc<dyn DiskFile>);

impl DiskFile for UnflushedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buf)
    }

    fn read_cached_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<Option<usize>> {
        self.0.read_cached_at(offset, buf)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        self.0.preallocate(len)
    }
}
