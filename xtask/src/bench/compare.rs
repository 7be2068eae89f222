//! The comparison: every server takes every load, in turns.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::limits::{self, Limits};
use super::peer::{Peer, Programs, Server, Variant};
use super::report::{self, Sum};
use super::row::Row;
use super::turn::{self, Turn};
use crate::cargo;
use crate::gateway::BinaryArgs;

/// Objects that are there before anything is read.
const READABLE_SMALL: u64 = 2000;
const READABLE_LARGE: u64 = 2;

/// Arguments of `xtask bench s3`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// Seconds of each turn.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Turns of each server under each load. The servers take turns, for the machine is never the same twice.
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// Which servers; all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Peer>,
    /// Which loads; all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    rows: Vec<Row>,
    /// How many keys are listed.
    #[arg(long, default_value_t = 100_000)]
    keys: u64,
    /// Seconds after which a slow server need not write more of them.
    #[arg(long, default_value_t = 40)]
    keys_seconds: u64,
    /// What is read and in which order the servers take turns follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    binary: BinaryArgs,
}

/// A server in the comparison.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) variant: &'static Variant,
    server: Server,
    /// Small and large objects that are there.
    small: Vec<u64>,
    large: Vec<u64>,
    pub(super) listed: Option<u64>,
    /// What it did, or why it could not.
    pub(super) sums: Vec<(Row, Result<Sum, String>)>,
    pub(super) resident: Option<u64>,
}

impl CompareArgs {
    pub(crate) async fn run(self) -> Result<()> {
        let rows: &[Row] = if self.rows.is_empty() { clap::ValueEnum::value_variants() } else { &self.rows };
        let (programs, variants) = Programs::get_all(&self.only, &self.binary).await?;
        println!("measuring this machine's limits");
        let limits = tokio::task::spawn_blocking(limits::measure).await??;
        println!("{limits}");
        let cores = std::thread::available_parallelism()?;
        println!(
            "seed {}; {} turns of {} s each; {cores} cores, shared by client and servers",
            self.seed, self.rounds, self.seconds
        );

        let data = cargo::temp_dir("bench-")?;
        let mut contenders = Vec::new();
        for (n, variant) in variants.into_iter().enumerate() {
            let dir = data.path().join(n.to_string());
            std::fs::create_dir(&dir)?;
            match Server::start(variant, &programs, &dir).await {
                Ok(server) => contenders.push(Contender::new(variant, server)),
                Err(error) => println!("skipped: {}: {error:#}", variant.name),
            }
        }
        ensure!(!contenders.is_empty(), "no server could be started");
        for row in rows {
            self.row(*row, &mut contenders, &limits).await?;
        }
        for contender in &mut contenders {
            contender.resident = contender.server.resident()?;
        }
        report::end(&contenders);
        for contender in contenders {
            let name = contender.variant.name;
            contender.server.stop().await.with_context(|| format!("stopping {name}"))?;
        }
        Ok(())
    }

    async fn row(&self, row: Row, contenders: &mut [Contender], limits: &Limits) -> Result<()> {
        let takes = |c: &&mut Contender| c.variant.peer.takes(row);
        for contender in contenders.iter_mut().filter(takes) {
            let ready = contender.prepare(row, self.keys, Duration::from_secs(self.keys_seconds)).await;
            contender.sums.push((row, ready.map(|()| Sum::default()).map_err(|error| format!("{error:#}"))));
        }
        let mut order: Vec<_> = (0..contenders.len()).collect();
        let mut rng = fastrand::Rng::with_seed(self.seed);
        for round in 0..self.rounds {
            rng.shuffle(&mut order);
            for &at in &order {
                settle().await?;
                contenders[at].turn(row, Duration::from_secs(self.seconds), self.seed + round).await;
            }
        }
        report::row(row, contenders, limits);
        Ok(())
    }
}

impl Contender {
    fn new(variant: &'static Variant, server: Server) -> Self {
        let (small, large, sums) = Default::default();
        Self { variant, server, small, large, listed: None, sums, resident: None }
    }

    /// Writes what `row` reads.
    async fn prepare(&mut self, row: Row, keys: u64, limit: Duration) -> Result<()> {
        let target = &self.server.target;
        match row {
            Row::Put4k | Row::Put4k64 | Row::Put64m => {}
            Row::Get4k | Row::Mixed => {
                let missing = READABLE_SMALL.saturating_sub(self.small.len() as u64);
                self.small.extend(turn::prepare(target, row, missing).await?);
            }
            Row::Get64m => {
                let missing = READABLE_LARGE.saturating_sub(self.large.len() as u64);
                self.large.extend(turn::prepare(target, row, missing).await?);
            }
            Row::List => self.listed = Some(turn::preload(target, keys, limit).await?),
        }
        Ok(())
    }

    /// A turn that fails is the last one of this server under this load.
    async fn turn(&mut self, row: Row, seconds: Duration, seed: u64) {
        let Some((_, Ok(sum))) = self.sums.iter_mut().rfind(|(this, _)| *this == row) else { return };
        let written =
            if matches!(row, Row::Put64m | Row::Get64m) { &mut self.large } else { &mut self.small };
        let done = match self.server.pid() {
            Ok(pid) => Turn { target: &self.server.target, pid, row, seconds, seed }.run(written).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(done) => sum.add(done),
            Err(error) => self.sums.push((row, Err(format!("{error:#}")))),
        }
    }
}

/// Writes back what the server before left unwritten, so that the next one does not pay for it.
async fn settle() -> Result<()> {
    let status = Command::new("sync").status().await.context("sync(1) is needed")?;
    ensure!(status.success(), "sync ended with {status}");
    Ok(())
}
