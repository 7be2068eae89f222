//! Proofs hold up what is true and nothing else.

mod support;

use bytes::Bytes;
use carob_block::{Block, Codec};
use carob_index::{Entry, IndexError, Totals, Tree, verify_proof};
use proptest::prelude::*;
use support::*;

#[derive(Debug, Clone)]
enum Query {
    Get(Bytes),
    Page { after: Bytes, most: usize },
    Backward { before: Bytes, most: usize },
    Prefix(Bytes),
    Count(Bytes),
}

#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Entry(Option<Entry>),
    Page(Vec<(Bytes, Entry)>),
    Totals(Totals),
}

impl Query {
    async fn run(self, tree: Tree) -> Result<Answer, IndexError> {
        let mut page = Vec::new();
        match self {
            Self::Get(key) => return tree.get(&key).await.map(Answer::Entry),
            Self::Count(prefix) => return tree.count_prefix(&prefix).await.map(Answer::Totals),
            Self::Page { after, most } => {
                let mut cursor = tree.cursor();
                cursor.seek_past(&after).await?;
                while page.len() < most
                    && let Some(entry) = cursor.next().await?
                {
                    page.push(entry);
                }
            }
            Self::Backward { before, most } => {
                let mut cursor = tree.cursor();
                cursor.seek(&before).await?;
                while page.len() < most
                    && let Some(entry) = cursor.prev().await?
                {
                    page.push(entry);
                }
            }
            Self::Prefix(prefix) => {
                let mut cursor = tree.prefix(&prefix);
                while let Some(entry) = cursor.next().await? {
                    page.push(entry);
                }
            }
        }
        Ok(Answer::Page(page))
    }
}

fn query() -> impl Strategy<Value = Query> {
    prop_oneof![
        3 => key().prop_map(Query::Get),
        2 => (key(), 0usize..40).prop_map(|(after, most)| Query::Page { after, most }),
        1 => (key(), 0usize..40).prop_map(|(before, most)| Query::Backward { before, most }),
        1 => (key(), 0usize..4).prop_map(|(key, len)| Query::Prefix(key.slice(..len.min(key.len())))),
        1 => (key(), 0usize..4).prop_map(|(key, len)| Query::Count(key.slice(..len.min(key.len())))),
    ]
}

async fn check(root: carob_block::Cid, proof: &[Block], query: &Query) -> Result<Answer, IndexError> {
    verify_proof(root, proof.to_vec(), |tree| query.clone().run(tree)).await
}

fn flipped(block: &Block, bit: usize) -> Block {
    let mut bytes = block.data().to_vec();
    let bit = bit % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    assert!(Block::verify(*block.cid(), bytes.clone().into()).is_err());
    Block::new(Codec::DagCbor, bytes.into()).unwrap()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_proof_is_accepted_as_it_is_and_in_no_other_form(
        params in params(),
        model in prop::collection::btree_map(key(), any_entry(), 0..200),
        edits in step(),
        query in query(),
        other_query in query(),
        at in any::<prop::sample::Index>(),
        other_at in any::<prop::sample::Index>(),
        bit in any::<usize>(),
    ) {
        let bench = Bench::new(params).uncached();
        block_on(async {
            let tree = bench.build(&model);
            let changed = bench.edit(&tree, edits.edits(&model)).await.tree;
            let truth = query.clone().run(tree.clone()).await.unwrap();
            let (answer, proof) = tree.prove(|tree| query.clone().run(tree)).await.unwrap();
            prop_assert_eq!(&answer, &truth);
            prop_assert_eq!(&check(tree.root(), &proof, &query).await.unwrap(), &truth);
            let mut reversed = proof.clone();
            reversed.reverse();
            prop_assert_eq!(&check(tree.root(), &reversed, &query).await.unwrap(), &truth, "order means nothing");

            let at = at.index(proof.len());
            let mut forged = vec![("a bit", {
                let mut proof = proof.clone();
                proof[at] = flipped(&proof[at], bit);
                proof
            })];
            forged.push(("a block less", {
                let mut proof = proof.clone();
                proof.remove(at);
                proof
            }));
            forged.push(("a block twice", {
                let mut proof = proof.clone();
                proof.push(proof[at].clone());
                proof
            }));
            let mut others = walk(&tree).await;
            others.extend(walk(&changed).await);
            others.retain(|block| !proof.contains(block));
            if !others.is_empty() {
                let other = &others[other_at.index(others.len())];
                forged.push(("a block more", [proof.as_slice(), std::slice::from_ref(other)].concat()));
                let mut swapped = proof.clone();
                swapped[at] = other.clone();
                forged.push(("another block", swapped));
            }
            for (what, forged) in forged {
                let checked = check(tree.root(), &forged, &query).await;
                prop_assert!(checked.is_err(), "{}: {:?}", what, checked);
            }

            // For another state it proves nothing, and for another query nothing false.
            if changed.root() != tree.root() {
                prop_assert!(check(changed.root(), &proof, &query).await.is_err());
            }
            if let Ok(answer) = check(tree.root(), &proof, &other_query).await {
                prop_assert_eq!(answer, other_query.run(tree.clone()).await.unwrap());
            }
            Ok(())
        })?;
    }
}

#[test]
fn no_bit_of_a_proof_can_be_flipped() {
    block_on(async {
        let bench = Bench::small().uncached();
        let model = numbered(0..60);
        let tree = bench.build(&model);
        let present = model.keys().nth(30).unwrap().clone();
        let absent = Bytes::from([present.as_ref(), b"+"].concat());
        let page = Query::Page { after: present.clone(), most: 8 };
        for query in [Query::Get(present.clone()), Query::Get(absent), page] {
            let (_, proof) = tree.prove(|tree| query.clone().run(tree)).await.unwrap();
            for (at, block) in proof.iter().enumerate() {
                for bit in 0..block.data().len() * 8 {
                    let mut forged = proof.clone();
                    forged[at] = flipped(block, bit);
                    assert!(check(tree.root(), &forged, &query).await.is_err(), "bit {bit} of block {at}");
                }
            }
        }
    });
}

#[test]
fn a_proof_of_a_get_is_the_descriptor_and_one_node_a_level() {
    block_on(async {
        let bench = Bench::small();
        let model = numbered(0..500);
        let tree = bench.build(&model);
        contents(&tree).await;
        for key in model.keys().step_by(41) {
            // Cached nodes are in the proof, too.
            let (found, proof) = tree.prove(async |tree| tree.get(key).await).await.unwrap();
            assert_eq!(found.as_ref(), model.get(key));
            assert_eq!(proof.len(), tree.height() + 1);
            assert_eq!(*proof[0].cid(), tree.root());
            let checked = verify_proof(tree.root(), proof, async |tree| tree.get(key).await).await;
            assert_eq!(checked.unwrap(), found);
        }
        let (_, proof) = bench.empty().prove(async |tree| tree.get(b"k").await).await.unwrap();
        assert_eq!(proof.len(), 1, "an empty tree's root says that nothing is there");
    });
}

#[test]
fn futures_of_proofs_can_move_between_threads() {
    fn movable<T: Send>(value: T) -> T {
        value
    }
    block_on(async {
        let bench = Bench::small();
        let tree = bench.build(&numbered(0..10));
        let (_, proof) = movable(tree.prove(async |tree: Tree| tree.get(b"k").await)).await.unwrap();
        let checked = verify_proof(tree.root(), proof, async |tree: Tree| tree.get(b"k").await);
        assert_eq!(movable(checked).await.unwrap(), None);
    });
}
