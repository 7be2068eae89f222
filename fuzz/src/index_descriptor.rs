//! Bytes that may be the descriptor of an index.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carob_index::fuzzing::descriptor(bytes));
