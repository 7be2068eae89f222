//! Bytes that may be a node of an index.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carob_index::fuzzing::node(bytes));
