//! Where a request comes from.

use std::net::IpAddr;

/// Where a request comes from, as whoever accepted its connection saw it. Carried in a request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(pub IpAddr);
