//! What a run does, drawn from its seed alone: never from time or from answers. An action may name "the newest upload
//! of a key" or "the entity tag that the key has"; which that is, the run decides.

use std::time::Duration;

use super::Name;
use super::content::Bodies;
use super::{lives, versions};

const BUCKETS: usize = 3;
const KEYS: usize = 32;
/// How many of the keys are written more often than the others, by all workers at once.
const HOT_KEYS: usize = 4;
/// How many of the keys have multipart uploads.
const UPLOAD_KEYS: usize = 3;
/// Parts are numbered from 1.
const PARTS: u16 = 3;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// What one operation does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Put {
        name: Name,
        size: u64,
        asks: Asks,
    },
    /// CopyObject; `replace` gives it metadata of its own.
    Copy {
        name: Name,
        source: Name,
        replace: bool,
        pinned: bool,
        asks: Asks,
    },
    Delete {
        name: Name,
        conditional: bool,
    },
    DeleteMany {
        bucket: String,
        keys: Vec<String>,
    },
    Get {
        name: Name,
    },
    /// CreateMultipartUpload.
    Begin {
        name: Name,
    },
    /// UploadPart, to the newest upload of a key.
    Part {
        name: Name,
        number: u16,
        size: u64,
    },
    /// UploadPartCopy, to the newest upload of a key.
    CopyPart {
        name: Name,
        number: u16,
        source: Name,
        portion: Option<Portion>,
    },
    /// Completes the newest upload of a key.
    Complete {
        name: Name,
        asks: Asks,
    },
    /// Sends the newest completion of a key again.
    Repeat {
        name: Name,
    },
    /// Aborts the newest upload of a key.
    Abort {
        name: Name,
    },
    /// Something about a bucket that makes versions.
    Version(versions::Action),
    /// Something about buckets that come and go.
    Live(lives::Action),
}

/// The condition of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Nothing,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match` with the entity tag that the key has.
    Match,
    /// `If-Match` with an entity tag that nothing has.
    Mismatch,
}

/// A range of a body whose size is not known yet, in 256ths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Portion {
    start: u8,
    end: u8,
}

/// One operation of a worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Unique in the run; names the body.
    pub(super) op: u64,
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

    pub(super) fn bodies(&self) -> Bodies {
        Bodies::new(self.seed)
    }

    /// The buckets that make no versions.
    pub(super) fn buckets(&self) -> Vec<String> {
        (0..BUCKETS).map(bucket).collect()
    }

    pub(super) fn all_buckets(&self) -> Vec<String> {
        self.buckets().into_iter().chain(versions::Kind::ALL.map(versions::Kind::bucket)).collect()
    }

    /// How long the workers of a cycle run before the cut.
    pub(super) fn cut_after(&self, cycle: u32) -> Duration {
        Duration::from_micros(self.rng(&[1, cycle]).u64(10_000..300_000))
    }

    /// Page size of the listings that check a cycle.
    pub(super) fn page_size(&self, cycle: u32) -> u32 {
        self.rng(&[2, cycle]).u32(1..60)
    }

    /// The endless operation sequence of one worker in one cycle.
    pub(super) fn steps(&self, cycle: u32, worker: u32) -> impl Iterator<Item = Step> + use<> {
        let mut rng = self.rng(&[3, cycle, worker]);
        let first = u64::from(cycle) << 32 | u64::from(worker) << 24;
        (first..).map(move |op| Step { op, action: action(&mut rng) })
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

impl Portion {
    /// The bytes of a body of `size` that are meant, at least one; `None` if it has none.
    pub(super) fn of(self, size: u64) -> Option<std::ops::Range<u64>> {
        let at = |part: u8| size * u64::from(part) / 256;
        (size > 0).then(|| at(self.start)..at(self.end).max(at(self.start) + 1))
    }
}

fn action(rng: &mut fastrand::Rng) -> Action {
    if rng.u8(..8) == 0 {
        return Action::Live(lives::action(rng));
    }
    // Two in five of the rest, which leaves the others as likely as they are among themselves.
    if rng.u8(..5) < 2 {
        return Action::Version(versions::action(rng));
    }
    match rng.u32(..100) {
        0..28 => Action::Put { name: name(rng), size: size(rng), asks: asks(rng) },
        28..36 => {
            let (name, source) = (name(rng), name(rng));
            // A copy onto itself that changes nothing is no valid request.
            let replace = rng.bool() || name == source;
            Action::Copy { name, source, replace, pinned: rng.bool(), asks: asks(rng) }
        }
        36..43 => Action::Delete { name: name(rng), conditional: rng.u8(..4) == 0 },
        43..47 => {
            let mut keys: Vec<_> = (0..rng.usize(1..10)).map(|_| key(rng)).collect();
            keys.sort_unstable();
            keys.dedup();
            Action::DeleteMany { bucket: bucket(rng.usize(..BUCKETS)), keys }
        }
        47..57 => Action::Get { name: name(rng) },
        57..65 => Action::Begin { name: upload_name(rng) },
        65..78 => Action::Part { name: upload_name(rng), number: part_number(rng), size: part_size(rng) },
        78..83 => Action::CopyPart {
            name: upload_name(rng),
            number: part_number(rng),
            source: name(rng),
            portion: rng.bool().then(|| portion(rng)),
        },
        83..93 => Action::Complete { name: upload_name(rng), asks: asks(rng) },
        93..97 => Action::Repeat { name: upload_name(rng) },
        _ => Action::Abort { name: upload_name(rng) },
    }
}

fn asks(rng: &mut fastrand::Rng) -> Asks {
    match rng.u32(..100) {
        0..70 => Asks::Nothing,
        70..85 => Asks::Absent,
        85..97 => Asks::Match,
        _ => Asks::Mismatch,
    }
}

fn portion(rng: &mut fastrand::Rng) -> Portion {
    let (a, b) = (rng.u8(..), rng.u8(..));
    Portion { start: a.min(b), end: a.max(b) }
}

fn bucket(n: usize) -> String {
    format!("crash-{n}")
}

fn name(rng: &mut fastrand::Rng) -> Name {
    Name { bucket: bucket(rng.usize(..BUCKETS)), key: key(rng) }
}

fn upload_name(rng: &mut fastrand::Rng) -> Name {
    Name { bucket: bucket(rng.usize(..BUCKETS)), key: key_of(rng.usize(..UPLOAD_KEYS)) }
}

fn key(rng: &mut fastrand::Rng) -> String {
    key_of(if rng.u32(..100) < 15 { rng.usize(..HOT_KEYS) } else { rng.usize(..KEYS) })
}

fn key_of(n: usize) -> String {
    match n % 4 {
        0 => format!("plain-{n}"),
        1 => format!("dir/{n}/leaf"),
        2 => format!("dir/{}", n - 1),
        _ => format!("ümlaut {n} +%/"),
    }
}

/// Mostly the first: an upload of one part can be completed whatever size that has.
fn part_number(rng: &mut fastrand::Rng) -> u16 {
    if rng.u8(..4) > 0 { 1 } else { rng.u16(1..=PARTS) }
}

/// Mostly small, so that many operations meet a cut; the edges of a 1 MiB leaf often enough.
fn size(rng: &mut fastrand::Rng) -> u64 {
    match rng.u32(..100) {
        0..8 => 0,
        8..54 => rng.u64(1..4 * KIB),
        54..94 => rng.u64(4 * KIB..100 * KIB),
        94..98 => rng.u64(MIB - 1..=MIB + 1),
        _ => rng.u64(MIB..=3 * MIB),
    }
}

/// Now and then so large that another part may follow.
fn part_size(rng: &mut fastrand::Rng) -> u64 {
    match rng.u32(..100) {
        0..4 => 5 * MIB,
        4..6 => 5 * MIB + rng.u64(1..MIB),
        _ => size(rng),
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
    fn a_portion_lies_within_its_body() {
        let mut rng = fastrand::Rng::with_seed(1);
        for size in [1, 2, 255, 256, 5 * MIB] {
            for _ in 0..100 {
                let range = portion(&mut rng).of(size).unwrap();
                assert!(range.start < range.end && range.end <= size, "{range:?} of {size}");
            }
        }
        assert_eq!(portion(&mut rng).of(0), None);
    }
}
