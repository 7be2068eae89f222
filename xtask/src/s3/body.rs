//! Request bodies that are large, unique and free to make.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::Failure;

const MIB: u64 = 1 << 20;
/// Bytes at the start of each MiB that are unique to (body, MiB).
const STAMP: u64 = 16;

/// One MiB of noise, shared by all bodies.
static NOISE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut noise = vec![0; MIB as usize];
    blake3::Hasher::new_derive_key("carob xtask noise").finalize_xof().fill(&mut noise);
    noise.into()
});

/// A body of `size` bytes in which every MiB is unique.
///
/// A content-addressed store keeps equal leaves once: a load of equal bodies would measure the deduplication
/// and not the disk.
#[derive(Debug, Clone)]
pub(crate) struct Stamped {
    id: u64,
    size: u64,
    position: u64,
}

impl Stamped {
    pub(crate) fn new(id: u64, size: u64) -> Self {
        Self { id, size, position: 0 }
    }

    /// The next run of bytes; empty at the end.
    pub(crate) fn next_run(&mut self) -> Bytes {
        let within = self.position % MIB;
        let left = self.size - self.position;
        let run = if within < STAMP {
            let mut stamp = [0; STAMP as usize];
            stamp[..8].copy_from_slice(&self.id.to_le_bytes());
            stamp[8..].copy_from_slice(&(self.position / MIB).to_le_bytes());
            Bytes::copy_from_slice(&stamp).slice(within as usize..STAMP.min(within + left) as usize)
        } else {
            NOISE.slice(within as usize..MIB.min(within + left) as usize)
        };
        self.position += run.len() as u64;
        run
    }
}

impl Body for Stamped {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let run = self.next_run();
        Poll::Ready((!run.is_empty()).then(|| Ok(Frame::data(run))))
    }

    fn is_end_stream(&self) -> bool {
        self.position == self.size
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size - self.position)
    }
}

/// Compares a body that comes in pieces with those that were sent, one behind the other.
pub(crate) struct Expected {
    bodies: VecDeque<Stamped>,
    run: Bytes,
}

impl Expected {
    pub(crate) fn new(bodies: impl IntoIterator<Item = Stamped>) -> Self {
        Self { bodies: bodies.into_iter().collect(), run: Bytes::new() }
    }

    pub(crate) fn check(&mut self, mut piece: &[u8]) -> Result<(), Failure> {
        while !piece.is_empty() {
            self.fill();
            let common = self.run.len().min(piece.len());
            let (head, rest) = piece.split_at(common);
            if common == 0 || self.run.split_to(common) != head {
                return Err(Failure::Nonsense("the body came back with other bytes".into()));
            }
            piece = rest;
        }
        Ok(())
    }

    pub(crate) fn end(mut self) -> Result<(), Failure> {
        self.fill();
        if self.run.is_empty() {
            return Ok(());
        }
        Err(Failure::Nonsense("the body came back short".into()))
    }

    fn fill(&mut self) {
        while self.run.is_empty()
            && let Some(body) = self.bodies.front_mut()
        {
            self.run = body.next_run();
            if self.run.is_empty() {
                self.bodies.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(id: u64, size: u64) -> Vec<u8> {
        let mut body = Stamped::new(id, size);
        std::iter::repeat_with(|| body.next_run()).take_while(|run| !run.is_empty()).flatten().collect()
    }

    #[test]
    fn body_has_the_size_it_promises() {
        for size in [0, 1, 15, 16, 17, MIB - 1, MIB, MIB + 1, MIB + 16, 3 * MIB + 5] {
            assert_eq!(bytes(7, size).len() as u64, size);
        }
    }

    #[test]
    fn every_mib_of_every_body_is_unique() {
        let (a, b) = (bytes(1, 2 * MIB), bytes(2, 2 * MIB));
        let mib = MIB as usize;
        let mut leaves =
            [&a[..mib], &a[mib..], &b[..mib], &b[mib..]].map(blake3::hash).map(|h| *h.as_bytes());
        leaves.sort_unstable();
        assert!(leaves.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn bodies_that_come_back_whole_and_in_order_are_as_expected() {
        let bodies = || [Stamped::new(1, MIB + 7), Stamped::new(2, 20)];
        let all = [bytes(1, MIB + 7), bytes(2, 20)].concat();
        let check = |came: &[u8]| {
            let mut expected = Expected::new(bodies());
            came.chunks(1000).try_for_each(|piece| expected.check(piece)).and_then(|()| expected.end())
        };
        assert!(check(&all).is_ok());
        assert!(check(&all[..all.len() - 1]).is_err(), "short");
        assert!(check(&[&all[..], &[0]].concat()).is_err(), "long");
        let mut other = all.clone();
        other[MIB as usize] ^= 1;
        assert!(check(&other).is_err(), "changed");
    }
}
