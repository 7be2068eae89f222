//! The bytes: pinned, canonical, and refused when they are anything else.
//!
//! The golden roots come from `reference.py` beside this file, which shares no code with the crate.

mod support;

use bytes::Bytes;
use carob_block::{Block, Cid, Codec};
use carob_index::{Entry, IndexError, Params, Tree, Value};
use ipld_core::ipld::Ipld;
use support::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn link(text: &'static str) -> Cid {
    *Block::new(Codec::Raw, text.into()).unwrap().cid()
}

/// Three entries whose values are a text, a number, and a map with a link.
fn golden_model() -> Model {
    let map = Ipld::Map([("cid".to_owned(), Ipld::Link(link("leaf")))].into());
    let entry = |weight, value: &Ipld| Entry { weight, value: Value::from_serialize(value).unwrap() };
    [
        (Bytes::from("a/1"), entry(0, &Ipld::String("one".into()))),
        (Bytes::from("a/10"), entry(23, &Ipld::Integer(-10))),
        (Bytes::from("b"), entry(1 << 32, &map)),
    ]
    .into()
}

#[test]
fn golden_blocks_of_small_trees() {
    let bench = Bench::new(Params::default());
    let empty = bench.store.block(&bench.empty().root()).unwrap();
    assert_eq!(
        hex(empty.data()),
        "a661760163746f70f66473616c7450000000000000000000000000000000006562797465730065636f756e740066706172616d73a4636d6178190100646c65616619010065696e6e6572183866746172676574191000"
    );
    assert_eq!(empty.cid().to_string(), "bafyreifnbtg4ffkro3kbamo57vzjbn5nzjbri26k4koi4g2wc2gzkidxri");

    let tree = bench.build(&golden_model());
    let blocks = block_on(walk(&tree));
    let [descriptor, leaf] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    assert_eq!(
        hex(descriptor.data()),
        "a661760163746f70d82a58250001711220cb6bd74f16ca4e624cd6a95566e6495db5ea60b46254f1bea0e9917ebbf0fba16473616c7450000000000000000000000000000000006562797465731b000000010000001765636f756e740366706172616d73a4636d6178190100646c65616619010065696e6e6572183866746172676574191000"
    );
    assert_eq!(
        hex(leaf.data()),
        "820083840043612f3100636f6e65840341301729840041621b0000000100000000a163636964d82a582500015512209f91161f43433e49a6de6db680d79f60159f2e4ac9172621a12846428158440b"
    );
    assert_eq!(leaf.links().unwrap(), [link("leaf")], "links in values are links of the node");
    assert_eq!(tree.root().to_string(), "bafyreietnhsearw6alt7kflmgldxszoapnedelruuiz6un6kfali456aqm");
}

#[test]
fn golden_root_of_a_thousand_entries() {
    let bench = Bench::new(Params::default());
    let model: Model =
        (0..1000u64).map(|n| (Bytes::from(format!("key {n:04}")), entry(n, &format!("value {n}")))).collect();
    let tree = bench.build(&model);
    let blocks = block_on(walk(&tree));
    assert_eq!(tree.height(), 3);
    assert_eq!(
        hex(&blocks[1].data()[..80]),
        "8202828500486b65792030383335d82a5825000171122022d36033e485b4f0b9b1fbd44bda634c398459489b9897d9d2bc4a5fbf8186091903441a00055366850543393939d82a582500017112208a5b"
    );
    assert_eq!(tree.root().to_string(), "bafyreihh6h4y6hfegwwfiufphakicwsdpy7nbsojyi3wzky2yxyey3p6vq");
}

#[test]
fn every_block_is_what_a_plain_encoder_writes() {
    block_on(async {
        for params in [Params::default(), Bench::small().params] {
            let bench = Bench::new(params);
            let tree = bench.build(&numbered(0..700));
            for block in walk(&tree).await {
                let ipld: Ipld = serde_ipld_dagcbor::from_slice(block.data()).unwrap();
                assert_eq!(&serde_ipld_dagcbor::to_vec(&ipld).unwrap(), block.data());
            }
        }
    });
}

/// A tree whose top is `node`, with totals as told.
async fn open(bench: &Bench, node: &Ipld, count: i128, bytes: i128) -> Result<Tree, IndexError> {
    let top = put(bench, node);
    let empty: Ipld =
        serde_ipld_dagcbor::from_slice(bench.store.block(&bench.empty().root()).unwrap().data()).unwrap();
    let Ipld::Map(mut descriptor) = empty else { panic!() };
    descriptor.insert("top".into(), Ipld::Link(top));
    descriptor.insert("count".into(), Ipld::Integer(count));
    descriptor.insert("bytes".into(), Ipld::Integer(bytes));
    let root = put(bench, &Ipld::Map(descriptor));
    Tree::open(bench.store.clone(), bench.cache.clone(), root).await
}

fn put(bench: &Bench, node: &Ipld) -> Cid {
    let block = Block::new(Codec::DagCbor, serde_ipld_dagcbor::to_vec(node).unwrap().into()).unwrap();
    bench.store.put(std::slice::from_ref(&block));
    *block.cid()
}

fn node(level: i128, entries: Vec<Ipld>) -> Ipld {
    Ipld::List(vec![Ipld::Integer(level), Ipld::List(entries)])
}

fn leaf_entry(shared: i128, suffix: &[u8]) -> Ipld {
    Ipld::List(vec![Ipld::Integer(shared), Ipld::Bytes(suffix.to_vec()), Ipld::Integer(1), Ipld::Null])
}

fn inner_entry(key: &[u8], child: Cid, count: i128, bytes: i128) -> Ipld {
    let totals = [Ipld::Integer(count), Ipld::Integer(bytes)];
    Ipld::List(
        [vec![Ipld::Integer(0), Ipld::Bytes(key.to_vec()), Ipld::Link(child)], totals.to_vec()].concat(),
    )
}

fn reason<T: std::fmt::Debug>(result: Result<T, IndexError>) -> &'static str {
    match result {
        Err(IndexError::Malformed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hostile_top_nodes_are_refused() {
    let bench = Bench::small();
    let long = vec![b'k'; carob_index::MAX_KEY + 1];
    let child = put(&bench, &node(0, vec![leaf_entry(0, b"a"), leaf_entry(0, b"b")]));
    let cases = [
        ("unsorted", node(0, vec![leaf_entry(0, b"b"), leaf_entry(0, b"a")]), 2),
        ("repeated", node(0, vec![leaf_entry(0, b"a"), leaf_entry(1, b"")]), 2),
        ("repeated in full", node(0, vec![leaf_entry(0, b"a"), leaf_entry(0, b"a")]), 2),
        ("prefix not shared", node(0, vec![leaf_entry(0, b"aa"), leaf_entry(0, b"ab")]), 2),
        ("shares more than there is", node(0, vec![leaf_entry(0, b"a"), leaf_entry(2, b"b")]), 2),
        ("first key shares", node(0, vec![leaf_entry(1, b"a")]), 1),
        ("empty key", node(0, vec![leaf_entry(0, b"")]), 1),
        ("long key", node(0, vec![leaf_entry(0, &long)]), 1),
        ("no entries", node(0, vec![]), 0),
        ("leaf entries in an inner node", node(1, vec![leaf_entry(0, b"a"), leaf_entry(0, b"b")]), 2),
        ("level out of range", node(64, vec![inner_entry(b"b", child, 2, 2)]), 2),
        ("negative level", node(-1, vec![leaf_entry(0, b"a")]), 1),
        ("single child", node(1, vec![inner_entry(b"b", child, 2, 2)]), 2),
        ("empty child", node(1, vec![inner_entry(b"b", child, 2, 2), inner_entry(b"c", child, 0, 0)]), 2),
        ("raw child", node(1, vec![inner_entry(b"b", link("x"), 1, 1), inner_entry(b"c", child, 1, 1)]), 2),
        (
            "overflow",
            node(1, vec![inner_entry(b"b", child, 1, i128::from(u64::MAX)), inner_entry(b"c", child, 1, 1)]),
            2,
        ),
        ("too many", node(0, (0..9).map(|n| leaf_entry(0, &[n])).collect()), 9),
        (
            "more than a list",
            Ipld::List(vec![Ipld::Integer(0), Ipld::List(vec![leaf_entry(0, b"a")]), Ipld::Null]),
            1,
        ),
        ("no node", Ipld::Null, 1),
    ];
    for (case, top, count) in cases {
        let opened = block_on(open(&bench, &top, count, count));
        assert!(matches!(opened, Err(IndexError::Malformed { .. })), "{case}: {opened:?}");
    }
}

#[test]
fn totals_that_lie_are_refused() {
    let bench = Bench::small();
    block_on(async {
        let leaf = node(0, vec![leaf_entry(0, b"a"), leaf_entry(0, b"b")]);
        open(&bench, &leaf, 2, 2).await.unwrap();
        reason(open(&bench, &leaf, 3, 2).await);
        reason(open(&bench, &leaf, 2, 1).await);
    });
}

/// Opens a tree with these two leaves as children, and reads it through.
fn read_two(left: Vec<Ipld>, right: Vec<Ipld>, left_key: &[u8], right_count: i128) -> &'static str {
    let bench = Bench::small();
    let (left, right) = (put(&bench, &node(0, left)), put(&bench, &node(0, right)));
    let top = node(1, vec![inner_entry(left_key, left, 2, 2), inner_entry(b"z", right, right_count, 2)]);
    block_on(async {
        let tree = open(&bench, &top, 2 + right_count, 4).await.unwrap();
        let mut cursor = tree.cursor();
        let scanned = loop {
            match cursor.next().await {
                Ok(Some(_)) => {}
                other => break reason(other),
            }
        };
        let mut walk = tree.nodes();
        while walk.next().await.is_ok_and(|visited| visited.is_some()) {}
        assert!(
            matches!(walk.next().await, Err(IndexError::Malformed { .. })),
            "a walk stands before what fails"
        );
        scanned
    })
}

#[test]
fn children_that_contradict_their_parent_are_refused() {
    let two = |first: &[u8], second: &[u8]| vec![leaf_entry(0, first), leaf_entry(0, second)];
    assert_eq!(read_two(two(b"a", b"c"), two(b"y", b"z"), b"b", 2), "the last key differs from the parent's");
    assert_eq!(read_two(two(b"a", b"b"), two(b"y", b"z"), b"b", 3), "totals differ from the parent's");
    assert_eq!(read_two(two(b"a", b"b"), two(b"b", b"z"), b"b", 2), "keys overlap the previous node's");
    let bench = Bench::small();
    let child = put(&bench, &node(0, two(b"y", b"z")));
    let nested = vec![inner_entry(b"z", child, 2, 2)];
    let (left, right) = (put(&bench, &node(0, two(b"a", b"b"))), put(&bench, &node(1, nested)));
    let top = node(1, vec![inner_entry(b"b", left, 2, 2), inner_entry(b"z", right, 2, 2)]);
    let tree = block_on(open(&bench, &top, 4, 4)).unwrap();
    assert_eq!(reason(block_on(tree.get(b"y"))), "a child of the wrong level");
}

#[test]
fn a_first_child_is_bounded_by_its_grandparents() {
    let bench = Bench::small();
    let leaf = |keys: [&[u8]; 2]| put(&bench, &node(0, keys.map(|key| leaf_entry(0, key)).to_vec()));
    let inner = |keys: [&[u8]; 2], children: [Cid; 2]| {
        let entries = keys.iter().zip(children).map(|(key, child)| inner_entry(key, child, 2, 2));
        put(&bench, &node(1, entries.collect()))
    };
    let left = inner([b"h", b"m"], [leaf([b"g", b"h"]), leaf([b"l", b"m"])]);
    // "a" stands where only keys past "m" may.
    let right = inner([b"p", b"z"], [leaf([b"a", b"p"]), leaf([b"y", b"z"])]);
    let top = node(2, vec![inner_entry(b"m", left, 4, 4), inner_entry(b"z", right, 4, 4)]);
    block_on(async {
        let tree = open(&bench, &top, 8, 8).await.unwrap();
        let overlap = "keys overlap the previous node's";
        assert_eq!(reason(tree.get(b"p").await), overlap);
        assert_eq!(reason(tree.rank(b"p").await), overlap);
        let mut cursor = tree.cursor();
        for _ in 0..4 {
            cursor.next().await.unwrap().unwrap();
        }
        assert_eq!(reason(cursor.next().await), overlap);
    });
}

#[test]
fn a_walk_finds_misplaced_boundaries() {
    let bench = Bench::new(Params::default());
    block_on(async {
        // Far too small to end there under the default parameters.
        let two = |first: &[u8], second: &[u8]| node(0, vec![leaf_entry(0, first), leaf_entry(0, second)]);
        let (left, right) = (put(&bench, &two(b"a", b"b")), put(&bench, &two(b"y", b"z")));
        let top = node(1, vec![inner_entry(b"b", left, 2, 2), inner_entry(b"z", right, 2, 2)]);
        let tree = open(&bench, &top, 4, 4).await.unwrap();
        for mut walk in [tree.nodes(), tree.nodes_since(&bench.build(&numbered(0..9)))] {
            let found = loop {
                match walk.next().await {
                    Ok(Some(_)) => {}
                    other => break reason(other),
                }
            };
            assert_eq!(found, "a misplaced boundary");
        }
    });
}

#[test]
fn descriptors_of_other_forms_are_refused() {
    let bench = Bench::small();
    let block = bench.store.block(&bench.empty().root()).unwrap();
    let Ipld::Map(good) = serde_ipld_dagcbor::from_slice(block.data()).unwrap() else { panic!() };
    let open = |field: &str, value: Ipld| {
        let mut descriptor = good.clone();
        descriptor.insert(field.into(), value);
        let root = put(&bench, &Ipld::Map(descriptor));
        block_on(Tree::open(bench.store.clone(), bench.cache.clone(), root))
    };
    open("v", Ipld::Integer(1)).unwrap();
    assert!(matches!(open("v", Ipld::Integer(2)), Err(IndexError::UnsupportedVersion(2))));
    reason(open("count", Ipld::Integer(1)));
    reason(open("salt", Ipld::Bytes(vec![0; 15])));
    reason(open("top", Ipld::Link(link("raw"))));
    reason(open("params", Ipld::Map([("max".to_owned(), Ipld::Integer(8))].into())));
    reason(open("extra", Ipld::Null));
    let Some(Ipld::Map(mut params)) = good.get("params").cloned() else { panic!() };
    params.insert("max".into(), Ipld::Integer(513));
    reason(open("params", Ipld::Map(params)));
}
