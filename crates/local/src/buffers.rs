//! Buffers for large reads, used again and again.
//!
//! A fresh one has to be zeroed first, which takes about half as long as filling it from the page cache.

use std::sync::Arc;

use carob_block::Bytes;
use parking_lot::Mutex;

/// Bytes of a buffer: a leaf, the largest block that is read often.
const SIZE: usize = 1 << 20;

/// Reads of fewer bytes get memory of their own: a buffer is held as long as any of its bytes is.
const LARGE: usize = SIZE / 2;

/// How many buffers wait to be used again at most.
const IDLE: usize = 8;

/// The buffers that nobody uses. The clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// `len` bytes, what they hold is left to chance; they come back with the last copy of what is [frozen](Buffer::freeze).
    pub(crate) fn take(&self, len: usize) -> Buffer {
        if !(LARGE..=SIZE).contains(&len) {
            return Buffer { data: vec![0; len], len, home: None };
        }
        let idle = self.0.lock().pop();
        Buffer { data: idle.unwrap_or_else(|| vec![0; SIZE]), len, home: Some(self.clone()) }
    }
}

/// Memory to read into.
#[derive(Debug)]
pub(crate) struct Buffer {
    data: Vec<u8>,
    len: usize,
    /// Where it goes in the end, if it is one to use again.
    home: Option<Buffers>,
}

impl Buffer {
    /// All that was asked for.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.data[..self.len]
    }

    /// The first `len` bytes, to be read from now on.
    pub(crate) fn freeze(mut self, len: usize) -> Bytes {
        self.len = self.len.min(len);
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.data[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(Buffers(idle)) = self.home.take() {
            let mut idle = idle.lock();
            if idle.len() < IDLE {
                idle.push(std::mem::take(&mut self.data));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(buffers: &Buffers, len: usize, byte: u8) -> Bytes {
        let mut buffer = buffers.take(len);
        buffer.bytes_mut().fill(byte);
        buffer.freeze(len)
    }

    #[test]
    fn a_buffer_is_used_again_once_nobody_has_its_bytes() {
        let buffers = Buffers::default();
        let first = filled(&buffers, SIZE, 1);
        let part = first.slice(10..20);
        let place = first.as_ptr();
        drop(first);
        let second = filled(&buffers, SIZE, 2);
        assert_ne!(second.as_ptr(), place, "bytes of it are in use");
        assert_eq!(part, [1; 10][..]);
        drop(part);
        let third = filled(&buffers, LARGE, 3);
        assert_eq!((third.as_ptr(), third.len()), (place, LARGE));
        assert_eq!(second, [2; SIZE][..]);
    }

    #[test]
    fn what_was_not_filled_is_not_given() {
        let buffers = Buffers::default();
        drop(filled(&buffers, SIZE, 1));
        for len in [SIZE, 10] {
            let mut buffer = buffers.take(len);
            buffer.bytes_mut()[..5].fill(2);
            assert_eq!(buffer.freeze(5), [2; 5][..]);
        }
    }

    #[test]
    fn few_wait_and_small_ones_do_not() {
        let buffers = Buffers::default();
        let large: Vec<_> = (0..2 * IDLE).map(|_| filled(&buffers, SIZE, 1)).collect();
        drop(filled(&buffers, LARGE - 1, 1));
        drop(filled(&buffers, SIZE + 1, 1));
        assert_eq!(buffers.0.lock().len(), 0);
        drop(large);
        assert_eq!(buffers.0.lock().len(), IDLE);
    }
}
