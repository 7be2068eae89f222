//! Text that may name the source of a copy.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carob_s3::fuzzing::copy_source(bytes));
