//! The bytes of a simulated file, in pages that copies of it share until one is written.

use std::ops::Range;
use std::sync::Arc;

/// What the page cache keeps and writes back as a whole.
pub(super) const PAGE: usize = 4096;

/// A disk is copied at every power cut, so a copy must not cost what the files are large.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages {
    len: usize,
    /// As many as `len` takes. `None` is zeros, and so is all that lies beyond `len`.
    pages: Arc<Vec<Option<Arc<[u8; PAGE]>>>>,
}

impl Pages {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Cuts it, or grows it by zeros.
    pub(super) fn resize(&mut self, len: usize) {
        if len == self.len {
            return;
        }
        let cut = len % PAGE;
        if len < self.len && cut > 0 && self.pages[len / PAGE].is_some() {
            self.page_mut(len / PAGE)[cut..].fill(0);
        }
        Arc::make_mut(&mut self.pages).resize(len.div_ceil(PAGE), None);
        self.len = len;
    }

    /// Reads what there is from `offset` on; gives how much that was.
    pub(super) fn read(&self, offset: usize, buf: &mut [u8]) -> usize {
        let read = buf.len().min(self.len.saturating_sub(offset));
        for (page, within, at) in parts(offset..offset + read) {
            let part = &mut buf[at..at + within.len()];
            match &self.pages[page] {
                Some(bytes) => part.copy_from_slice(&bytes[within]),
                None => part.fill(0),
            }
        }
        read
    }

    /// Writes at `offset`, growing as needed.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let range = offset..offset + bytes.len();
        self.resize(self.len.max(range.end));
        for (page, within, at) in parts(range) {
            let part = &bytes[at..at + within.len()];
            self.page_mut(page)[within].copy_from_slice(part);
        }
    }

    /// Makes zeros of a page.
    pub(super) fn clear(&mut self, page: usize) {
        if let Some(page) = Arc::make_mut(&mut self.pages).get_mut(page) {
            *page = None;
        }
    }

    /// Whether a page is zeros.
    pub(super) fn is_clear(&self, page: usize) -> bool {
        self.has_same_page(&Self::default(), page)
    }

    /// Takes over a range of another file, and zeros where that has ended.
    pub(super) fn take(&mut self, other: &Self, range: Range<usize>) {
        for (page, within, _) in parts(range.start..range.end.min(self.len)) {
            let from = other.pages.get(page).and_then(Option::as_ref);
            if within.len() == PAGE {
                Arc::make_mut(&mut self.pages)[page] = from.cloned();
            } else {
                let to = &mut self.page_mut(page)[within.clone()];
                match from {
                    Some(from) => to.copy_from_slice(&from[within]),
                    None => to.fill(0),
                }
            }
        }
    }

    /// Whether a page is the same in another file. Beyond its end, each is zeros.
    pub(super) fn has_same_page(&self, other: &Self, page: usize) -> bool {
        let (this, other) = (self.pages.get(page), other.pages.get(page));
        match (this.and_then(Option::as_ref), other.and_then(Option::as_ref)) {
            (Some(this), Some(other)) => Arc::ptr_eq(this, other) || this == other,
            (Some(page), None) | (None, Some(page)) => page.iter().all(|byte| *byte == 0),
            (None, None) => true,
        }
    }

    fn page_mut(&mut self, page: usize) -> &mut [u8; PAGE] {
        let page = &mut Arc::make_mut(&mut self.pages)[page];
        Arc::make_mut(page.get_or_insert_with(|| Arc::new([0; PAGE])))
    }
}

/// The pages that a range touches: which, what of it, and how far into the range that is.
fn parts(range: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>, usize)> {
    let pages = if range.is_empty() { 0..0 } else { range.start / PAGE..range.end.div_ceil(PAGE) };
    pages.map(move |page| {
        let first = page * PAGE;
        let within = range.start.max(first)..range.end.min(first + PAGE);
        (page, within.start - first..within.end - first, within.start - range.start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Clone)]
    struct Both(Pages, Vec<u8>);

    impl Both {
        fn same(&self) -> bool {
            let mut bytes = vec![1; self.0.len() + 10];
            let read = self.0.read(0, &mut bytes);
            bytes.truncate(read);
            bytes == self.1
        }
    }

    #[test]
    fn pages_are_the_bytes_that_were_written_and_copies_stay_as_they_were() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut files = vec![Both::default(); 3];
        for _ in 0..2000 {
            let (at, other) = (rng.usize(..3), rng.usize(..3));
            let before = files[at].clone();
            let (start, len) = (rng.usize(..4 * PAGE), rng.usize(..3 * PAGE));
            match rng.u8(..4) {
                0 => {
                    let bytes: Vec<u8> = (0..len).map(|_| rng.u8(..)).collect();
                    let Both(pages, model) = &mut files[at];
                    pages.write(start, &bytes);
                    model.resize(model.len().max(start + len), 0);
                    model[start..start + len].copy_from_slice(&bytes);
                }
                1 => {
                    let Both(pages, model) = &mut files[at];
                    pages.resize(start);
                    model.resize(start, 0);
                }
                2 => {
                    let from = files[other].clone();
                    let Both(pages, model) = &mut files[at];
                    pages.take(&from.0, start..start + len);
                    for to in start..(start + len).min(model.len()) {
                        model[to] = from.1.get(to).copied().unwrap_or(0);
                    }
                }
                _ => files[at] = files[other].clone(),
            }
            let len = files[at].0.len();
            assert!(before.same() && files[at].same(), "{len}");
        }
    }
}
