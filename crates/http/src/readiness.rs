//! Whether new requests should come here.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a refused write counts, unless one succeeds before. Without an end, nothing would be sent here any more
/// that could succeed.
const DOUBT: Duration = Duration::from_secs(10);

/// Whether new requests should come here: not while the gateway starts or stops, nor shortly after its store refused
/// a write. The clones are one.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    serving: bool,
    refused: Option<Instant>,
}

impl Readiness {
    /// Everything is open, or is about to be closed.
    pub fn set_serving(&self, serving: bool) {
        self.0.lock().serving = serving;
    }

    /// The store refused a write.
    pub fn refused(&self) {
        self.0.lock().refused = Some(Instant::now());
    }

    /// The store made something durable.
    pub fn wrote(&self) {
        self.0.lock().refused = None;
    }

    /// Whether new requests should come.
    pub fn is_ready(&self) -> bool {
        let state = self.0.lock();
        state.serving && state.refused.is_none_or(|at| at.elapsed() >= DOUBT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refused_write_counts_until_one_succeeds_or_for_a_while() {
        let readiness = Readiness::default();
        assert!(!readiness.is_ready(), "it starts");
        readiness.set_serving(true);
        assert!(readiness.is_ready());
        readiness.refused();
        assert!(!readiness.is_ready());
        readiness.wrote();
        assert!(readiness.is_ready());
        readiness.refused();
        tokio::time::advance(DOUBT).await;
        assert!(readiness.is_ready(), "others may try again");
        readiness.set_serving(false);
        assert!(!readiness.is_ready(), "it stops");
    }
}
