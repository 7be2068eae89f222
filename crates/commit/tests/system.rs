//! Pins the bytes of accounts and access keys in the `system` tree, which `docs/formats.md` describes.

use carob_block::{Block, Bytes, Codec};
use carob_commit::{AccountState, CommitError, EncryptionKeyState, Inline, KeyState, SystemState, TreeValue};
use carob_identity::{Scope, Signer, SpaceKey, Timestamp};

const TIME: u64 = 1_700_000_000_123;

fn full_key() -> KeyState {
    KeyState {
        account: *SpaceKey::from_seed(&[7; 32]).did(),
        created: Timestamp(TIME),
        expires: Some(Timestamp(TIME + 1)),
        revoked: Some(Timestamp(TIME + 2)),
        scope: Scope { buckets: vec!["photos".into()], prefix: "cats/".into(), read: true, write: false },
        secret: vec![1; 3],
    }
}

#[track_caller]
fn pinned<T: TreeValue + PartialEq + std::fmt::Debug>(state: &T, golden: &str) {
    let (value, block) = state.to_value().unwrap();
    assert_eq!(hex::encode(value.bytes()), golden);
    assert!(block.is_none(), "it stands in the tree");
    let node = *Block::new(Codec::Raw, Bytes::new()).unwrap().cid();
    let Inline::Here(again) = T::from_value(&value, node).unwrap() else { panic!("it is inline") };
    assert_eq!(*again, *state);
}

#[test]
fn the_tree_says_what_it_is_in_its_golden_bytes() {
    pinned(&SystemState { v: 1, check: vec![1; 3] }, "a261760165636865636b43010101");
}

#[test]
fn an_account_has_its_golden_bytes() {
    let state = AccountState { name: "alice".into(), created: Timestamp(TIME), key: vec![1; 3] };
    pinned(&state, "a3636b657943010101646e616d6565616c69636567637265617465641b0000018bcfe5687b");
}

#[test]
fn an_access_key_has_its_golden_bytes() {
    pinned(
        &full_key(),
        concat!(
            "a66573636f7065a46472656164f5657772697465f46670726566697865636174732f676275636b6574738166",
            "70686f746f736673656372657443010101676163636f756e7478386469643a6b65793a7a364d6b7644714754",
            "3534635865735947764142704631556170564e776a43715263616669345078365468763554335a6763726561",
            "7465641b0000018bcfe5687b67657870697265731b0000018bcfe5687c677265766f6b65641b0000018bcfe5",
            "687d",
        ),
    );
    let least = KeyState { expires: None, revoked: None, scope: Scope::default(), ..full_key() };
    pinned(
        &least,
        concat!(
            "a46573636f7065a26472656164f5657772697465f56673656372657443010101676163636f756e7478386469",
            "643a6b65793a7a364d6b76447147543534635865735947764142704631556170564e776a4371526361666934",
            "5078365468763554335a67637265617465641b0000018bcfe5687b",
        ),
    );
}

#[test]
fn an_encryption_key_has_its_golden_bytes() {
    let state = |disabled| EncryptionKeyState { created: Timestamp(TIME), disabled, key: vec![1; 3] };
    pinned(
        &state(Some(Timestamp(TIME + 1))),
        "a3636b65794301010167637265617465641b0000018bcfe5687b6864697361626c65641b0000018bcfe5687c",
    );
    pinned(&state(None), "a2636b65794301010167637265617465641b0000018bcfe5687b");
}

#[test]
fn a_field_that_is_not_known_is_refused() {
    let block = |hex: &str| Block::new(Codec::DagCbor, hex::decode(hex).unwrap().into()).unwrap();
    // {"v": 1, "zzzzz": 1, "check": h''}
    let unknown = block("a361760165636865636b40657a7a7a7a7a01");
    assert!(matches!(SystemState::from_block(&unknown), Err(CommitError::Malformed { .. })));
    let known = block("a261760165636865636b40");
    assert_eq!(SystemState::from_block(&known).unwrap(), SystemState { v: 1, check: Vec::new() });
}
