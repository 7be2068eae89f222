//! The conformance suite of the store traits, on a real file system and on a disk that loses power.

use std::sync::Arc;

use async_trait::async_trait;
use carob_block::conformance::{Harness, SweepHarness, run, run_sweep};
use carob_block::{Store, Sweep};
use carob_local::sim::SimDisk;
use carob_local::{Disk, LocalOptions, LocalStore, RealDisk};
use tempfile::TempDir;

fn open(dir: &std::path::Path, disk: Arc<dyn Disk>) -> Arc<LocalStore> {
    let options = LocalOptions { segment_size: 64 * 1024, disk, ..LocalOptions::new(dir, [1; 16]) };
    Arc::new(LocalStore::open(options).unwrap())
}

struct OnDisk {
    dir: TempDir,
    held: Option<Arc<LocalStore>>,
}

#[async_trait]
impl Harness for OnDisk {
    async fn fresh(&mut self) -> Arc<dyn Store> {
        self.held = None;
        self.dir = TempDir::new().unwrap();
        let store = open(self.dir.path(), Arc::new(RealDisk));
        self.held = Some(Arc::clone(&store));
        store
    }

    async fn crash(&mut self) -> Arc<dyn Store> {
        self.held = None;
        let store = open(self.dir.path(), Arc::new(RealDisk));
        self.held = Some(Arc::clone(&store));
        store
    }
}

struct Simulated {
    disk: SimDisk,
    held: Option<Arc<LocalStore>>,
    seed: u64,
}

#[async_trait]
impl Harness for Simulated {
    async fn fresh(&mut self) -> Arc<dyn Store> {
        self.seed += 1;
        self.disk = SimDisk::new(self.seed);
        let store = open("/store".as_ref(), Arc::new(self.disk.clone()));
        self.held = Some(Arc::clone(&store));
        store
    }

    async fn crash(&mut self) -> Arc<dyn Store> {
        // While the store is open: closing would flush.
        self.disk = self.disk.power_cut(self.seed);
        let store = open("/store".as_ref(), Arc::new(self.disk.clone()));
        self.held = Some(Arc::clone(&store));
        store
    }
}

/// Both suites open the same stores.
macro_rules! sweep_harness {
    ($harness:ty) => {
        #[async_trait]
        impl SweepHarness for $harness {
            async fn fresh(&mut self) -> Arc<dyn Sweep> {
                Harness::fresh(self).await;
                Arc::clone(self.held.as_ref().unwrap()) as Arc<dyn Sweep>
            }

            async fn crash(&mut self) -> Arc<dyn Sweep> {
                Harness::crash(self).await;
                Arc::clone(self.held.as_ref().unwrap()) as Arc<dyn Sweep>
            }
        }
    };
}

sweep_harness!(OnDisk);
sweep_harness!(Simulated);

#[tokio::test]
async fn store_in_a_directory_conforms() {
    run(&mut OnDisk { dir: TempDir::new().unwrap(), held: None }).await;
    run_sweep(&mut OnDisk { dir: TempDir::new().unwrap(), held: None }).await;
}

#[tokio::test]
async fn store_on_a_disk_that_loses_power_conforms() {
    for round in 0..10 {
        run(&mut Simulated { disk: SimDisk::new(0), held: None, seed: round * 100 }).await;
        run_sweep(&mut Simulated { disk: SimDisk::new(0), held: None, seed: round * 100 + 50 }).await;
    }
}
