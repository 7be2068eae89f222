//! Why there is no answer.

use std::path::PathBuf;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("the gateway is not running (no answer at {})", .0.display())]
    NotRunning(PathBuf),
    /// The socket is there but cannot be used.
    #[error("cannot connect to {}", .path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// There is no such gateway on the network, or none that can be trusted.
    #[error("cannot reach the gateway at {endpoint}")]
    Unreachable {
        /// Its host and port.
        endpoint: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A URL that no gateway can be asked at.
    #[error("{url} is no gateway's endpoint: {reason}")]
    Endpoint {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Only the operator can ask for this.
    #[error("a gateway on the network does not do this: ask through its admin socket")]
    OnlyBySocket,
    /// The gateway refused; its own words.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// One line for people.
        message: String,
    },
    /// The answer broke off or made no sense.
    #[error("{context}")]
    Broken {
        /// What was being received.
        context: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was received could not be written.
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
}

pub(super) fn broken<E>(context: &'static str) -> impl FnOnce(E) -> ClientError
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| ClientError::Broken { context, source: Box::new(source) }
}
