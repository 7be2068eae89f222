//! The operations, a file each: `run` is the whole of it, and the header says where AWS describes it.

#![expect(
    clippy::unused_async,
    reason = "the operations have one shape, whether they wait for anything or not"
)]

use s3s::{S3Error, s3_error};

pub(crate) mod abort_multipart_upload;
pub(crate) mod complete_multipart_upload;
pub(crate) mod copy_object;
mod copying;
pub(crate) mod create_bucket;
pub(crate) mod create_multipart_upload;
pub(crate) mod delete_bucket;
pub(crate) mod delete_bucket_cors;
pub(crate) mod delete_bucket_encryption;
pub(crate) mod delete_bucket_lifecycle;
pub(crate) mod delete_bucket_ownership_controls;
pub(crate) mod delete_bucket_policy;
pub(crate) mod delete_bucket_tagging;
pub(crate) mod delete_object;
pub(crate) mod delete_object_tagging;
pub(crate) mod delete_objects;
pub(crate) mod delete_public_access_block;
pub(crate) mod get_bucket_acl;
pub(crate) mod get_bucket_cors;
pub(crate) mod get_bucket_encryption;
pub(crate) mod get_bucket_lifecycle_configuration;
pub(crate) mod get_bucket_location;
pub(crate) mod get_bucket_logging;
pub(crate) mod get_bucket_ownership_controls;
pub(crate) mod get_bucket_policy;
pub(crate) mod get_bucket_policy_status;
pub(crate) mod get_bucket_request_payment;
pub(crate) mod get_bucket_tagging;
pub(crate) mod get_bucket_versioning;
pub(crate) mod get_object;
pub(crate) mod get_object_acl;
pub(crate) mod get_object_attributes;
pub(crate) mod get_object_legal_hold;
pub(crate) mod get_object_lock_configuration;
pub(crate) mod get_object_retention;
pub(crate) mod get_object_tagging;
pub(crate) mod get_public_access_block;
pub(crate) mod head_bucket;
pub(crate) mod head_object;
pub(crate) mod list_buckets;
pub(crate) mod list_multipart_uploads;
pub(crate) mod list_object_versions;
pub(crate) mod list_objects;
pub(crate) mod list_objects_v2;
pub(crate) mod list_parts;
mod listing;
mod multipart;
pub(crate) mod put_bucket_acl;
pub(crate) mod put_bucket_cors;
pub(crate) mod put_bucket_encryption;
pub(crate) mod put_bucket_lifecycle_configuration;
pub(crate) mod put_bucket_logging;
pub(crate) mod put_bucket_notification_configuration;
pub(crate) mod put_bucket_ownership_controls;
pub(crate) mod put_bucket_policy;
pub(crate) mod put_bucket_request_payment;
pub(crate) mod put_bucket_tagging;
pub(crate) mod put_bucket_versioning;
pub(crate) mod put_object;
pub(crate) mod put_object_acl;
pub(crate) mod put_object_legal_hold;
pub(crate) mod put_object_lock_configuration;
pub(crate) mod put_object_retention;
pub(crate) mod put_object_tagging;
pub(crate) mod put_public_access_block;
mod reading;
pub(crate) mod rename_object;
mod showing;
pub(crate) mod unset;
pub(crate) mod upload_part;
pub(crate) mod upload_part_copy;

#[cfg(feature = "fuzzing")]
pub(crate) use copying::copied;
#[cfg(feature = "fuzzing")]
pub(crate) use put_object_lock_configuration::object_lock;
pub(crate) use reading::Selected;
#[cfg(feature = "fuzzing")]
pub(crate) use upload_part_copy::part_copy_range;

/// 404 for a version that nothing protects.
fn no_object_lock() -> S3Error {
    s3_error!(NoSuchObjectLockConfiguration, "The specified object does not have a ObjectLock configuration")
}
