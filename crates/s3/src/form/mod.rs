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
