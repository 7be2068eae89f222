//! Summaries are read by hand. The same by way of serde, as records are read, stands here beside it.

use carob_block::{Block, Bytes, Cid, Codec};
use carob_commit::{ChecksumType, ETag, Inline, Summary};
use carob_identity::Timestamp;
use carob_index::Value;
use carob_object::ChecksumAlgorithm;
use ipld_core::ipld::Ipld;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Derived {
    c: Cid,
    s: u64,
    e: ETag,
    m: Timestamp,
    #[serde(default)]
    h: Headers,
    #[serde(default)]
    k: Option<Named>,
    #[serde(default)]
    kt: ChecksumType,
    #[serde(default)]
    a: Option<String>,
}

#[derive(Default, Deserialize)]
struct Headers {
    #[serde(default)]
    sc: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    a: ChecksumAlgorithm,
}

fn derived(value: &Value) -> Option<Inline<Summary>> {
    if let Ok(cid) = value.deserialize() {
        return Some(Inline::Linked(cid));
    }
    let Derived { c, s, e, m, h, k, kt, a } = value.deserialize().ok()?;
    Some(Inline::Here(Summary {
        content: c,
        size: s,
        etag: e,
        modified: m,
        storage_class: h.sc,
        checksum: k.map(|named| named.a),
        checksum_type: kt,
        access: a,
    }))
}

fn node() -> Cid {
    *Block::new(Codec::DagCbor, Bytes::new()).unwrap().cid()
}

fn read(value: &Value) -> Option<Inline<Summary>> {
    Summary::from_datum(value.datum(), node()).ok()
}

fn link() -> impl Strategy<Value = Ipld> {
    let codec = prop_oneof![Just(0x55), Just(0x70), Just(0x71), Just(0x72), any::<u64>()];
    let known = (codec, any::<[u8; 32]>()).prop_map(|(codec, digest)| {
        let mut cid = vec![1];
        let mut left = codec;
        while left > 0x7f {
            cid.push(left as u8 | 0x80);
            left >>= 7;
        }
        cid.push(left as u8);
        cid.extend([0x12, 0x20]);
        cid.extend(digest);
        cid
    });
    // Identity hashes of few bytes.
    let other = prop::collection::vec(any::<u8>(), 0..40)
        .prop_map(|hash| [&[1, 0x55, 0, hash.len() as u8], &hash[..]].concat());
    prop_oneof![3 => known, 1 => other].prop_map(|cid| Ipld::Link(Cid::try_from(cid).unwrap()))
}

fn text(among: &'static [&'static str]) -> impl Strategy<Value = Ipld> {
    prop_oneof![
        3 => prop::sample::select(among).prop_map(|text| Ipld::String(text.to_owned())),
        1 => ".{0,8}".prop_map(Ipld::String),
    ]
}

fn number() -> impl Strategy<Value = Ipld> {
    prop_oneof![0u64..300, any::<u32>().prop_map(u64::from), any::<u64>()]
        .prop_map(|number| Ipld::Integer(number.into()))
}

fn bytes(usual: usize) -> impl Strategy<Value = Ipld> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), usual),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
    .prop_map(Ipld::Bytes)
}

fn anything() -> impl Strategy<Value = Ipld> {
    let leaf = prop_oneof![
        Just(Ipld::Null),
        any::<bool>().prop_map(Ipld::Bool),
        any::<i64>().prop_map(|number| Ipld::Integer(number.into())),
        Just(Ipld::Float(1.5)),
        text(&["FULL_OBJECT", "COMPOSITE", "CRC32", "SHA256"]),
        bytes(16),
        number(),
        link(),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Ipld::List),
            prop::collection::btree_map("[a-z]{0,5}|md5|parts|sc|FULL_OBJECT", inner, 0..3)
                .prop_map(Ipld::Map),
        ]
    })
}

/// A field that is there most often, and most often what it should be.
fn field(
    name: &'static str,
    usual: impl Strategy<Value = Ipld> + 'static,
) -> impl Strategy<Value = Option<(String, Ipld)>> {
    prop_oneof![
        20 => usual.prop_map(Some),
        1 => anything().prop_map(Some),
        1 => Just(Some(Ipld::Null)),
        1 => Just(None),
    ]
    .prop_map(move |value| value.map(|value| (name.to_owned(), value)))
}

fn map(fields: Vec<BoxedStrategy<Option<(String, Ipld)>>>) -> impl Strategy<Value = Ipld> {
    let others = prop::collection::btree_map("[a-z]{1,2}", anything(), 0..3);
    (fields, others).prop_map(|(fields, mut map)| {
        map.extend(fields.into_iter().flatten());
        Ipld::Map(map)
    })
}

fn record() -> impl Strategy<Value = Ipld> {
    const ALGORITHMS: &[&str] = &[
        "CRC32",
        "CRC32C",
        "CRC64NVME",
        "SHA1",
        "SHA256",
        "SHA512",
        "MD5",
        "XXHASH64",
        "XXHASH3",
        "XXHASH128",
        "crc32",
    ];
    let etag = map(vec![field("md5", bytes(16)).boxed(), field("parts", number()).boxed()]);
    let headers = map(vec![field("sc", text(&["GLACIER_IR"])).boxed(), field("ct", text(&["a/b"])).boxed()]);
    let checksum = map(vec![field("a", text(ALGORITHMS)).boxed(), field("v", bytes(4)).boxed()]);
    map(vec![
        field("c", link()).boxed(),
        field("s", number()).boxed(),
        field("e", etag).boxed(),
        field("m", number()).boxed(),
        field("h", headers).boxed(),
        field("k", checksum).boxed(),
        field("kt", text(&["FULL_OBJECT", "COMPOSITE"])).boxed(),
        field("a", text(&["{}"])).boxed(),
        field("b", anything()).boxed(),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_summary_is_what_serde_makes_of_the_record(value in prop_oneof![8 => record(), 1 => anything(), 1 => link()]) {
        let value = Value::from_serialize(&value);
        prop_assume!(value.is_ok());
        let value = value.unwrap();
        prop_assert_eq!(read(&value), derived(&value));
    }

    #[test]
    fn mutated_bytes_are_read_alike_or_refused_alike(
        value in record(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = serde_ipld_dagcbor::to_vec(&value).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // What is not canonical never comes so far: a tree refuses it with the node that holds it.
        if let Ok(value) = Value::new(bytes.into()) {
            prop_assert_eq!(read(&value), derived(&value));
        }
    }
}
