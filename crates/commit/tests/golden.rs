//! Pins every byte of the structures that `docs/formats.md` describes.

use std::collections::BTreeMap;

use carob_block::{Block, Bytes, Cid, Codec};
use carob_commit::{
    Blake3Root, BucketId, ChecksumType, Commit, CommitError, Config, DefaultRetention, DeleteMarker, ETag,
    Encryption, Genesis, HistoryRetention, INLINE, Inline, Kept, KeptCommit, Layout, Lock, NamedCommit,
    NamedKey, ObjectHeaders, ObjectLock, Part, PartList, Purged, Record, Retention, RetentionMode,
    RetentionPeriod, Scheme, SealedBody, Summary, Tombstone, TreeValue, Unsigned, Version, VersionId,
    VersionName, Versioning,
};
use carob_identity::{Hlc, Signer, SpaceKey, Timestamp};
use carob_object::{Checksum, ChecksumAlgorithm};

const TIME: u64 = 1_700_000_000_123;

fn key() -> SpaceKey {
    SpaceKey::from_seed(&[7; 32])
}

fn cid(text: &'static str) -> Cid {
    *Block::new(Codec::Raw, Bytes::from_static(text.as_bytes())).unwrap().cid()
}

fn genesis() -> Genesis {
    let did = *key().did();
    let created = Timestamp(TIME);
    Genesis { id: BucketId([1; 16]), space: did, owner: did, salt: [2; 16], created }
}

fn unsigned() -> Unsigned {
    Unsigned {
        space: *key().did(),
        bucket: BucketId([1; 16]),
        name: "photos".to_owned(),
        objects: cid("tree"),
        versions: None,
        config: None,
        parents: vec![cid("parent")],
        skip: Some(cid("skip")),
        seq: 5,
        time: Hlc { millis: TIME, counter: 3 },
        author: *key().did(),
    }
}

fn record() -> Record {
    Record {
        content: cid("body"),
        size: 4,
        etag: ETag { md5: [3; 16], parts: None },
        blake3: Some(Blake3Root { root: [4; 32], outboard: None }),
        parts: None,
        layout: Layout::Balanced,
        modified: Timestamp(TIME),
        headers: ObjectHeaders { content_type: Some("text/plain".to_owned()), ..ObjectHeaders::default() },
        metadata: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        checksum: Some(Checksum { algorithm: ChecksumAlgorithm::Crc64Nvme, value: vec![5; 8] }),
        checksum_type: ChecksumType::FullObject,
        version: None,
        null: false,
        lock: Lock::default(),
        tags: BTreeMap::new(),
        access: None,
        sealed: None,
    }
}

const VERSION: VersionId = VersionId([0xaa; 16]);

#[test]
fn genesis_has_its_golden_bytes() {
    let block = genesis().to_block().unwrap();
    assert_eq!(
        hex::encode(block.data()),
        concat!(
            "a661760162696450010101010101010101010101010101016473616c74500202020202020202020202020202",
            "0202656f776e657278386469643a6b65793a7a364d6b76447147543534635865735947764142704631556170",
            "564e776a43715263616669345078365468763554335a65737061636578386469643a6b65793a7a364d6b7644",
            "7147543534635865735947764142704631556170564e776a43715263616669345078365468763554335a6763",
            "7265617465641b0000018bcfe5687b",
        )
    );
    assert_eq!(Genesis::from_block(&block).unwrap(), genesis());
}

#[test]
fn commit_has_its_golden_bytes() {
    let (commit, block) = unsigned().sign(&key()).unwrap();
    assert_eq!(
        hex::encode(block.data()),
        concat!(
            "ab6176016373657105637369675840d45ce63408276e0ea1848bd1dee684b801b5440aa4e62a7d4ac1d4a231",
            "19501ecf9ef9aa6d1c2ef744d71d7fb0644c4329a924c3bd2a5ad83571dd13210bad0c646e616d656670686f",
            "746f7364736b697058240155122042e93b9bb77d8a73e8412111b8f3d6befab66bf48fdcdefa80bb111819aa",
            "0cb16474696d65821b0000018bcfe5687b0365737061636578386469643a6b65793a7a364d6b764471475435",
            "34635865735947764142704631556170564e776a43715263616669345078365468763554335a66617574686f",
            "7278386469643a6b65793a7a364d6b76447147543534635865735947764142704631556170564e776a437152",
            "63616669345078365468763554335a666275636b65745001010101010101010101010101010101676f626a65",
            "637473d82a58250001551220dc9c5edb8b2d479e697b4b0b8ab874f32b325138598ce9e7b759eb8292110622",
            "67706172656e747381582401551220e47125968b3b71049fbc4802d1e40a71ea1359decfabacf70b34588037",
            "d4ff0c",
        )
    );
    assert_eq!(Commit::from_block(&block).unwrap(), commit);
    assert_eq!(block.links().unwrap(), [cid("tree")], "parents and skip are weak");
}

#[test]
fn record_has_its_golden_bytes() {
    let (value, block) = record().to_value().unwrap();
    assert!(block.is_none());
    assert_eq!(
        hex::encode(value.bytes()),
        concat!(
            "a861628258200404040404040404040404040404040404040404040404040404040404040404f66163d82a58",
            "250001551220230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb56165a1636d64",
            "3550030303030303030303030303030303036168a16263746a746578742f706c61696e616ba2616169435243",
            "36344e564d456176480505050505050505616d1b0000018bcfe5687b6173046175a161616162",
        )
    );
    let read = Record::from_value(&value, cid("node")).unwrap();
    assert_eq!(read, Inline::Here(Box::new(record())));
}

#[test]
fn a_summary_is_the_same_part_of_a_record_however_it_is_read() {
    let parts = ETag { md5: [7; 16], parts: Some(3) };
    let blake3 = Some(Blake3Root { root: [4; 32], outboard: Some(cid("outboard")) });
    let headers = ObjectHeaders {
        cache_control: Some("no-cache".to_owned()),
        storage_class: Some("STANDARD_IA".to_owned()),
        ..ObjectHeaders::default()
    };
    let least = Record { checksum: None, blake3: None, headers: ObjectHeaders::default(), ..record() };
    let most = Record {
        etag: parts,
        parts: Some(cid("parts")),
        blake3,
        layout: Layout::Joined,
        headers,
        checksum_type: ChecksumType::Composite,
        version: Some(VERSION),
        null: true,
        tags: BTreeMap::from([("t".to_owned(), "u".to_owned())]),
        access: Some("{}".to_owned()),
        ..record()
    };
    for record in [record(), least, most] {
        let (value, _) = record.to_value().unwrap();
        let read = Summary::from_datum(value.datum(), cid("node")).unwrap();
        assert_eq!(read, Inline::Here(record.into()));
    }
    let long = Record { access: Some("x".repeat(INLINE)), ..record() };
    let (value, block) = long.to_value().unwrap();
    let read = Summary::from_datum(value.datum(), cid("node")).unwrap();
    assert_eq!(read, Inline::Linked(*block.unwrap().cid()));
}

#[test]
fn an_encrypted_object_has_its_golden_bytes() {
    let encryption = Encryption {
        scheme: Scheme::Named,
        data_key: vec![8; 3],
        key: Some(NamedKey { name: "one".parse().unwrap(), called: "alias/one".to_owned() }),
        context: Some("e30=".to_owned()),
        bucket_key: Some(true),
    };
    let full = SealedBody { encryption: encryption.clone(), salt: Some([6; 16]), stored: 20 };
    let least =
        Encryption { scheme: Scheme::Customer, key: None, context: None, bucket_key: None, ..encryption };
    let least = SealedBody { encryption: least, salt: None, stored: 20 };
    let golden = [
        concat!(
            "a961628258200404040404040404040404040404040404040404040404040404040404040404f66163d82a58",
            "250001551220230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb56165a1636d64",
            "3550030303030303030303030303030303036168a16263746a746578742f706c61696e616ba2616169435243",
            "36344e564d456176480505050505050505616d1b0000018bcfe5687b6173046175a1616161626178a36165a5",
            "6162f56163646533303d616443080808616b82636f6e6569616c6961732f6f6e65616d676177733a6b6d7361",
            "6e5006060606060606060606060606060606617314",
        ),
        concat!(
            "a961628258200404040404040404040404040404040404040404040404040404040404040404f66163d82a58",
            "250001551220230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb56165a1636d64",
            "3550030303030303030303030303030303036168a16263746a746578742f706c61696e616ba2616169435243",
            "36344e564d456176480505050505050505616d1b0000018bcfe5687b6173046175a1616161626178a26165a2",
            "616443080808616d68637573746f6d6572617314",
        ),
    ];
    for (sealed, golden) in [full, least].into_iter().zip(golden) {
        let record = Record { sealed: Some(sealed), ..record() };
        let (value, _) = record.to_value().unwrap();
        assert_eq!(hex::encode(value.bytes()), golden);
        assert_eq!(Record::from_value(&value, cid("node")).unwrap(), Inline::Here(Box::new(record.clone())));
        assert_eq!((record.size, record.stored()), (4, 20));
    }
}

#[test]
fn versions_have_their_golden_bytes() {
    let until = Timestamp(TIME + 1);
    let retention = Some(Retention { mode: RetentionMode::Compliance, until });
    let record = Record {
        version: Some(VERSION),
        null: true,
        lock: Lock { retention, legal_hold: Some(true) },
        tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        checksum: None,
        ..record()
    };
    let object = Version::Object(Box::new(record.clone()));
    let marker = Version::DeleteMarker(DeleteMarker { version: VERSION, null: false });
    let null = Version::DeleteMarker(DeleteMarker { version: VERSION, null: true });
    let golden = [
        concat!(
            "a1616fab61628258200404040404040404040404040404040404040404040404040404040404040404f66163",
            "d82a58250001551220230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb56165a1",
            "636d643550030303030303030303030303030303036168a16263746a746578742f706c61696e616d1b000001",
            "8bcfe5687b616ef5616fa26168f56172a2616d6a434f4d504c49414e434561751b0000018bcfe5687c617304",
            "6174a1616b61766175a161616162617650aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
        "a16164a1617650aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "a16164a2616ef5617650aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    for (version, golden) in [object, marker, null].into_iter().zip(golden) {
        let (value, block) = version.to_value().unwrap();
        assert!(block.is_none());
        assert_eq!(hex::encode(value.bytes()), golden);
        assert_eq!(Version::from_value(&value, cid("node")).unwrap(), Inline::Here(Box::new(version)));
    }
    assert_eq!((record.order(), record.version_name()), (VERSION, VersionName::Null));
}

#[test]
fn configuration_has_its_golden_bytes() {
    assert_eq!(Config::default().to_block().unwrap(), None);
    let default = DefaultRetention { mode: RetentionMode::Governance, period: RetentionPeriod::Days(30) };
    let config = Config {
        versioning: Versioning::Enabled,
        object_lock: Some(ObjectLock { default: Some(default) }),
        tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        documents: BTreeMap::from([("policy".to_owned(), "{}".into())]),
        history: HistoryRetention::HEAD_ONLY,
    };
    let block = config.to_block().unwrap().unwrap();
    assert_eq!(
        hex::encode(block.data()),
        concat!(
            "a661760164646f6373a166706f6c696379427b7d646c6f636ba16764656661756c74a2646d6f64656a474f5645524e41",
            "4e434566706572696f64a16464617973181e6474616773a1616b617667686973746f7279a263616c6c0066686f75726c",
            "79006a76657273696f6e696e6767456e61626c6564",
        )
    );
    assert_eq!(Config::from_block(&block).unwrap(), config);
}

#[test]
fn a_large_record_stands_in_its_own_block() {
    let mut record = record();
    record.metadata.insert("long".to_owned(), "x".repeat(500));
    record.etag.parts = Some(3);
    record.blake3 = Some(Blake3Root { root: [6; 32], outboard: Some(cid("outboard")) });
    let (value, block) = record.to_value().unwrap();
    let block = block.unwrap();
    let read = Record::from_value(&value, cid("node")).unwrap();
    assert_eq!(read, Inline::Linked(*block.cid()));
    assert_eq!(Record::from_block(&block).unwrap(), record);
    assert_eq!(block.links().unwrap(), [cid("outboard"), cid("body")]);
}

#[test]
fn a_commit_with_any_flipped_bit_is_refused() {
    let (_, block) = unsigned().sign(&key()).unwrap();
    for at in 0..block.data().len() {
        for bit in 0..8 {
            let mut bytes = block.data().to_vec();
            bytes[at] ^= 1 << bit;
            let altered = Block::new(Codec::DagCbor, bytes.into()).unwrap();
            assert!(Commit::from_block(&altered).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_commit_signed_by_somebody_else_is_refused() {
    let (_, block) = unsigned().sign(&SpaceKey::from_seed(&[8; 32])).unwrap();
    let own = key().did().to_string();
    let other = SpaceKey::from_seed(&[8; 32]).did().to_string();
    let mut bytes = block.data().to_vec();
    let at = bytes.windows(other.len()).position(|window| window == other.as_bytes()).unwrap();
    bytes[at..at + own.len()].copy_from_slice(own.as_bytes());
    let forged = Block::new(Codec::DagCbor, bytes.into()).unwrap();
    assert!(matches!(Commit::from_block(&forged), Err(CommitError::BadSignature(_))));
}

#[test]
fn an_unknown_version_is_named() {
    let block = genesis().to_block().unwrap();
    let mut bytes = block.data().to_vec();
    let at = bytes.windows(3).position(|window| window == [0x61, b'v', 1]).unwrap();
    bytes[at + 2] = 2;
    let newer = Block::new(Codec::DagCbor, bytes.into()).unwrap();
    assert!(matches!(Genesis::from_block(&newer), Err(CommitError::UnknownVersion { found: 2, .. })));
}

#[test]
fn part_list_has_its_golden_bytes() {
    let part = |number, outboard, checksum| {
        let blake3 = Blake3Root { root: [4; 32], outboard };
        Part { number, size: 5 << 20, blake3, checksum, salt: None }
    };
    let parts = PartList(vec![part(1, Some(cid("outboard")), Some(vec![9; 4])), part(10_000, None, None)]);
    let block = parts.to_block().unwrap();
    assert_eq!(
        hex::encode(block.data()),
        concat!(
            "8285011a0050000058200404040404040404040404040404040404040404040404040404040404040404d82a",
            "58250001551220b271e98a6bdd756c9c69ad6b95d02e08817cb8f69d458db6867eb9a16c12e23c4409090909",
            "851927101a0050000058200404040404040404040404040404040404040404040404040404040404040404f6",
            "f6",
        )
    );
    assert_eq!(PartList::from_block(&block).unwrap(), parts);
    assert_eq!(parts.size(), 10 << 20);
    let full = PartList((1..=10_000).map(|n| part(n, Some(cid("o")), Some(vec![9; 32]))).collect());
    full.to_block().unwrap();
}

#[test]
fn kept_commits_have_their_golden_bytes() {
    let upto = Hlc { millis: TIME, counter: 3 };
    let kept = Kept { upto, seq: 5, ended: Some(Timestamp(TIME)), genesis: None, commits: Some(cid("tree")) };
    let block = kept.to_block().unwrap();
    assert_eq!(
        hex::encode(block.data()),
        concat!(
            "a56176016373657105647570746f821b0000018bcfe5687b0365656e6465641b0000018bcfe5687b67636f6d6d697473",
            "d82a58250001551220dc9c5edb8b2d479e697b4b0b8ab874f32b325138598ce9e7b759eb8292110622",
        )
    );
    assert_eq!(Kept::from_block(&block).unwrap(), kept);
    assert_eq!(block.links().unwrap(), [cid("tree")]);
    let deleted = Kept { genesis: Some(cid("genesis")), commits: None, ..kept };
    let block = deleted.to_block().unwrap();
    assert_eq!(
        hex::encode(block.data()),
        concat!(
            "a56176016373657105647570746f821b0000018bcfe5687b0365656e6465641b0000018bcfe5687b6767656e65736973",
            "d82a58250001551220aeebad4a796fcc2e15dc4c6061b45ed9b373f26adfc798ca7d2d8cc58182718e",
        )
    );
    assert_eq!(Kept::from_block(&block).unwrap(), deleted);
    assert_eq!(block.links().unwrap(), [cid("genesis")]);
    assert_eq!(hex::encode(KeptCommit::key(upto)), "0000018bcfe5687b0003");
    assert_eq!(KeptCommit::time(&KeptCommit::key(upto)), Some(upto));
    let entry = KeptCommit { until: TIME, commit: cid("commit") };
    let value = entry.to_value().unwrap();
    assert_eq!(
        hex::encode(value.bytes()),
        concat!(
            "821b0000018bcfe5687bd82a582500015512209505cacb7c710ed17125fcc6cb3669e8ddca6c8cd8af6a31f6b3cd6460",
            "4c3098",
        )
    );
    assert_eq!(KeptCommit::from_value(&value).unwrap(), entry);
}

#[test]
fn a_named_snapshot_has_its_golden_bytes() {
    let created = Timestamp(TIME);
    let named = NamedCommit { commit: cid("commit"), created, locked_until: Some(Timestamp(TIME + 1)) };
    let block = named.to_block().unwrap();
    assert_eq!(
        hex::encode(block.data()),
        concat!(
            "a461760165756e74696c1b0000018bcfe5687c66636f6d6d6974d82a582500015512209505cacb7c710ed17125fcc6cb",
            "3669e8ddca6c8cd8af6a31f6b3cd64604c309867637265617465641b0000018bcfe5687b",
        )
    );
    assert_eq!(NamedCommit::from_block(&block).unwrap(), named);
    assert_eq!(block.links().unwrap(), [cid("commit")]);
    let head = NamedCommit::head(BucketId([1; 16]), "nightly");
    assert_eq!(head, "snap/01010101010101010101010101010101/nightly");
}

#[test]
fn a_list_of_what_was_purged_has_its_golden_bytes() {
    let (space, author) = (*key().did(), *key().did());
    let (bucket, tombstones, time) = (BucketId([1; 16]), cid("tree"), Timestamp(TIME));
    let upto = Hlc { millis: TIME - 1, counter: 2 };
    let purged = Purged { space, bucket, tombstones, upto, time, author };
    let block = purged.sign(&key()).unwrap();
    assert_eq!(
        hex::encode(block.data()),
        concat!(
            "a86176016373696758403f046f723ed7b12ff1e4f3cdfb1329453f2ba6cc62915557ee5dc6adec42fc51f1",
            "3ae2c1df92a838c87566ac747292c5adc873ba2cf9150f36ba813ff1a0d1006474696d651b0000018bcfe5",
            "687b647570746f821b0000018bcfe5687a0265737061636578386469643a6b65793a7a364d6b7644714754",
            "3534635865735947764142704631556170564e776a43715263616669345078365468763554335a66617574",
            "686f7278386469643a6b65793a7a364d6b76447147543534635865735947764142704631556170564e776a",
            "43715263616669345078365468763554335a666275636b657450010101010101010101010101010101016a",
            "746f6d6273746f6e6573d82a58250001551220dc9c5edb8b2d479e697b4b0b8ab874f32b325138598ce9e7",
            "b759eb8292110622",
        )
    );
    assert_eq!(Purged::from_block(&block).unwrap(), purged);
    assert_eq!(block.links().unwrap(), [cid("tree")]);
    assert_eq!(Purged::head(bucket), "purged/01010101010101010101010101010101");
    for at in 0..block.data().len() {
        let mut bytes = block.data().to_vec();
        bytes[at] ^= 1;
        let flipped = Block::new(Codec::DagCbor, bytes.into());
        assert!(flipped.is_err() || Purged::from_block(&flipped.unwrap()).is_err(), "{at}");
    }
    let (of_key, of_block) = (Tombstone::Key("k/1".to_owned()), Tombstone::Block(cid("body")));
    assert_eq!(of_key.place(), b"kk/1");
    assert_eq!(of_block.place(), [&b"b"[..], &cid("body").to_bytes()].concat());
    assert_eq!(Tombstone::value(TIME).unwrap().bytes().as_ref(), b"\x1b\x00\x00\x01\x8b\xcf\xe5\x68\x7b");
}

#[test]
fn a_list_of_encrypted_parts_has_its_golden_bytes() {
    let part = |number, outboard, checksum| {
        let blake3 = Blake3Root { root: [4; 32], outboard };
        Part { number, size: 5 << 20, blake3, checksum, salt: Some([6; 16]) }
    };
    let parts = PartList(vec![part(1, Some(cid("outboard")), Some(vec![9; 4])), part(10_000, None, None)]);
    let block = parts.to_block().unwrap();
    assert_eq!(
        hex::encode(block.data()),
        concat!(
            "8286011a0050000058200404040404040404040404040404040404040404040404040404040404040404d82a",
            "58250001551220b271e98a6bdd756c9c69ad6b95d02e08817cb8f69d458db6867eb9a16c12e23c4409090909",
            "5006060606060606060606060606060606861927101a00500000582004040404040404040404040404040404",
            "04040404040404040404040404040404f6f65006060606060606060606060606060606",
        )
    );
    assert_eq!(PartList::from_block(&block).unwrap(), parts);
    assert_eq!(parts.0[0].stored(), Some((5 << 20) + 81 * 16));
    let full = PartList((1..=10_000).map(|n| part(n, Some(cid("o")), Some(vec![9; 32]))).collect());
    full.to_block().unwrap();
}
