//! What a run does to versions, drawn from its seed.

use carob_bucket::Versioning;

use super::super::Name;
use super::state::{Mode, Tags};

const KEYS: usize = 6;
const KIB: u64 = 1 << 10;

/// A bucket, by what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::crash) enum Kind {
    /// Without versioning at first.
    Plain,
    Versioned,
    /// With object lock.
    Locked,
}

/// Which version of a key; the run decides which those are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    Current,
    Nth(u8),
}

/// The end of a retention, from the moment of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// So that it ends while the store is still in use.
    Soon,
    Far,
    Further,
}

/// What one operation does to a key, or to the versioning of its bucket.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::crash) struct Action {
    pub(super) name: Name,
    pub(super) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    Put { size: u64, tags: Tags, retention: Option<(Mode, Until)>, hold: bool },
    Delete,
    DeleteVersion { nth: u8, bypass: bool },
    Read { of: Pick, head: bool },
    List,
    Tags { of: Pick },
    PutTags { of: Pick, tags: Tags },
    Retain { of: Pick, retention: Option<(Mode, Until)>, bypass: bool },
    Hold { of: Pick, on: bool },
    Switch { versioning: Versioning },
}

impl Kind {
    pub(in crate::crash) const ALL: [Self; 3] = [Self::Plain, Self::Versioned, Self::Locked];

    pub(in crate::crash) fn bucket(self) -> String {
        let kind = match self {
            Self::Plain => "plain",
            Self::Versioned => "versioned",
            Self::Locked => "locked",
        };
        format!("crash-versions-{kind}")
    }

    /// How its versioning is when it is made.
    pub(in crate::crash) fn versioning(self) -> Versioning {
        if self == Self::Plain { Versioning::Unversioned } else { Versioning::Enabled }
    }
}

pub(in crate::crash) fn action(rng: &mut fastrand::Rng) -> Action {
    let kind = match rng.u8(..10) {
        0..2 => Kind::Plain,
        2..5 => Kind::Versioned,
        _ => Kind::Locked,
    };
    let key = match rng.usize(..KEYS) {
        // A key that others begin with.
        0 => "v/1".to_owned(),
        1 => "ümlaut &+%/".to_owned(),
        n => format!("v/1{n}"),
    };
    Action { name: Name { bucket: kind.bucket(), key }, what: what(rng, kind == Kind::Locked) }
}

fn what(rng: &mut fastrand::Rng, locked: bool) -> What {
    match rng.u8(..100) {
        0..26 => {
            let retention = if locked && rng.u8(..4) == 0 { retention(rng) } else { None };
            What::Put { size: size(rng), tags: tags(rng), retention, hold: locked && rng.u8(..8) == 0 }
        }
        26..36 => What::Delete,
        36..56 => What::DeleteVersion { nth: rng.u8(..), bypass: locked && rng.bool() },
        56..61 => What::Read { of: pick(rng), head: rng.bool() },
        61..65 => What::List,
        65..69 => What::Tags { of: pick(rng) },
        69..79 => What::PutTags { of: pick(rng), tags: tags(rng) },
        79..88 if locked => What::Retain { of: pick(rng), retention: retention(rng), bypass: rng.bool() },
        88..94 if locked => What::Hold { of: pick(rng), on: rng.u8(..3) == 0 },
        79..94 => What::PutTags { of: pick(rng), tags: tags(rng) },
        _ => {
            let on = rng.bool();
            What::Switch { versioning: if on { Versioning::Enabled } else { Versioning::Suspended } }
        }
    }
}

fn pick(rng: &mut fastrand::Rng) -> Pick {
    if rng.u8(..3) == 0 { Pick::Current } else { Pick::Nth(rng.u8(..)) }
}

fn tags(rng: &mut fastrand::Rng) -> Tags {
    (0..rng.u8(..4)).map(|n| (format!("tag {n}"), format!("{:x} +-=._:/@", rng.u32(..)))).collect()
}

/// Seldom one that outlasts the run, and often none.
fn retention(rng: &mut fastrand::Rng) -> Option<(Mode, Until)> {
    match rng.u8(..16) {
        0..5 => Some((Mode::Compliance, Until::Soon)),
        5 => Some((Mode::Compliance, Until::Far)),
        6 => Some((Mode::Compliance, Until::Further)),
        7..10 => Some((Mode::Governance, Until::Soon)),
        10..12 => Some((Mode::Governance, Until::Far)),
        12..14 => Some((Mode::Governance, Until::Further)),
        _ => None,
    }
}

/// Small, and large enough that no two bodies are the same by chance.
fn size(rng: &mut fastrand::Rng) -> u64 {
    if rng.u8(..8) > 0 { rng.u64(16..4 * KIB) } else { rng.u64(4 * KIB..200 * KIB) }
}
