//! Everything of the gateway's HTTP surface that is not S3: serving connections, health, metrics, request ids, and the
//! admin API under `/_carob/` with its typed client.
//!
//! [`serve`] runs any service on a TCP or Unix listener within [`Limits`]. [`Public`] is what faces the
//! network: it answers `/_carob/health` and `/_carob/ready`, and hands the rest to the S3 service it wraps. [`Admin`] is what the
//! operator reaches through the private socket that [`bind`] opens; [`client::Client`] asks it, and [`api`]
//! holds what the two say to each other.
//!
//! It deliberately knows no S3 operation, name or error beyond the two request-id headers, opens no store,
//! and reads no configuration.
//!
//! ```no_run
//! # #[cfg(feature = "client")]
//! # async fn example() -> Result<(), carob_http::client::ClientError> {
//! use carob_http::client::{Client, ListOptions};
//!
//! let gateway = Client::new("carob-data/admin.sock");
//! for bucket in gateway.buckets().await? {
//!     let page = gateway.list(&bucket.name, &ListOptions::default()).await?;
//!     println!("{} at {}: {} keys", bucket.name, page.commit, page.entries.len());
//! }
//! # Ok(()) }
//! ```

pub mod api;
#[cfg(feature = "client")]
pub mod client;
mod time;

#[cfg(feature = "server")]
mod admin;
#[cfg(feature = "server")]
mod body;
#[cfg(feature = "server")]
mod car_stream;
#[cfg(feature = "server")]
mod go_ahead;
#[cfg(feature = "server")]
mod idle;
#[cfg(feature = "server")]
mod leftover;
#[cfg(feature = "server")]
mod metrics;
#[cfg(feature = "server")]
mod monitor;
#[cfg(feature = "server")]
mod progress;
#[cfg(feature = "server")]
mod public;
#[cfg(feature = "server")]
mod readiness;
#[cfg(feature = "server")]
mod request_id;
#[cfg(feature = "server")]
mod serve;
#[cfg(feature = "server")]
#[cfg(feature = "server")]
mod tls;

#[cfg(feature = "server")]
pub use admin::{Admin, AdminOptions, Caller, OperatorDeed, Remote, SocketError, bind};
#[cfg(feature = "server")]
pub use body::{Body, BoxError};
#[cfg(feature = "server")]
pub use metrics::{Figure, FigureKind, MeteredStore, Metrics, Served};
#[cfg(feature = "server")]
pub use monitor::Monitor;
#[cfg(feature = "server")]
pub use public::Public;
#[cfg(feature = "server")]
pub use readiness::Readiness;
#[cfg(feature = "server")]
pub use serve::{Connections, Limits, Listener, serve};
#[cfg(feature = "server")]
pub use tls::{Certificate, TlsError, TlsIo, TlsListener};

/// Where our own routes live, on either listener.
#[cfg(any(feature = "server", feature = "client"))]
const PREFIX: &str = "/_carob";
