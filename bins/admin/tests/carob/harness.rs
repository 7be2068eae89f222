//! A gateway in this process, and the binary.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use carob_block::{MemoryStore, SweepOptions};
use carob_bucket::{CollectOptions, Collector, PutOptions, Space, SpaceOptions, System, SystemOptions};
use carob_http::{Admin, AdminOptions, Connections, Limits, api, bind, serve};
use carob_identity::{Credentials, ManualClock, MasterKey, SeededEntropy, SpaceKey, Timestamp};
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const COLLECT: CollectOptions = CollectOptions {
    dry_run: false,
    sweep: SweepOptions { dead_percent: 0, bytes_per_second: None },
    upload_age: None,
};

/// A gateway with the bucket `photos`.
pub(crate) struct Gateway {
    pub(crate) runtime: Runtime,
    pub(crate) space: Space,
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) const KEYS: [(&str, &str); 4] =
    [("cats/one.jpg", "meow"), ("cats/two.jpg", "purr"), ("read me", "hello"), ("\u{1b}[31mred", "!")];

impl Gateway {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let entropy = Arc::new(SeededEntropy::new(1));
        // RFC 3339 §5.8: 1996-12-20T00:39:57Z.
        let clock = Arc::new(ManualClock::new(Timestamp(851_042_397_000)));
        let store = MemoryStore::new();
        let space = runtime.block_on(async {
            let space = Space::open(SpaceOptions {
                store: Arc::new(store.clone()),
                signer: Arc::new(SpaceKey::generate(&*entropy)),
                clock: clock.clone(),
                entropy: entropy.clone(),
                cache_bytes: 1 << 20,
            });
            let space = space.await.unwrap();
            space.create_bucket("photos").await.unwrap();
            let photos = space.bucket("photos").await.unwrap();
            for (key, body) in KEYS {
                let mut upload = photos.upload(&[]);
                upload.write(body.into()).await.unwrap();
                photos.put(key, upload.finish().await.unwrap(), PutOptions::default()).await.unwrap();
            }
            let root = Credentials::generate(&*entropy);
            let master = MasterKey::generate(&*entropy);
            let system = System::open(&space, SystemOptions { root, master, clock: clock.clone() });
            let system = system.await.unwrap();
            let admin = Admin::new(AdminOptions {
                space: space.clone(),
                system: system.clone(),
                authorizer: system.table().clone(),
                clock,
                version: "9.9.9",
                collector: Collector::new(space.clone(), Arc::new(store.clone()), COLLECT),
                store: Box::new(|| BTreeMap::from([("blocks".to_owned(), 7)])),
            });
            let listener = bind(&dir.path().join("admin.sock")).unwrap();
            tokio::spawn(serve(
                listener,
                admin,
                Limits::default(),
                Connections::default(),
                CancellationToken::new(),
            ));
            space
        });
        Self { runtime, space, dir }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        carob(self.dir.path()).args(args).output().unwrap()
    }

    /// Standard output of a command that succeeds and complains of nothing.
    pub(crate) fn says(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, args: &[&str]) -> Vec<T> {
        let text = self.says(&[&["--json"], args].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn exported(&self) -> PathBuf {
        let path = self.dir.path().join("photos.car");
        let file = File::create(&path).unwrap();
        let status = carob(self.dir.path()).args(["export", "photos"]).stdout(file).status().unwrap();
        assert!(status.success());
        path
    }
}

pub(crate) fn carob(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carob"));
    command.env_remove("CAROB_ADMIN_SOCKET").env("CAROB_DATA", data).stdin(Stdio::null());
    command
}

/// The one line that a failing command says.
pub(crate) fn complaint(output: &Output) -> String {
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text.strip_prefix("carob: ").unwrap_or_else(|| panic!("{text}")).trim_end().to_owned()
}

/// A commit of `photos`, by how many came after it.
pub(crate) fn commit(gateway: &Gateway, back: usize) -> String {
    gateway.json::<api::LogEntry>(&["log", "photos"]).remove(back).cid
}
