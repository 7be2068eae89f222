//! What a run does to buckets, drawn from its seed.

const NAMES: usize = 3;
const PREFIX: &str = "crash-life-";

/// What one operation does to the bucket of a name; which object or which deleted bucket, the run decides.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::crash) struct Action {
    pub(super) name: String,
    pub(super) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    Create,
    /// Writes an object of its own.
    Put,
    /// Deletes one of the objects.
    Remove {
        nth: u8,
    },
    Delete,
    /// Brings back the one that was deleted last, or the nth; under another name, if one is given.
    Undelete {
        nth: Option<u8>,
        to: Option<String>,
    },
    /// Sets how long past states stay.
    Keep {
        seconds: u64,
    },
    List,
}

/// Whether buckets of this name come and go.
pub(in crate::crash) fn is_mortal(bucket: &str) -> bool {
    bucket.starts_with(PREFIX)
}

pub(in crate::crash) fn action(rng: &mut fastrand::Rng) -> Action {
    let name = name(rng);
    let what = match rng.u8(..100) {
        0..22 => What::Create,
        22..34 => What::Put,
        34..52 => What::Remove { nth: rng.u8(..) },
        52..72 => What::Delete,
        72..90 => What::Undelete {
            nth: rng.bool().then(|| rng.u8(..)),
            to: (rng.u8(..3) == 0).then(|| self::name(rng)),
        },
        90..94 => What::Keep { seconds: [0, 7200, 10800][rng.usize(..3)] },
        _ => What::List,
    };
    Action { name, what }
}

fn name(rng: &mut fastrand::Rng) -> String {
    format!("{PREFIX}{}", rng.usize(..NAMES))
}
