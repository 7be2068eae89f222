//! What requests go through: a socket, a connection, a connection with TLS.

use tokio::io::{AsyncRead, AsyncWrite};

/// Either way of a connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, whatever it is made of.
pub(super) type Stream = Box<dyn Io>;
