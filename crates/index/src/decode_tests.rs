//! Nodes that no encoder writes are refused.

use bytes::Bytes;
use ipld_core::ipld::Ipld;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::cbor::Reader;
use crate::encode::NodeWriter;
use crate::node::{Child, Node, Payload};
use crate::{MAX_KEY, MAX_VALUE, Params, Totals};

fn encode(node: &Node) -> Bytes {
    let mut writer = NodeWriter::new(node.level());
    (0..node.len()).for_each(|at| writer.push(node.key(at), node.payload(at)).unwrap());
    writer.finish().block.data().clone()
}

pub(crate) fn ipld() -> impl Strategy<Value = Ipld> {
    let digest = any::<[u8; 32]>().prop_map(|digest| Ipld::Link(crate::node::cid_of(&digest)));
    let leaf = prop_oneof![
        Just(Ipld::Null),
        any::<bool>().prop_map(Ipld::Bool),
        any::<i64>().prop_map(|n| Ipld::Integer(n.into())),
        (0u64..70_000).prop_map(|n| Ipld::Integer(n.into())),
        any::<u64>().prop_map(|n| Ipld::Integer(-1 - i128::from(n))),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite() && (*f != 0.0 || f.is_sign_positive()))
            .prop_map(Ipld::Float),
        "[a-zé]{0,30}".prop_map(Ipld::String),
        prop::collection::vec(any::<u8>(), 0..30).prop_map(Ipld::Bytes),
        digest,
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Ipld::List),
            prop::collection::btree_map("[a-z]{0,3}", inner, 0..4).prop_map(Ipld::Map),
        ]
    })
}

fn node() -> impl Strategy<Value = Bytes> {
    let key = || prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 1..12);
    let leaf = prop::collection::btree_map(key(), (any::<u32>(), ipld()), 1..10).prop_map(|entries| {
        let mut writer = NodeWriter::new(0);
        for (key, (weight, value)) in entries {
            let value = serde_ipld_dagcbor::to_vec(&value).unwrap();
            writer.push(&key, Payload::Entry { weight: weight.into(), value: &value }).unwrap();
        }
        writer.finish().block.data().clone()
    });
    let child = (any::<[u8; 32]>(), 1u64..1 << 40, 0u64..1 << 50);
    let inner = (1u8..64, prop::collection::btree_map(key(), child, 1..10)).prop_map(|(level, entries)| {
        let mut writer = NodeWriter::new(level);
        for (key, (digest, count, bytes)) in entries {
            let child = Child { digest, totals: Totals { count, bytes } };
            writer.push(&key, Payload::Child(child)).unwrap();
        }
        writer.finish().block.data().clone()
    });
    prop_oneof![leaf, inner]
}

/// Whether the general decoder takes `bytes` for one item of canonical DAG-CBOR.
fn is_canonical(bytes: &[u8]) -> bool {
    serde_ipld_dagcbor::from_slice::<Ipld>(bytes)
        .is_ok_and(|ipld| serde_ipld_dagcbor::to_vec(&ipld).is_ok_and(|encoded| encoded == bytes))
}

fn accepts(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    reader.item().and_then(|()| reader.end()).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(0), failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_node_is_read_as_written_and_as_any_decoder_reads_it(block in node()) {
        prop_assert!(is_canonical(&block));
        prop_assert_eq!(encode(&Node::decode(&block).unwrap()), block);
    }

    #[test]
    fn a_mutated_node_is_refused_or_canonical(
        block in node(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..4),
    ) {
        let mut bytes = block.to_vec();
        for (at, byte, kind) in mutations {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let bytes = Bytes::from(bytes);
        if let Ok(node) = Node::decode(&bytes) {
            prop_assert!(is_canonical(&bytes));
            prop_assert_eq!(encode(&node), bytes);
        }
    }

    #[test]
    fn an_item_is_accepted_exactly_if_it_is_canonical(
        value in ipld(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = serde_ipld_dagcbor::to_vec(&value).unwrap();
        prop_assert!(accepts(&bytes));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        prop_assert_eq!(accepts(&bytes), is_canonical(&bytes), "{:02x?}", bytes);
    }

    #[test]
    fn any_bytes_decode_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(accepts(&bytes), is_canonical(&bytes), "{:02x?}", bytes);
        let _ = Node::decode(&bytes.into());
    }
}

#[test]
fn encodings_that_are_not_canonical_are_refused() {
    let refused: [(&str, &[u8]); 17] = [
        ("not minimal, 1 byte", &[0x18, 0x17]),
        ("not minimal, 2 bytes", &[0x19, 0x00, 0xff]),
        ("not minimal, 4 bytes", &[0x1a, 0x00, 0x00, 0xff, 0xff]),
        ("not minimal, 8 bytes", &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
        ("indefinite array", &[0x9f, 0xff]),
        ("indefinite text", &[0x7f, 0x61, 0x61, 0xff]),
        ("undefined", &[0xf7]),
        ("half float", &[0xf9, 0x00, 0x00]),
        ("single float", &[0xfa, 0x3f, 0x80, 0x00, 0x00]),
        ("not a number", &[0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
        ("infinite", &[0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0]),
        // Found by fuzzing: it was accepted in values, and no general decoder could find such a node's links.
        ("negative zero", &[0xfb, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("integer map key", &[0xa1, 0x01, 0x01]),
        ("map keys unsorted", &[0xa2, 0x62, b'a', b'a', 0x01, 0x61, b'b', 0x01]),
        ("map keys repeated", &[0xa2, 0x61, b'a', 0x01, 0x61, b'a', 0x01]),
        ("other tag", &[0xc1, 0x01]),
        ("not UTF-8", &[0x61, 0xff]),
    ];
    for (case, bytes) in refused {
        assert!(!accepts(bytes), "{case}");
        assert!(!is_canonical(bytes), "{case}, by the general decoder");
    }
    assert!(!accepts(&[0x81; 100_000]), "nested without end");
}

#[test]
fn the_largest_nodes_fit_a_block() {
    let key = |n: u16| [n.to_be_bytes().as_slice(), &[0xff; MAX_KEY - 2]].concat();
    let value = serde_ipld_dagcbor::to_vec(&"v".repeat(MAX_VALUE - 3)).unwrap();
    for level in [0, 1] {
        let mut writer = NodeWriter::new(level);
        for n in 0..Params::MAX_ENTRIES {
            let totals = Totals { count: 1 << 33, bytes: 1 << 33 };
            let payload = match level {
                0 => Payload::Entry { weight: 1 << 33, value: &value },
                _ => Payload::Child(Child { digest: [0; 32], totals }),
            };
            // Keys that share nothing: the first byte differs, as far as there are first bytes.
            writer.push(&key(n.rotate_left(8)), payload).unwrap();
        }
        assert!(writer.finish().block.data().len() > 1 << 20);
    }
}
