//! A target and header lines: conditions, checksums, lengths, what a presigned URL carries.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carob_s3::fuzzing::headers(bytes));
