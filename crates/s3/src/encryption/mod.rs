//! Encryption at rest as S3 has it (Amazon S3 user guide, "Protecting data with server-side encryption"): what
//! requests ask for, under which key a body is stored, and what answers say of it.
//!
//! Every encrypted object, or upload, has a random key of its own. That is stored sealed under the key that the client
//! sends (SSE-C), or under one of the space's (SSE-S3, SSE-KMS).

mod asked;
mod customer;
mod default;
mod keys;
mod shown;

pub(crate) use asked::{Asked, Wanted, refuse_on_read};
pub(crate) use customer::CustomerKey;
pub(crate) use default::{DOCUMENT, check};
pub(crate) use keys::{Encrypter, by_reference, key_needed};
pub(crate) use shown::{of_record, of_upload};

/// The header that says whether the server holds the key, and is the start of the others' names.
const HEADER: &str = "x-amz-server-side-encryption";

/// What the server encrypts with.
const AES256: &str = "AES256";
