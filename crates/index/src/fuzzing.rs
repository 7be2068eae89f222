//! The decoders of bytes from outside, for fuzzers: each panics if the bytes are accepted and do not mean exactly one
//! thing. No part of the stable interface.

use bytes::Bytes;
use carob_block::{Block, Codec};

use crate::Value;
use crate::descriptor::Descriptor;
use crate::encode::NodeWriter;
use crate::node::Node;

/// A node that is accepted is what the writer writes for its entries, and its keys ascend.
pub fn node(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok(node) = Node::decode(&bytes) else { return };
    let mut writer = NodeWriter::new(node.level());
    for at in 0..node.len() {
        assert!(at == 0 || node.key(at - 1) < node.key(at), "keys ascend");
        assert_eq!(node.lower_bound(node.key(at)), at);
        writer.push(node.key(at), node.payload(at)).expect("the totals do not overflow");
    }
    let block = writer.finish().block;
    assert_eq!(block.data(), &bytes, "a node is canonical");
    block.links().expect("a general decoder takes a node for canonical DAG-CBOR");
}

/// A descriptor that is accepted is what is written for its fields.
pub fn descriptor(bytes: &[u8]) {
    let Ok(block) = Block::new(Codec::DagCbor, Bytes::copy_from_slice(bytes)) else { return };
    if let Ok(descriptor) = Descriptor::decode(&block) {
        assert_eq!(descriptor.encode(), block, "a descriptor is canonical");
    }
}

/// A value that is accepted is canonical by a general decoder, too.
pub fn value(bytes: &[u8]) {
    let Ok(value) = Value::new(Bytes::copy_from_slice(bytes)) else { return };
    let block = Block::new(Codec::DagCbor, value.bytes().clone()).expect("a value is small");
    block.links().expect("a general decoder takes a value for DAG-CBOR");
}
