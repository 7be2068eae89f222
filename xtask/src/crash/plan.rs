//! What a run does, drawn from its seed alone: never from time or from answers.

use std::time::Duration;

use bytes::Bytes;

const BUCKETS: usize = 3;
const KEYS: usize = 48;
/// How many of the keys are written more often than the others, by all workers at once.
const HOT_KEYS: usize = 4;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// What one operation does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Put {
        key: String,
        size: u64,
    },
    /// PutObject with `If-None-Match: *`.
    Create {
        key: String,
        size: u64,
    },
    Delete {
        key: String,
    },
    DeleteMany {
        keys: Vec<String>,
    },
    Get {
        key: String,
    },
}

/// One operation of a worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Unique in the run; names the body.
    pub(super) op: u64,
    pub(super) bucket: String,
    pub(super) action: Action,
}

/// A seeded run.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
}

impl Plan {
    pub(super) const WORKERS: u32 = 8;

    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub(super) fn buckets(&self) -> Vec<String> {
        (0..BUCKETS).map(|n| format!("crash-{n}")).collect()
    }

    /// How long the workers of a cycle run before the cut.
    pub(super) fn cut_after(&self, cycle: u32) -> Duration {
        Duration::from_micros(self.rng(&[1, cycle]).u64(10_000..400_000))
    }

    /// Page size of the listings that check a cycle.
    pub(super) fn page_size(&self, cycle: u32) -> u32 {
        self.rng(&[2, cycle]).u32(1..60)
    }

    /// The endless operation sequence of one worker in one cycle.
    pub(super) fn steps(&self, cycle: u32, worker: u32) -> impl Iterator<Item = Step> + use<> {
        let mut rng = self.rng(&[3, cycle, worker]);
        let first = u64::from(cycle) << 32 | u64::from(worker) << 24;
        (first..).map(move |op| step(&mut rng, op))
    }

    /// The bytes that operation `op` writes.
    pub(super) fn body(&self, op: u64, size: u64) -> Bytes {
        let mut body = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        let mut hasher = blake3::Hasher::new_derive_key("carob xtask crash body");
        hasher.update(&self.seed.to_le_bytes()).update(&op.to_le_bytes());
        hasher.finalize_xof().fill(&mut body);
        body.into()
    }

    fn rng(&self, parts: &[u32]) -> fastrand::Rng {
        let mut hasher = blake3::Hasher::new_derive_key("carob xtask crash plan");
        hasher.update(&self.seed.to_le_bytes());
        for part in parts {
            hasher.update(&part.to_le_bytes());
        }
        let mut seed = [0; 8];
        hasher.finalize_xof().fill(&mut seed);
        fastrand::Rng::with_seed(u64::from_le_bytes(seed))
    }
}

fn step(rng: &mut fastrand::Rng, op: u64) -> Step {
    let bucket = format!("crash-{}", rng.usize(..BUCKETS));
    let action = match rng.u32(..100) {
        0..50 => Action::Put { key: key(rng), size: size(rng) },
        50..60 => Action::Create { key: key(rng), size: size(rng) },
        60..72 => Action::Delete { key: key(rng) },
        72..80 => {
            let mut keys: Vec<_> = (0..rng.usize(1..10)).map(|_| key(rng)).collect();
            keys.sort_unstable();
            keys.dedup();
            Action::DeleteMany { keys }
        }
        _ => Action::Get { key: key(rng) },
    };
    Step { op, bucket, action }
}

fn key(rng: &mut fastrand::Rng) -> String {
    let n = if rng.u32(..100) < 15 { rng.usize(..HOT_KEYS) } else { rng.usize(..KEYS) };
    match n % 4 {
        0 => format!("plain-{n}"),
        1 => format!("dir/{n}/leaf"),
        2 => format!("dir/{}", n - 1),
        _ => format!("ümlaut {n} +%/"),
    }
}

/// Mostly small, so that many operations meet a cut; the edges of a 1 MiB leaf often enough.
fn size(rng: &mut fastrand::Rng) -> u64 {
    match rng.u32(..100) {
        0..8 => 0,
        8..50 => rng.u64(1..4 * KIB),
        50..88 => rng.u64(4 * KIB..200 * KIB),
        88..94 => rng.u64(MIB - 1..=MIB + 1),
        _ => rng.u64(MIB..=3 * MIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(plan: &Plan, cycle: u32, worker: u32) -> Vec<Step> {
        plan.steps(cycle, worker).take(200).collect()
    }

    #[test]
    fn the_seed_alone_decides_the_steps() {
        assert_eq!(first(&Plan::new(1), 3, 2), first(&Plan::new(1), 3, 2));
        assert_ne!(first(&Plan::new(1), 3, 2), first(&Plan::new(2), 3, 2));
        assert_ne!(first(&Plan::new(1), 3, 2), first(&Plan::new(1), 4, 2));
    }

    #[test]
    fn operations_are_named_once_in_a_run() {
        let plan = Plan::new(9);
        let mut ops: Vec<_> = (0..3)
            .flat_map(|cycle| (0..Plan::WORKERS).map(move |worker| (cycle, worker)))
            .flat_map(|(cycle, worker)| first(&plan, cycle, worker))
            .map(|step| step.op)
            .collect();
        let all = ops.len();
        ops.sort_unstable();
        ops.dedup();
        assert_eq!(ops.len(), all);
    }

    #[test]
    fn bodies_differ_by_operation_and_seed() {
        let bodies = [Plan::new(1).body(1, 64), Plan::new(1).body(2, 64), Plan::new(2).body(1, 64)];
        assert!(bodies[0] != bodies[1] && bodies[0] != bodies[2] && bodies[1] != bodies[2]);
        assert_eq!(Plan::new(1).body(1, 3 * MIB).len() as u64, 3 * MIB);
    }
}
