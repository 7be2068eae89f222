//! The S3 API over loopback: signed requests against a space in memory, grouped by operation.

mod answer;
mod attributes;
mod auth;
mod buckets;
mod client;
mod conditions;
mod configuration;
mod copy_object;
mod delete_object;
mod delete_objects;
mod faults;
mod get_object;
mod golden;
mod hostile;
mod list_objects;
mod list_objects_v2;
mod logging;
mod multipart;
mod patience;
mod put_object;
mod raw;
mod refusals;
mod server;
mod signer;
mod virtual_host;
