//! The judge against one that looks at each key's versions all at once.

use std::sync::Arc;

use carob_bucket::{ChecksumType, DeleteMarker, ETag, Layout, Lock, ObjectHeaders, Record, VersionId};
use carob_identity::Timestamp;
use proptest::prelude::*;

use super::judge::{Judge, Seen, Verdict};
use super::rules::{Expiration, Filter, Noncurrent, Rule, Rules};

const DAY: u64 = 1000;

fn record(made: u64, size: u64, tagged: bool) -> Record {
    let tags = tagged.then(|| ("k".to_owned(), "v".to_owned())).into_iter().collect();
    let mut id = [0; 16];
    id[..8].copy_from_slice(&made.to_be_bytes());
    Record {
        content: carob_block::sha256_cid(carob_block::Codec::Raw, [0; 32]),
        size,
        etag: ETag { md5: [0; 16], parts: None },
        blake3: None,
        parts: None,
        layout: Layout::Balanced,
        modified: Timestamp(made),
        headers: ObjectHeaders::default(),
        metadata: Default::default(),
        checksum: None,
        checksum_type: ChecksumType::FullObject,
        version: Some(VersionId(id)),
        null: false,
        lock: Lock::default(),
        tags,
        access: None,
        sealed: None,
    }
}

fn made(seen: &Seen) -> u64 {
    match seen {
        Seen::Object(record) => record.modified.0,
        Seen::Marker(marker) => marker.version.time().0,
    }
}

fn midnight(at: u64) -> u64 {
    if at.is_multiple_of(DAY) { at } else { at - at % DAY + DAY }
}

fn fits(filter: &Filter, key: &str, seen: &Seen) -> bool {
    let bare = filter.tags.is_empty() && filter.larger_than.is_none() && filter.smaller_than.is_none();
    key.starts_with(&filter.prefix)
        && match seen {
            Seen::Marker(_) => bare,
            Seen::Object(record) => {
                filter.tags.iter().all(|tag| record.tags.iter().any(|found| found == tag))
                    && filter.larger_than.is_none_or(|least| record.size > least)
                    && filter.smaller_than.is_none_or(|most| record.size < most)
            }
        }
}

fn is_due(expiration: Expiration, at: u64, now: u64) -> bool {
    now >= match expiration {
        Expiration::Days(days) => midnight(at + u64::from(days) * DAY),
        Expiration::Date(date) => date.0,
    }
}

fn naive(rules: &[Rule], key: &str, versions: &[Seen], now: u64) -> Vec<(String, Verdict)> {
    let mut verdicts = Vec::new();
    for (at, seen) in versions.iter().enumerate() {
        let fitting = || rules.iter().filter(|rule| fits(&rule.filter, key, seen));
        let expired = || fitting().filter_map(|rule| rule.expiration).any(|e| is_due(e, made(seen), now));
        let verdict = match (at, seen) {
            (0, Seen::Object(record)) => expired().then(|| Verdict::Expire(Arc::clone(record))),
            (0, Seen::Marker(marker)) => {
                let due = versions.len() == 1 && (expired() || fitting().any(|rule| rule.markers));
                due.then(|| Verdict::RemoveMarker(marker.name()))
            }
            (at, seen) => {
                let since = made(&versions[at - 1]);
                let due = fitting().filter_map(|rule| rule.noncurrent).any(|noncurrent| {
                    at > noncurrent.keep as usize && now >= midnight(since + u64::from(noncurrent.days) * DAY)
                });
                due.then(|| {
                    Verdict::Remove(match seen {
                        Seen::Object(record) => record.version_name(),
                        Seen::Marker(marker) => marker.name(),
                    })
                })
            }
        };
        verdicts.extend(verdict.map(|verdict| (key.to_owned(), verdict)));
    }
    verdicts
}

fn rule() -> impl Strategy<Value = Rule> {
    let filter = ("[ab]{0,1}", any::<bool>(), proptest::option::of(0..3_u64), proptest::option::of(1..4_u64));
    let filter = filter.prop_map(|(prefix, tagged, larger_than, smaller_than)| Filter {
        prefix,
        tags: tagged.then(|| ("k".to_owned(), "v".to_owned())).into_iter().collect(),
        larger_than,
        smaller_than,
    });
    let filter = prop_oneof!["[ab]{0,1}".prop_map(|prefix| Filter { prefix, ..Filter::default() }), filter];
    let expiration = prop_oneof![
        (1..4_u32).prop_map(Expiration::Days),
        (0..8_u64).prop_map(|day| Expiration::Date(Timestamp(day * DAY)))
    ];
    let noncurrent = (1..4_u32, 0..3_u32).prop_map(|(days, keep)| Noncurrent { days, keep });
    let parts = (filter, proptest::option::of(expiration), any::<bool>(), proptest::option::of(noncurrent));
    parts.prop_map(|(filter, expiration, markers, noncurrent)| Rule {
        filter,
        expiration,
        markers,
        noncurrent,
        ..Rule::default()
    })
}

fn versions() -> impl Strategy<Value = Vec<Seen>> {
    let version = (1..2500_u64, 0..4_u64, any::<bool>(), 0..3_u8);
    proptest::collection::vec(version, 1..6).prop_map(|steps| {
        let mut at = 0;
        let mut versions: Vec<Seen> = steps
            .into_iter()
            .map(|(step, size, tagged, kind)| {
                at += step;
                let record = record(at, size, tagged);
                match kind {
                    0 => Seen::Marker(DeleteMarker { version: record.order(), null: false }),
                    _ => Seen::Object(Arc::new(record)),
                }
            })
            .collect();
        versions.reverse();
        versions
    })
}

proptest! {
    #[test]
    fn the_judge_decides_as_one_who_sees_everything(
        rules in proptest::collection::vec(rule(), 0..4),
        keys in proptest::collection::btree_map("[abc]{1,2}", versions(), 0..5),
        now in 0..12_000_u64,
    ) {
        let rules = Rules(rules);
        let mut judge = Judge::new(&rules, Timestamp(now), DAY);
        let mut expected = Vec::new();
        let mut found = Vec::new();
        for (key, versions) in &keys {
            for seen in versions {
                judge.see(key, seen);
                found.extend(judge.take());
            }
            expected.extend(naive(&rules.0, key, versions, now));
        }
        judge.end_key();
        found.extend(judge.take());
        prop_assert_eq!(found, expected);
    }
}
