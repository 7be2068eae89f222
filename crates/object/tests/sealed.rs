//! Sealed bodies: written, joined and read by range.

mod support;

use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Cid, MemoryStore, ReadBlocks, Session};
use carob_object::{
    Body, Budget, BudgetOptions, ChecksumAlgorithm, DataKey, ObjectError, ObjectWriter, Run, Salt,
    SealedPart, WrittenObject, join, read_sealed, sealed_size,
};
use futures::TryStreamExt;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use support::{pattern, read_range, store};

fn data_key() -> DataKey {
    DataKey::new(std::array::from_fn(|at| at as u8).into())
}

fn salt(first: u8) -> Salt {
    std::array::from_fn(|at| first + at as u8)
}

async fn write_sealed(session: &Arc<dyn Session>, body: &Bytes, salt: &Salt, piece: usize) -> WrittenObject {
    let writer = ObjectWriter::new(Arc::clone(session), &[ChecksumAlgorithm::Crc32]);
    let mut writer = writer.sealed(&data_key().body(salt));
    for at in (0..body.len()).step_by(piece) {
        writer.write(body.slice(at..body.len().min(at + piece))).await.unwrap();
    }
    writer.finish().await.unwrap()
}

async fn open(
    store: &Arc<MemoryStore>,
    content: Cid,
    parts: &[SealedPart],
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>, ObjectError> {
    let size = parts.iter().map(|part| sealed_size(part.size).unwrap()).sum();
    let body = Body { content, size, runs: Vec::new() };
    let items: Vec<Bytes> =
        read_sealed(Arc::clone(store) as _, body, parts, range, None)?.try_collect().await?;
    assert!(items.iter().all(|item| !item.is_empty()), "no empty item");
    Ok(items.concat())
}

fn part(size: u64, salt: &Salt) -> SealedPart {
    SealedPart { size, key: data_key().body(salt) }
}

/// Sizes and SHA-256 of what is stored of the pattern of so many bytes, under key 00 to 1f and salt 10 to 1f: computed
/// with Node's `crypto`.
const STORED: [(usize, u64, &str); 8] = [
    (0, 16, "f83911f00e7f678402180e322d1a97d2dd5f919577b47e02d93632ce613def6e"),
    (1, 17, "a28976e818f75f8a2f42a54858e2e2a424044f739be4be10545d6613b05053ce"),
    (65519, 65535, "17b9669930689da7cba308f82af5a28a25001d7a407320145f21a4111c8acf5d"),
    (65520, 65552, "62d709d68d718aafb17442b9be69d7ce78f3c05de7a71715840d6c9cb0d9670b"),
    (65521, 65553, "7e07e905f93cc39cefdb8270a8431824647d2e62c78d8df4584dcfae60e98c08"),
    (1_048_320, 1_048_592, "3208c9d064579e9b9140cf03bfa11fe2c1ffe690d36f66165e1d54bc7be5d63b"),
    (1_048_321, 1_048_593, "ab276822037cae57c32c4c2adf4685ce96dad8508e07218ad8dff7501f3a4d86"),
    (2_500_000, 2_500_624, "09c5a68e82f0e4b7f14e4689ac511c6ee2123e684b404a4871d115850502b6ac"),
];

#[tokio::test]
async fn stored_bytes_are_those_of_another_implementation() {
    for (size, stored, sha256) in STORED {
        let (store, session) = store();
        let object = write_sealed(&session, &pattern(size), &salt(16), 300_000).await;
        assert_eq!((object.size, object.stored), (size as u64, stored));
        assert_eq!(sealed_size(size as u64), Some(stored));
        let bytes = read_range(Arc::clone(&store) as _, object.cid, stored, 0..stored).await.unwrap();
        assert_eq!(hex::encode(Sha256::digest(&bytes)), sha256, "{size} bytes");
        assert_eq!(*blake3::hash(&bytes).as_bytes(), object.blake3, "of what is stored: {size} bytes");
        let opened = open(&store, object.cid, &[part(object.size, &salt(16))], 0..object.size).await.unwrap();
        assert!(opened == pattern(size), "{size} bytes");
    }
    let tag = data_key().entity_tag(&[7; 16]);
    assert_eq!(hex::encode(tag), "031ae2a31038af3d2356460c8f9952d3");
}

#[tokio::test]
async fn hashes_that_clients_know_are_of_the_body() {
    let (_, session) = store();
    let body = pattern(1_500_000);
    let sealed = write_sealed(&session, &body, &salt(0), 1 << 20).await;
    let plain = support::write(&session, [body], &[ChecksumAlgorithm::Crc32]).await.unwrap();
    assert_eq!((sealed.size, sealed.md5, &sealed.checksums), (plain.size, plain.md5, &plain.checksums));
    assert_ne!(sealed.cid, plain.cid);
}

#[tokio::test]
async fn another_key_or_salt_opens_nothing() {
    let (store, session) = store();
    let object = write_sealed(&session, &pattern(200_000), &salt(1), 200_000).await;
    let other = SealedPart { size: object.size, key: DataKey::new([9; 32].into()).body(&salt(1)) };
    for wrong in [part(object.size, &salt(2)), other] {
        let opened = open(&store, object.cid, &[wrong], 0..object.size).await;
        assert!(matches!(opened, Err(ObjectError::Unopened(_))), "{opened:?}");
    }
}

#[tokio::test]
async fn a_body_cut_short_or_in_another_order_is_refused() {
    let (store, session) = store();
    let one = write_sealed(&session, &pattern(70_000), &salt(1), 70_000).await;
    let two = write_sealed(&session, &pattern(70_000), &salt(2), 70_000).await;
    let blocks: Arc<dyn ReadBlocks> = Arc::clone(&store) as _;
    let joined = join(&blocks, &*session, &[(one.cid, one.stored), (two.cid, two.stored)]).await.unwrap();
    let parts = [part(70_000, &salt(1)), part(70_000, &salt(2))];
    assert!(open(&store, joined.content, &parts, 0..140_000).await.is_ok());
    let swapped = [parts[1].clone(), parts[0].clone()];
    assert!(matches!(
        open(&store, joined.content, &swapped, 0..140_000).await,
        Err(ObjectError::Unopened(_))
    ));
    let shorter = open(&store, joined.content, &parts[..1], 0..70_000).await;
    assert!(matches!(shorter, Err(ObjectError::Malformed { .. })), "{shorter:?}");
    let longer = [parts[0].clone(), part(70_001, &salt(2))];
    assert!(open(&store, joined.content, &longer, 0..140_001).await.is_err());
    assert!(matches!(
        open(&store, joined.content, &parts, 0..140_001).await,
        Err(ObjectError::OutOfRange { .. })
    ));
}

/// Whoever reads gets on with memory for one leaf, and gives all of it back.
#[tokio::test]
async fn sealed_bodies_stay_within_a_budget() {
    let (store, session) = store();
    let budget = Budget::new(BudgetOptions { bytes: 5 << 20, ..BudgetOptions::default() });
    let body = pattern(5_000_000);
    let writer = ObjectWriter::new(Arc::clone(&session), &[]).sealed(&data_key().body(&salt(3)));
    let mut writer = writer.within(budget.clone(), body.len() as u64, 0);
    writer.write(body.clone()).await.unwrap();
    assert!(budget.taken() > 0);
    let object = writer.finish().await.unwrap();
    assert_eq!(budget.taken(), 0);
    let first = budget.enter(2 << 20).await.unwrap();
    let shares = Some((budget.clone(), first));
    let parts = [part(object.size, &salt(3))];
    let run = Run { size: object.stored, root: object.blake3, outboard: object.outboard };
    let body_of = Body { content: object.cid, size: object.stored, runs: vec![run] };
    let reader = read_sealed(store as _, body_of, &parts, 0..object.size, shares).unwrap();
    let read: Vec<Bytes> =
        reader.and_then(|bytes| async move { Ok(Bytes::from(bytes.to_vec())) }).try_collect().await.unwrap();
    assert!(read.concat() == body);
    tokio::task::yield_now().await;
    assert_eq!(budget.taken(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_range_of_any_parts_is_that_of_the_bodies(
        sizes in prop::collection::vec(prop_oneof![0_usize..200_000, 1_048_000_usize..1_049_000, 0_usize..2_500_000], 1..4),
        ends in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        piece in 1_usize..1_500_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (store, session) = store();
            let (mut stored, mut parts, mut whole) = (Vec::new(), Vec::new(), Vec::new());
            for (number, size) in sizes.iter().enumerate() {
                let (body, salt) = (pattern(*size), salt(number as u8));
                let object = write_sealed(&session, &body, &salt, piece.max(1000)).await;
                stored.push((object.cid, object.stored));
                parts.push(part(object.size, &salt));
                whole.extend_from_slice(&body);
            }
            let blocks: Arc<dyn ReadBlocks> = Arc::clone(&store) as _;
            let joined = join(&blocks, &*session, &stored).await.unwrap();
            let (a, b) = (ends.0.index(whole.len() + 1), ends.1.index(whole.len() + 1));
            let range = a.min(b)..a.max(b);
            let read = open(&store, joined.content, &parts, range.start as u64..range.end as u64).await.unwrap();
            prop_assert!(read == whole[range.clone()], "another {range:?} of {sizes:?}");
            let all = open(&store, joined.content, &parts, 0..whole.len() as u64).await.unwrap();
            prop_assert!(all == whole, "another whole of {sizes:?}");
            Ok(())
        })?;
    }
}
