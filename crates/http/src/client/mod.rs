//! The typed client of the admin API, for whoever may open its socket, and of what it answers to access keys over the network.

use std::path::{Path, PathBuf};

mod accounts;
mod blocks;
mod endpoint;
mod error;
mod history;
mod objects;
mod route;
mod sigv4;
mod stream;
mod transport;
mod trust;

pub use blocks::Question;
pub use endpoint::Endpoint;
pub use error::ClientError;
pub use objects::{DiffOptions, ListOptions};
pub use sigv4::Access;

/// Asks a gateway. Each call makes a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    gateway: Gateway,
}

#[derive(Debug, Clone)]
enum Gateway {
    Socket(PathBuf),
    Network(Endpoint),
}

impl Client {
    /// Asks the gateway that listens on this socket.
    pub fn new(socket: impl AsRef<Path>) -> Self {
        Self { gateway: Gateway::Socket(socket.as_ref().into()) }
    }

    /// Asks a gateway on the network, which answers what its access key may know.
    pub fn over(endpoint: Endpoint) -> Self {
        Self { gateway: Gateway::Network(endpoint) }
    }

    /// Whether it asks on the network, and not as the operator.
    pub fn is_remote(&self) -> bool {
        matches!(self.gateway, Gateway::Network(_))
    }
}
