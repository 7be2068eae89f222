//! The servers that are compared, each with a new store.

mod install;
mod launch;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::bound::Bound;
use super::engine::Engine;
use super::process;
use super::row::Row;
use super::turn::{LISTED, OBJECTS, Target};
use crate::gateway::Gateway;
pub(super) use install::Programs;
use launch::Process;

/// A server takes this long at most before it makes a bucket.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Peer {
    /// The gateway.
    Carob,
    /// Carob's engine in this process, without HTTP.
    Engine,
    /// A server on the same libraries that keeps nothing: a ceiling.
    Null,
    /// MD5 of the bodies on one core: the ceiling of one PUT stream, since its ETag is one.
    Md5,
    /// The bodies written to a file, each flushed.
    Disk,
    S3sFs,
    Garage,
    Minio,
    Versitygw,
}

impl Peer {
    /// Whether it is a process that is spoken to over HTTP.
    pub(super) fn is_server(self) -> bool {
        !matches!(self, Self::Engine | Self::Md5 | Self::Disk)
    }

    /// Whether it can do what `row` asks.
    pub(super) fn takes(self, row: Row) -> bool {
        match self {
            Self::Md5 | Self::Disk => row == Row::Put64m,
            Self::Engine => !matches!(row, Row::List | Row::Mixed),
            _ => true,
        }
    }
}

/// A server, as it comes or told otherwise about flushing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    pub(super) peer: Peer,
    pub(super) name: &'static str,
    /// Turns round what the server does by default about flushing.
    other: bool,
    /// What has been made durable when a PUT is answered.
    pub(super) durable: &'static str,
}

impl Variant {
    /// Whether it is a server that keeps what it is sent where it was told to; the others are bounds.
    pub(super) fn is_rival(&self) -> bool {
        !matches!(
            (self.peer, self.other),
            (Peer::Null | Peer::Engine | Peer::Md5 | Peer::Disk, _) | (Peer::Carob, true)
        )
    }
}

/// All variants. What each makes durable is what its source and documentation say.
pub(super) const VARIANTS: &[Variant] = &[
    Variant {
        peer: Peer::Carob,
        name: "carob",
        other: false,
        durable: "everything: one flush for all that wait",
    },
    Variant {
        peer: Peer::Carob,
        name: "carob, no flush",
        other: true,
        durable: "nothing: its data directory is in memory",
    },
    Variant {
        peer: Peer::Engine,
        name: "carob engine",
        other: false,
        durable: "everything; no HTTP, no signatures",
    },
    Variant { peer: Peer::Engine, name: "carob engine, no flush", other: true, durable: "nothing" },
    Variant { peer: Peer::Null, name: "null s3s", other: false, durable: "nothing, and nothing is kept" },
    Variant { peer: Peer::Md5, name: "MD5, one core", other: false, durable: "nothing, and nothing is kept" },
    Variant {
        peer: Peer::Disk,
        name: "this disk",
        other: false,
        durable: "everything: write, then fdatasync",
    },
    Variant { peer: Peer::S3sFs, name: "s3s-fs", other: false, durable: "nothing" },
    Variant { peer: Peer::Garage, name: "garage", other: false, durable: "nothing" },
    Variant {
        peer: Peer::Garage,
        name: "garage, fsync",
        other: true,
        durable: "everything: metadata_fsync and data_fsync",
    },
    Variant { peer: Peer::Minio, name: "minio", other: false, durable: "contents of files, not their names" },
    Variant {
        peer: Peer::Minio,
        name: "minio, osync",
        other: true,
        durable: "everything: MINIO_FS_OSYNC, a sync of all file systems",
    },
    Variant { peer: Peer::Versitygw, name: "versitygw posix", other: false, durable: "nothing" },
];

/// A directory of the file system in memory (tmpfs), where flushes do nothing.
fn in_memory() -> Result<TempDir> {
    let dir = tempfile::Builder::new().prefix("carob-bench-").tempdir_in("/dev/shm");
    dir.context("there is no file system in memory at /dev/shm")
}

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) target: Target,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Gateway {
        gateway: Gateway,
        /// Where its data directory is, if not among those of the other servers.
        _memory: Option<TempDir>,
    },
    Process(Process),
    Engine(Engine),
    Bound,
}

impl Server {
    /// Starts `variant` with an empty store in `dir`, and makes the buckets.
    pub(super) async fn start(variant: &Variant, programs: &Programs, dir: &Path) -> Result<Self> {
        let (target, running) = match variant.peer {
            Peer::Carob => {
                let memory = variant.other.then(in_memory).transpose()?;
                let data = memory.as_ref().map_or(dir, TempDir::path).join("data");
                let gateway = Gateway::start(programs.get(Peer::Carob)?, &data).await?;
                (Target::Http(Box::new(gateway.client()?)), Running::Gateway { gateway, _memory: memory })
            }
            Peer::Engine => {
                let engine = Engine::open(&dir.join("data"), !variant.other).await?;
                (Target::Engine(Box::new(engine.clone())), Running::Engine(engine))
            }
            Peer::Md5 => (Target::Bound(Bound::Md5), Running::Bound),
            Peer::Disk => (Target::Bound(Bound::disk(dir)?), Running::Bound),
            peer => {
                let process = Process::start(peer, variant.other, programs.get(peer)?, dir)?;
                (Target::Http(Box::new(process.client()?)), Running::Process(process))
            }
        };
        let mut server = Self { target, running };
        server.make_buckets().await?;
        Ok(server)
    }

    /// Tries until the server is up.
    async fn make_buckets(&mut self) -> Result<()> {
        let Target::Http(client) = &self.target else { return Ok(()) };
        let begun = Instant::now();
        for bucket in [OBJECTS, LISTED] {
            while let Err(error) = client.create_bucket(bucket).await {
                if let Running::Process(process) = &mut self.running {
                    process.still_runs()?;
                }
                if begun.elapsed() > START_LIMIT {
                    return Err(error).context(format!("no bucket could be made within {START_LIMIT:?}"));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// None for what runs in this process.
    pub(super) fn pid(&self) -> Result<Option<u32>> {
        match &self.running {
            Running::Gateway { gateway, .. } => gateway.pid().map(Some),
            Running::Process(process) => process.pid().map(Some),
            Running::Engine(_) | Running::Bound => Ok(None),
        }
    }

    /// Resident memory now, in bytes; none for what runs in this process.
    pub(super) fn resident(&self) -> Result<Option<u64>> {
        self.pid()?.map(process::resident).transpose()
    }

    pub(super) async fn stop(self) -> Result<()> {
        match self.running {
            Running::Gateway { gateway, .. } => gateway.stop().await,
            Running::Process(process) => process.stop().await,
            Running::Engine(engine) => engine.close().await,
            Running::Bound => Ok(()),
        }
    }
}
