//! A crash run must notice a disk that lies about flushing, or it proves nothing.

use std::io;
use std::path::Path;
use std::sync::Arc;

use carob_local::sim::SimDisk;
use carob_local::{Disk, DiskFile, DiskLock};

use super::plan::Plan;
use super::{power_cut, run};

/// Says that file contents are flushed, and does nothing.
#[derive(Debug)]
struct LyingDisk(SimDisk);

#[derive(Debug)]
struct LyingFile(Arc<dyn DiskFile>);

impl LyingDisk {
    fn file(file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(LyingFile(file))
    }
}

impl Disk for LyingDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.0.create(path).map(Self::file)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.0.open(path).map(Self::file)
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
    fn flush_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.flush_dir(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        self.0.lock(path)
    }
}

impl DiskFile for LyingFile {
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
        self.0.flush_all()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn preallocate(&self, len: u64) -> io::Result<()> {
        self.0.preallocate(len)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_about_flushing_is_caught() {
    let mut machine = power_cut::Machine::on(1, |disk| Arc::new(LyingDisk(disk)));
    let ran = run::run(&Plan::new(1), 5, &mut machine).await;
    assert!(ran.is_err(), "five power cuts over an unflushed disk lost nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_disk_loses_nothing() {
    let mut machine = power_cut::Machine::on(1, |disk| Arc::new(disk));
    run::run(&Plan::new(1), 2, &mut machine).await.unwrap();
}
