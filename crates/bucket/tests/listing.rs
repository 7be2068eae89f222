//! Listings against a plain model.

mod support;

use std::collections::BTreeSet;

use carob_bucket::{Bucket, BucketError, DeleteOptions, ListEntry, ListQuery, ListStart};
use futures::future::join_all;
use proptest::prelude::*;
use support::{bucket, put};

/// All entries after `after`, by the plain definition.
fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: &str, after: &str) -> Vec<String> {
    let mut entries = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix) && (after.is_empty() || &***key > after)) {
        let rest = &key[prefix.len()..];
        let rolled = if delimiter.is_empty() { None } else { rest.find(delimiter) };
        let entry = match rolled {
            Some(at) => {
                let common = &key[..prefix.len() + at + delimiter.len()];
                if !after.is_empty() && common <= after {
                    continue;
                }
                format!("P{common}")
            }
            None => format!("K{key}"),
        };
        if entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    entries
}

async fn pages(bucket: &Bucket, prefix: &str, delimiter: &str, after: &str, max_keys: usize) -> Vec<String> {
    let mut query = ListQuery {
        prefix: prefix.to_owned(),
        delimiter: Some(delimiter.to_owned()),
        start: if after.is_empty() { ListStart::Beginning } else { ListStart::After(after.to_owned()) },
        max_keys,
    };
    let mut all = Vec::new();
    loop {
        let page = bucket.list(&query).await.unwrap();
        assert!(page.entries.len() <= max_keys);
        assert!(page.next_token.is_none() || page.entries.len() == max_keys, "only a full page is cut");
        all.extend(page.entries.into_iter().map(|entry| match entry {
            ListEntry::Object { key, .. } => format!("K{key}"),
            ListEntry::Prefix(prefix) => format!("P{prefix}"),
        }));
        match page.next_token {
            Some(token) => query.start = ListStart::Token(token),
            None => return all,
        }
    }
}

async fn fill(bucket: &Bucket, keys: &BTreeSet<String>) {
    let writers = keys.iter().map(|key| async move { put(bucket, key, "").await.unwrap() });
    join_all(writers).await;
}

fn key() -> impl Strategy<Value = String> {
    let piece = prop_oneof![Just("a"), Just("b"), Just("/"), Just("//"), Just("é"), Just("-"), Just("\u{0}")];
    proptest::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn pages_equal_the_model(
        keys in proptest::collection::btree_set(key(), 0..60),
        queries in proptest::collection::vec(
            (prop_oneof![Just(String::new()), key()], prop_oneof![Just(""), Just("/"), Just("a/"), Just("é")],
             prop_oneof![Just(String::new()), key()], 1..12_usize),
            1..12,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bucket = bucket().await;
            fill(&bucket, &keys).await;
            for (prefix, delimiter, after, max_keys) in queries {
                let found = pages(&bucket, &prefix, delimiter, &after, max_keys).await;
                assert_eq!(found, model(&keys, &prefix, delimiter, &after),
                    "prefix {prefix:?} delimiter {delimiter:?} after {after:?} in pages of {max_keys}");
            }
        });
    }
}

#[tokio::test]
async fn a_listing_of_many_keys_equals_the_model() {
    let bucket = bucket().await;
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut keys = BTreeSet::new();
    while keys.len() < 100_000 {
        keys.insert(format!("{}/{}/{:05}", random(30), random(40), random(100_000)));
    }
    fill(&bucket, &keys).await;
    for _ in 0..40 {
        let prefix = match random(4) {
            0 => String::new(),
            1 => format!("{}", random(30)),
            2 => format!("{}/", random(30)),
            _ => format!("{}/{}/", random(30), random(40)),
        };
        let delimiter = if random(2) == 0 { "/" } else { "" };
        let after = if random(2) == 0 { String::new() } else { format!("{}/{}", random(30), random(40)) };
        let max_keys = usize::try_from(random(999) + 1).unwrap();
        let found = pages(&bucket, &prefix, delimiter, &after, max_keys).await;
        assert_eq!(found, model(&keys, &prefix, delimiter, &after), "{prefix:?} {delimiter:?} {after:?}");
        let usage = bucket.snapshot().await.unwrap().usage(&prefix).await.unwrap();
        assert_eq!(usage.objects, keys.iter().filter(|key| key.starts_with(&prefix)).count() as u64);
    }
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_others_write() {
    let bucket = bucket().await;
    let keys: BTreeSet<String> = (0..300).map(|n| format!("{n:03}")).collect();
    fill(&bucket, &keys).await;
    let query = |start| ListQuery { start, max_keys: 7, ..ListQuery::default() };
    let (mut start, mut seen) = (ListStart::Beginning, Vec::new());
    for round in 0.. {
        let page = bucket.list(&query(start)).await.unwrap();
        seen.extend(page.entries.into_iter().filter_map(|entry| match entry {
            ListEntry::Object { key, .. } if key.len() == 3 => Some(key),
            _ => None,
        }));
        put(&bucket, &format!("{:03}+new", round % 300), "").await.unwrap();
        bucket.delete(&format!("{:03}+new", round / 2), DeleteOptions::default()).await.unwrap();
        match page.next_token {
            Some(token) => start = ListStart::Token(token),
            None => break,
        }
    }
    assert_eq!(seen, keys.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_page_of_no_keys_is_empty_and_complete() {
    let bucket = bucket().await;
    put(&bucket, "k", "").await.unwrap();
    let page = bucket.list(&ListQuery { max_keys: 0, ..ListQuery::default() }).await.unwrap();
    assert!(page.entries.is_empty() && page.next_token.is_none());
}

#[tokio::test]
async fn a_foreign_token_is_refused() {
    let bucket = bucket().await;
    let query = ListQuery { start: ListStart::Token("%%".into()), max_keys: 1, ..ListQuery::default() };
    assert!(matches!(bucket.list(&query).await, Err(BucketError::BadToken)));
}
