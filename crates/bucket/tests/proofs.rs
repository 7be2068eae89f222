//! Proofs: they show what the bucket answers, and nothing that was changed in them passes.

mod support;

use std::collections::BTreeMap;
use std::io::Cursor;

use carob_block::Block;
use carob_bucket::{Answer, Bucket, Proof, PutOptions, Question};
use carob_car::Frame;
use carob_commit::{Proven, Verified, VerifyError, verify_file};
use carob_identity::{Did, SeededEntropy, Signer, SpaceKey};
use futures::TryStreamExt;
use proptest::prelude::*;
use support::{put, put_with, space};

fn car(blocks: &[Block]) -> Vec<u8> {
    let mut car = carob_car::header(&[*blocks[0].cid()]).unwrap();
    for block in blocks {
        Frame::of(block).append_to(&mut car);
    }
    car
}

async fn check(car: Vec<u8>, space: &Did) -> Result<Proven, VerifyError> {
    match verify_file(Cursor::new(car), Some(space)).await? {
        Verified::Proof(proven) => Ok(proven),
        Verified::Export(report) => panic!("{report:?}"),
    }
}

async fn prove(bucket: &Bucket, question: Question, body: bool) -> (Proof, Vec<Block>) {
    let snapshot = bucket.snapshot().await.unwrap();
    let proof = snapshot.prove(question, body).await.unwrap();
    let mut blocks = proof.blocks.clone();
    if let (Answer::Object(record, _), true) = (&proof.answer, proof.claim.body) {
        blocks.extend(snapshot.body_blocks((**record).clone()).try_collect::<Vec<_>>().await.unwrap());
    }
    (proof, blocks)
}

/// Some hundred keys, so that the tree has levels, and one whose record has a block of its own.
async fn filled() -> (Bucket, Did) {
    let space = space().await;
    space.create_bucket("bucket").await.unwrap();
    let bucket = space.bucket("bucket").await.unwrap();
    for n in 0..200 {
        put(&bucket, &format!("dir{}/{n:03}", n % 7), &"x".repeat(n)).await.unwrap();
    }
    let metadata = BTreeMap::from([("long".to_owned(), "y".repeat(1000))]);
    put_with(&bucket, "large", &"z".repeat(40_000), PutOptions { metadata, ..PutOptions::default() })
        .await
        .unwrap();
    (bucket, *space.did())
}

fn questions() -> [(Question, bool); 8] {
    let key = |key: &str| Question::Key(key.to_owned());
    let prefix = |prefix: &str| Question::Prefix(prefix.to_owned());
    [
        (key("dir3/003"), false),
        (key("large"), false),
        (key("large"), true),
        (key("absent"), false),
        (key("zzz"), false),
        (prefix("dir3/"), false),
        (prefix(""), false),
        (prefix("zzz"), false),
    ]
}

#[tokio::test]
async fn a_proof_shows_what_the_bucket_answers() {
    let (bucket, space) = filled().await;
    for (question, body) in questions() {
        let (proof, blocks) = prove(&bucket, question.clone(), body).await;
        let proven = check(car(&blocks), &space).await.unwrap();
        assert_eq!((&proven.answer, &proven.claim), (&proof.answer, &proof.claim), "{question:?}");
        let held = bucket.snapshot().await.unwrap();
        assert_eq!(proven.commit, *held.commit());
        match (question, proven.answer) {
            (Question::Key(key), Answer::Object(record, _)) => {
                assert_eq!(*record, *held.get(&key).await.unwrap().unwrap().record());
            }
            (Question::Key(key), Answer::Absent) => assert!(held.get(&key).await.unwrap().is_none()),
            (Question::Prefix(prefix), Answer::Listing(all)) => {
                let usage = held.usage(&prefix).await.unwrap();
                assert_eq!(all.len() as u64, usage.objects, "{prefix}");
                assert!(all.iter().all(|(key, _)| key.starts_with(&prefix)));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn every_changed_byte_of_a_proof_is_noticed() {
    let (bucket, space) = filled().await;
    for (question, body) in [questions()[0].clone(), questions()[3].clone(), questions()[1].clone()] {
        let good = car(&prove(&bucket, question, body).await.1);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(check(bad, &space).await.is_err(), "byte {at} of {}", good.len());
        }
        for end in 0..good.len() {
            assert!(check(good[..end].to_vec(), &space).await.is_err(), "cut at {end}");
        }
    }
}

#[tokio::test]
async fn a_proof_has_exactly_the_blocks_that_it_needs() {
    let (bucket, space) = filled().await;
    for (question, body) in questions() {
        let (_, blocks) = prove(&bucket, question, body).await;
        for left_out in 1..blocks.len() {
            let mut fewer = blocks.clone();
            fewer.remove(left_out);
            assert!(check(car(&fewer), &space).await.is_err(), "without {left_out} of {}", blocks.len());
        }
        let mut more = blocks;
        more.push(Block::new(carob_block::Codec::Raw, "more".into()).unwrap());
        assert!(matches!(check(car(&more), &space).await, Err(VerifyError::Unneeded(_))));
    }
}

#[tokio::test]
async fn a_proof_answers_no_other_question_and_for_no_other_space() {
    let (bucket, space) = filled().await;
    let (proof, mut blocks) = prove(&bucket, Question::Key("dir3/003".into()), false).await;
    let stranger = *SpaceKey::generate(&SeededEntropy::new(99)).did();
    assert!(matches!(check(car(&blocks), &stranger).await, Err(VerifyError::OtherSpace(_))));
    for question in [Question::Key("large".into()), Question::Prefix("dir".into())] {
        let claim = carob_bucket::Claim { question, ..proof.claim.clone() };
        blocks[0] = claim.to_block().unwrap();
        assert!(check(car(&blocks), &space).await.is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_key_and_any_prefix_is_proven(
        keys in prop::collection::btree_set("[ab]{1,4}", 0..60),
        asked in prop::collection::vec("[ab]{0,4}", 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bucket = support::bucket().await;
            for key in &keys {
                put(&bucket, key, key).await.unwrap();
            }
            let space = bucket.snapshot().await.unwrap().commit().space;
            for asked in asked {
                let (_, blocks) = prove(&bucket, Question::Key(asked.clone()), true).await;
                let found = check(car(&blocks), &space).await.unwrap().answer;
                prop_assert_eq!(matches!(found, Answer::Object(..)), keys.contains(&asked));
                let (_, blocks) = prove(&bucket, Question::Prefix(asked.clone()), false).await;
                let Answer::Listing(found) = check(car(&blocks), &space).await.unwrap().answer else {
                    panic!("no listing");
                };
                let found: Vec<_> = found.into_iter().map(|(key, _)| key).collect();
                let expected: Vec<_> = keys.iter().filter(|key| key.starts_with(&asked)).cloned().collect();
                prop_assert_eq!(found, expected);
            }
            Ok(())
        })?;
    }
}
