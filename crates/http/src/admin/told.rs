//! What a request says of itself while it is answered, beside its path.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Filled in as far as the answer comes.
#[derive(Debug, Default)]
pub(super) struct Told {
    subject: OnceLock<String>,
    changes_nothing: AtomicBool,
}

impl Told {
    /// What it is about. Nothing secret.
    pub(super) fn about(&self, subject: &str) {
        // A request is about one thing; the first stays.
        _ = self.subject.set(subject.to_owned());
    }

    /// It only shows what would become of it.
    pub(super) fn dry_run(&self, dry_run: bool) {
        self.changes_nothing.store(dry_run, Ordering::Relaxed);
    }

    pub(super) fn subject(&self) -> Option<&str> {
        self.subject.get().map(String::as_str)
    }

    pub(super) fn changes_nothing(&self) -> bool {
        self.changes_nothing.load(Ordering::Relaxed)
    }
}
