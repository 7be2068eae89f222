//! The cycles of a run, and its figures.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use carob_bucket::Versioning;
use tokio::time::timeout;

use super::check::{Checked, check};
use super::plan::Plan;
use super::worker::{self, Shared, Tally};
use super::{Machine, Target, lives, versions};

/// After so many cycles a run goes on with an empty store, so that disk use is bounded, and it can be resumed there.
const CYCLES_PER_STORE: u32 = 50;
/// An operation that has no answer so long after a cut hangs.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

#[derive(Default)]
struct Figures {
    tally: Tally,
    cuts: u32,
    checked: Checked,
    verified: u32,
    slowest_start: Duration,
}

/// Runs `cycles`, or as many as begin within `limit`; fails at the first loss.
pub(super) async fn run<M: Machine>(
    plan: &Plan,
    cycles: Range<u32>,
    limit: Option<Duration>,
    machine: &mut M,
) -> Result<()> {
    let begun = Instant::now();
    let mut figures = Figures::default();
    let mut next = cycles.start - cycles.start % CYCLES_PER_STORE;
    while next < cycles.end && limit.is_none_or(|limit| begun.elapsed() < limit) {
        let last = cycles.end.min(next + CYCLES_PER_STORE);
        let replay = || format!("replay with --seed {} --from {next} --cycles {last}", plan.seed);
        one_store(plan, next..last, machine, &mut figures).await.with_context(replay)?;
        next = last;
        let acknowledged = figures.tally.acknowledged();
        println!("  {next} of {} cycles, {acknowledged} acknowledged, nothing lost", cycles.end);
    }
    figures.print(begun.elapsed());
    if next < cycles.end {
        println!("go on with              --seed {} --from {next} --cycles {}", plan.seed, cycles.end);
    }
    Ok(())
}

impl Figures {
    fn print(&self, took: Duration) {
        let Self { tally, cuts, checked, verified, slowest_start } = self;
        println!("cycles                  {cuts}");
        println!("acknowledged operations {} ({} MiB written)", tally.acknowledged(), tally.bytes >> 20);
        for (kind, count) in &tally.acknowledged {
            println!("  {kind:<22}{count}");
        }
        println!("refused, and rightly");
        for ((kind, code), count) in &tally.refused {
            println!("  {:<33}{count}", format!("{kind}, {code}"));
        }
        println!("in flight at a cut");
        for (kind, count) in &tally.in_flight {
            println!("  {kind:<22}{count}");
        }
        println!("answered 503            {}", tally.busy);
        println!("reads under load        {}", tally.reads);
        println!("objects read back       {}, {} of parts", checked.objects, checked.of_parts);
        println!("uploads compared        {}, {} parts", checked.uploads, checked.parts);
        println!(
            "versions read back      {}, {} of them locked and not to be deleted",
            checked.versions, checked.locked
        );
        println!("deleted buckets compared {}, {} past states of others", checked.deleted, checked.past);
        println!("completed after a cut   {}, repetitions among them", checked.completions);
        println!("whole verifications     {verified}");
        println!("slowest restart         {} ms", slowest_start.as_millis());
        println!("lost or wrong           0");
        println!("took                    {:.0} s", took.as_secs_f64());
    }
}

/// The cycles of one store, from empty to stopped.
async fn one_store<M: Machine>(
    plan: &Plan,
    cycles: Range<u32>,
    machine: &mut M,
    figures: &mut Figures,
) -> Result<()> {
    machine.wipe(cycles.start).await?;
    let shared = Shared::new(plan.clone());
    let mut target = machine.start().await?;
    for bucket in plan.buckets() {
        target.create_bucket(&bucket).await.with_context(|| format!("creating {bucket}"))?;
    }
    for kind in versions::Kind::ALL {
        create_versioned(&target, kind).await.with_context(|| format!("creating {}", kind.bucket()))?;
        shared.versions().add_bucket(&kind.bucket(), kind.versioning());
    }
    for cycle in cycles.clone() {
        let at = || format!("cycle {cycle} of seed {}", plan.seed);
        figures.tally += load_and_cut(&target, &shared, cycle, machine).await.with_context(at)?;
        figures.cuts += 1;
        let restart = Instant::now();
        target = machine.start().await.with_context(at)?;
        figures.slowest_start = figures.slowest_start.max(restart.elapsed());
        let whole = (cycle + 1) % M::FULL_EVERY == 0 || cycle + 1 == cycles.end;
        figures.checked += check(&target, &shared, cycle, whole).await.with_context(at)?;
        let page = plan.page_size(cycle);
        figures.checked += versions::check_versions(&target, &shared, page, whole).await.with_context(at)?;
        figures.checked += lives::check_lives(&target, &shared, whole).await.with_context(at)?;
        if whole {
            machine.verify(&plan.all_buckets()).await.with_context(at)?;
            figures.verified += 1;
        }
    }
    machine.stop().await
}

async fn create_versioned<T: Target>(target: &T, kind: versions::Kind) -> Result<()> {
    let bucket = kind.bucket();
    if kind == versions::Kind::Locked {
        target.create_locked(&bucket).await?;
    } else {
        target.create_bucket(&bucket).await?;
        if kind.versioning() != Versioning::Unversioned {
            target.set_versioning(&bucket, kind.versioning()).await?;
        }
    }
    Ok(())
}

/// Lets the workers run, cuts, and collects what they did.
async fn load_and_cut<M: Machine>(
    target: &M::Target,
    shared: &Arc<Shared>,
    cycle: u32,
    machine: &mut M,
) -> Result<Tally> {
    shared.cutting.store(false, Ordering::SeqCst);
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..Plan::WORKERS {
        workers.spawn(worker::work(target.clone(), shared.clone(), cycle, worker));
    }
    let cut = tokio::time::sleep(shared.plan.cut_after(cycle));
    tokio::pin!(cut);
    let mut tally = Tally::default();
    loop {
        tokio::select! {
            () = &mut cut => break,
            // No worker ends before the cut unless something is wrong.
            Some(done) = workers.join_next() => tally += done??,
        }
    }
    shared.cutting.store(true, Ordering::SeqCst);
    machine.cut().await?;
    let rest = async {
        while let Some(done) = workers.join_next().await {
            tally += done??;
        }
        anyhow::Ok(tally)
    };
    timeout(ANSWER_LIMIT, rest).await.context("an operation under way at the cut never ended")?
}
