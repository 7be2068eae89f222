//! Uploads by HTML form (Amazon S3 API reference, "POST Object").
//!
//! A form is read up to its file, its policy and signature are checked, and what it says becomes a PutObject, which
//! goes through the same authorization and the same code as any other: the file is its body, as it comes.

mod answer;
mod fields;
mod file;
mod policy;
mod signature;
mod upload;

pub(crate) use file::FormFile;
pub(crate) use upload::{FormUploads, is_form};

/// Reads a form up to its file, and its policy, for fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) fn accepted(content_type: &str, body: bytes::Bytes) {
    let read = fields::Form::read(content_type, s3s::Body::from(body));
    let Ok(form) = futures::executor::block_on(read) else { return };
    let sizes = form.fields.0.iter().map(|(name, value)| name.len() + value.len());
    assert!(sizes.sum::<usize>() <= fields::MAX_FIELDS);
    assert!(!form.filename.as_ref().is_some_and(|name| name.contains(['/', '\\'])), "{:?}", form.filename);
    let Some(text) = form.fields.get("policy") else { return };
    if let Ok(policy) = policy::Policy::parse(text) {
        assert_eq!(policy::Policy::parse(text).ok().as_ref(), Some(&policy));
        let _ = policy.check("bucket", &form.fields.0, carob_identity::Timestamp(0));
    }
}
