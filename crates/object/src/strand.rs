//! Jobs on one state, one after the other, off the async threads.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// A state that jobs work on in the order in which they come, on a blocking thread while there are any.
///
/// A job that comes while another runs is begun without anybody having to wake for it. A job that panics takes the state with
/// it: of it and of all others nothing is heard.
#[derive(Debug)]
pub(crate) struct Strand<T>(Arc<Mutex<Turns<T>>>);

struct Turns<T> {
    state: Turn<T>,
    jobs: VecDeque<Job<T>>,
}

enum Turn<T> {
    Idle(T),
    /// Jobs are being done.
    Taken,
    Lost,
}

impl<T> fmt::Debug for Turns<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Strand<T> {
    pub(crate) fn new(state: T) -> Self {
        Self(Arc::new(Mutex::new(Turns { state: Turn::Idle(state), jobs: VecDeque::new() })))
    }

    /// Has a job done, after those before it.
    pub(crate) fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> oneshot::Receiver<R> {
        let (reply, outcome) = oneshot::channel();
        let job = Box::new(move |state: &mut T| {
            // Nobody may want to know any more.
            let _ = reply.send(job(state));
        });
        let mut turns = self.0.lock();
        match std::mem::replace(&mut turns.state, Turn::Taken) {
            Turn::Idle(state) => {
                turns.jobs.push_back(job);
                let turns = Arc::clone(&self.0);
                spawn_blocking(move || work(&turns, state));
            }
            Turn::Taken => turns.jobs.push_back(job),
            Turn::Lost => turns.state = Turn::Lost,
        }
        outcome
    }

    /// Does a job here and now; `None` while there are others.
    pub(crate) fn run_here<R>(&self, job: impl FnOnce(&mut T) -> R) -> Option<R> {
        match &mut self.0.lock().state {
            Turn::Idle(state) => Some(job(state)),
            Turn::Taken | Turn::Lost => None,
        }
    }
}

fn work<T>(turns: &Mutex<Turns<T>>, mut state: T) {
    let panicking = Panicking(turns);
    loop {
        let mut locked = turns.lock();
        let Some(job) = locked.jobs.pop_front() else {
            locked.state = Turn::Idle(state);
            break;
        };
        drop(locked);
        job(&mut state);
    }
    std::mem::forget(panicking);
}

/// Is dropped when a job panics.
struct Panicking<'a, T>(&'a Mutex<Turns<T>>);

impl<T> Drop for Panicking<'_, T> {
    fn drop(&mut self) {
        let mut turns = self.0.lock();
        turns.state = Turn::Lost;
        turns.jobs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_are_done_in_the_order_in_which_they_come() {
        let strand = Strand::new(Vec::new());
        let outcomes: Vec<_> =
            (0..200).map(|n| strand.run(move |done: &mut Vec<u32>| done.push(n))).collect();
        for outcome in outcomes {
            outcome.await.unwrap();
        }
        assert_eq!(strand.run(std::mem::take).await.unwrap(), (0..200).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn nothing_is_done_here_before_what_waits() {
        let strand = Strand::new(0);
        assert_eq!(strand.run_here(|n| *n + 1), Some(1));
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let outcome = strand.run(move |n| {
            wait.recv().unwrap();
            *n = 7;
        });
        assert_eq!(strand.run_here(|n| *n), None);
        go.send(()).unwrap();
        outcome.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_heard_of_by_all_that_wait() {
        let strand = Strand::new(0);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = strand.run(move |_| {
            wait.recv().unwrap();
            panic!("on purpose");
        });
        let second = strand.run(|n| *n);
        go.send(()).unwrap();
        assert!(first.await.is_err() && second.await.is_err());
        assert!(strand.run(|n| *n).await.is_err() && strand.run_here(|n| *n).is_none());
    }
}
