//! Every document that an operation reads; the first byte says which.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some((which, document)) = bytes.split_first() {
        carob_s3::fuzzing::document(*which, document);
    }
});
