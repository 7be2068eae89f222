//! Cursors that go both ways, within bounds, against a sorted list.

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use support::*;

#[derive(Debug, Clone)]
enum Move {
    Seek(Bytes),
    SeekPast(Bytes),
    SeekPastPrefix(Bytes),
    SeekEnd,
    Next,
    Prev,
    Run(usize),
}

fn movement() -> impl Strategy<Value = Move> {
    let probe = || prop_oneof![8 => key(), 1 => Just(Bytes::new())];
    let prefix = (key(), 0usize..8).prop_map(|(key, len)| key.slice(..len.min(key.len())));
    prop_oneof![
        2 => probe().prop_map(Move::Seek),
        1 => probe().prop_map(Move::SeekPast),
        1 => prefix.prop_map(Move::SeekPastPrefix),
        1 => Just(Move::SeekEnd),
        6 => Just(Move::Next),
        6 => Just(Move::Prev),
        3 => (0usize..20).prop_map(Move::Run),
    ]
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_cursor_moves_as_through_a_sorted_list(
        params in params(),
        model in prop::collection::btree_map(key(), any_entry(), 0..200),
        start in prop_oneof![Just(Bytes::new()), key()],
        end in prop::option::of(key()),
        moves in prop::collection::vec(movement(), 1..80),
    ) {
        let bench = Bench::new(params).uncached();
        let within = |key: &Bytes| *key >= start && end.as_ref().is_none_or(|end| key < end);
        let list: Vec<_> = model.iter().filter(|(key, _)| within(key)).collect();
        block_on(async {
            let tree = bench.build(&model);
            let mut cursor = tree.range(&start, end.as_deref());
            // The cursor stands before `list[at]`.
            let mut at = 0;
            let owned = |at: usize| list.get(at).map(|(key, entry)| ((*key).clone(), (*entry).clone()));
            for movement in moves {
                match movement {
                    Move::Seek(key) => {
                        cursor.seek(&key).await.unwrap();
                        at = list.partition_point(|(found, _)| **found < key);
                    }
                    Move::SeekPast(key) => {
                        cursor.seek_past(&key).await.unwrap();
                        at = list.partition_point(|(found, _)| **found <= key);
                    }
                    Move::SeekPastPrefix(prefix) => {
                        cursor.seek_past_prefix(&prefix).await.unwrap();
                        at = list.partition_point(|(found, _)| **found < prefix || found.starts_with(&prefix));
                    }
                    Move::SeekEnd => {
                        cursor.seek_end().await.unwrap();
                        at = list.len();
                    }
                    Move::Next => {
                        prop_assert_eq!(cursor.next().await.unwrap(), owned(at));
                        at = list.len().min(at + 1);
                    }
                    Move::Prev => {
                        let expected = at.checked_sub(1).and_then(owned);
                        prop_assert_eq!(cursor.prev().await.unwrap(), expected);
                        at = at.saturating_sub(1);
                    }
                    Move::Run(most) => {
                        let run = cursor.run().await.unwrap();
                        prop_assert_eq!(run.is_some(), at < list.len());
                        for (key, value) in run.into_iter().flatten().take(most) {
                            let (expected, entry) = list[at];
                            prop_assert_eq!(key, expected);
                            prop_assert_eq!(format!("{value:?}"), format!("{:?}", entry.value.datum()));
                            at += 1;
                        }
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_prefix_reads_its_keys_alone_from_both_ends(
        params in params(),
        model in prop::collection::btree_map(key(), any_entry(), 0..200),
        prefix in (key(), 0usize..8).prop_map(|(key, len)| key.slice(..len.min(key.len()))),
    ) {
        let bench = Bench::new(params);
        let expected: Vec<_> = model.into_iter().filter(|(key, _)| key.starts_with(&prefix)).collect();
        block_on(async {
            let all = expected.iter().cloned().collect();
            let mut others = numbered(0..50);
            others.append(&mut Model::clone(&all));
            let expected: Vec<_> = others.iter().filter(|(key, _)| key.starts_with(&prefix)).collect();
            let tree = bench.build(&others);
            let mut forward = tree.prefix(&prefix);
            for (key, entry) in &expected {
                prop_assert_eq!(forward.next().await.unwrap(), Some(((*key).clone(), (*entry).clone())));
            }
            prop_assert_eq!(forward.next().await.unwrap(), None);
            let mut backward = tree.prefix(&prefix);
            backward.seek_end().await.unwrap();
            for (key, entry) in expected.iter().rev() {
                prop_assert_eq!(backward.prev().await.unwrap(), Some(((*key).clone(), (*entry).clone())));
            }
            prop_assert_eq!(backward.prev().await.unwrap(), None);
            Ok(())
        })?;
    }
}

#[test]
fn pages_resume_after_a_key_that_is_gone_by_then() {
    block_on(async {
        let bench = Bench::small();
        let model = numbered(0..300);
        let mut tree = bench.build(&model);
        let (mut seen, mut token) = (Vec::<Bytes>::new(), None::<Bytes>);
        loop {
            // Each page from the newest tree, and a new cursor: all that is kept between pages is a key.
            let mut cursor = tree.cursor();
            if let Some(token) = &token {
                cursor.seek_past(token).await.unwrap();
            }
            for _ in 0..17 {
                seen.extend(cursor.next().await.unwrap().map(|(key, _)| key));
            }
            let last = seen.last().cloned();
            if last == token {
                break;
            }
            tree = bench.edit(&tree, [(last.clone().unwrap(), None)].into()).await.tree;
            token = last;
        }
        assert!(seen.iter().eq(model.keys()));
    });
}

#[test]
fn reading_backward_finds_a_missing_node_and_goes_on_once_it_is_back() {
    block_on(async {
        let bench = Bench::small().uncached();
        let model = numbered(0..120);
        let tree = bench.build(&model);
        for block in walk(&tree).await.into_iter().skip(2) {
            bench.store.lose(block.cid());
            let (mut cursor, mut seen) = (tree.cursor(), Vec::new());
            cursor.seek_end().await.unwrap();
            let error = loop {
                match cursor.prev().await {
                    Ok(Some((key, _))) => seen.push(key),
                    Ok(None) => panic!("a scan ended without an error"),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, carob_index::IndexError::MissingNode(cid) if cid == *block.cid()));
            bench.store.put(std::slice::from_ref(&block));
            while let Some((key, _)) = cursor.prev().await.unwrap() {
                seen.push(key);
            }
            assert!(seen.iter().eq(model.keys().rev()));
        }
    });
}
