//! Text that may be a range.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carob_s3::fuzzing::range(bytes));
