//! A form: the first line is its content type.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carob_s3::fuzzing::form(bytes));
