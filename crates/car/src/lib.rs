//! CARv1: blocks in a stream, each preceded by its length and CID.
//!
//! [`header`] and [`Frame`] give the bytes to write, whole or piecewise so that a body is never copied;
//! [`CarReader`] reads them back and yields only blocks whose hash was checked. Lengths are bounded, and the
//! end of the input inside a frame is never mistaken for the end of the archive.
//!
//! This crate does not know what the blocks mean, whether a root's links are all present, or where the
//! bytes live: everything goes through [`std::io::Read`] and byte buffers, so it also runs in wasm.
//!
//! ```
//! use carob_block::{Block, Codec};
//! use carob_car::{CarReader, Frame, header};
//!
//! let block = Block::new(Codec::Raw, "hello".into())?;
//! let mut car = header(&[*block.cid()])?;
//! Frame::of(&block).append_to(&mut car);
//!
//! let mut reader = CarReader::new(car.as_slice())?;
//! assert_eq!(reader.roots(), [*block.cid()]);
//! assert_eq!(reader.next_block()?, Some(block));
//! assert_eq!(reader.next_block()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The format: <https://ipld.io/specs/transport/car/carv1/>.

mod encode;
mod error;
mod header;
mod read;

pub use encode::Frame;
pub use error::CarError;
pub use header::{MAX_HEADER_SIZE, header};
pub use read::{CarReader, FrameStart};
