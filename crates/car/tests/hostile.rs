//! What a CAR from anywhere may do to us: nothing but an error.

use carob_block::{Block, BlockError, Codec, MAX_BLOCK_SIZE};
use carob_car::{CarError, CarReader, Frame, MAX_HEADER_SIZE, header};
use proptest::prelude::*;

fn block(body: &[u8]) -> Block {
    Block::new(Codec::Raw, body.to_vec().into()).unwrap()
}

/// A header and the given bytes after it; also where those begin.
fn car_with(tail: &[u8]) -> (Vec<u8>, u64) {
    let mut car = header(&[*block(b"root").cid()]).unwrap();
    let start = car.len() as u64;
    car.extend_from_slice(tail);
    (car, start)
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame::of(&block(body)).append_to(&mut bytes);
    bytes
}

fn first_error(car: &[u8]) -> CarError {
    CarReader::new(car).and_then(std::iter::Iterator::collect::<Result<Vec<_>, _>>).unwrap_err()
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let (car, _) = car_with(&frame(b"hi"));
    let cid = hex(block(b"root").cid().to_bytes());
    let head = format!("3aa265726f6f747381d82a582500{cid}6776657273696f6e01");
    let body = format!("26{}6869", hex(block(b"hi").cid().to_bytes()));
    assert_eq!(hex(car), head + &body);
}

fn hex(bytes: Vec<u8>) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_cut_but_those_between_frames_is_truncation() {
    let (car, start) = car_with(&[frame(&[1; 200]), frame(b""), frame(&[2; 70])].concat());
    let ends = [start, start + 238, start + 238 + 37, car.len() as u64];
    for cut in 0..=car.len() {
        let blocks = CarReader::new(&car[..cut]).and_then(std::iter::Iterator::collect::<Result<Vec<_>, _>>);
        if ends.contains(&(cut as u64)) {
            assert!(blocks.is_ok(), "cut at {cut}");
        } else {
            let begins = ends.iter().rfind(|end| **end < cut as u64).copied().unwrap_or(0);
            assert!(
                matches!(blocks, Err(CarError::Truncated { offset }) if offset == begins),
                "cut at {cut}"
            );
        }
    }
}

#[test]
fn a_block_that_does_not_hash_to_its_cid_is_refused() {
    let (mut car, _) = car_with(&[frame(b"first"), frame(b"second")].concat());
    let at = car.len() as u64 - frame(b"second").len() as u64;
    *car.last_mut().unwrap() ^= 1;
    let mut reader = CarReader::new(car.as_slice()).unwrap();
    assert_eq!(reader.next_block().unwrap(), Some(block(b"first")));
    let err = reader.next_block().unwrap_err();
    assert!(
        matches!(err, CarError::BadBlock { offset, source: BlockError::HashMismatch(_) } if offset == at)
    );
    assert_eq!(reader.offset(), at);
    assert_eq!(reader.next_block().unwrap(), None, "nothing is read after an error");
}

#[test]
fn reading_resumes_at_a_frame() {
    let (car, start) = car_with(&[frame(b"first"), frame(b"second")].concat());
    let at = start + frame(b"first").len() as u64;
    let mut reader = CarReader::resume(&car[at as usize..], at);
    assert_eq!(reader.next_block().unwrap(), Some(block(b"second")));
    assert_eq!(reader.offset(), car.len() as u64);
    assert!(reader.next_block().unwrap().is_none() && reader.roots().is_empty());
}

#[test]
fn lengths_out_of_bounds_and_non_minimal_ones_are_refused() {
    let over = (36 + MAX_BLOCK_SIZE + 1) as u32;
    let over = [over as u8 | 0x80, (over >> 7) as u8 | 0x80, (over >> 14) as u8 | 0x80, (over >> 21) as u8];
    let endless = [0xff; 12];
    let non_minimal = [&[0xa6, 0x00][..], &frame(b"hi")[1..]].concat();
    for tail in [&over[..], &endless, &non_minimal, &[0], &[35], &[0; 4096]] {
        let (car, start) = car_with(tail);
        assert!(
            matches!(first_error(&car), CarError::Malformed { offset, .. } if offset == start),
            "{:x?}",
            &tail[..4.min(tail.len())]
        );
    }
}

#[test]
fn headers_of_other_kinds_are_refused() {
    let none = b"\x11\xa2\x65roots\x80\x67version\x01";
    let v2 = b"\x0a\xa1\x67version\x02";
    for car in [&none[..], v2, b"\x00", b"\x01\xff", b"\xff\xff\xff\x7f"] {
        assert!(matches!(first_error(car), CarError::Malformed { offset: 0, .. }), "{car:x?}");
    }
    assert!(matches!(first_error(b""), CarError::Truncated { offset: 0 }));
    assert!(header(&[]).is_err());
    assert!(header(&vec![*block(b"r").cid(); MAX_HEADER_SIZE / 40]).is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8)) {
        let (car, _) = car_with(&bodies.iter().map(|body| frame(body)).collect::<Vec<_>>().concat());
        let read: Vec<_> = CarReader::new(car.as_slice()).unwrap().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(read, bodies.iter().map(|body| block(body)).collect::<Vec<_>>());
    }

    /// Whatever a change does, each block that still comes out is one that went in.
    #[test]
    fn mutated_bytes_yield_only_true_blocks(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..6),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut car, _) = car_with(&bodies.iter().map(|body| frame(body)).collect::<Vec<_>>().concat());
        for (at, byte) in changes {
            let at = at.index(car.len());
            car[at] = byte;
        }
        car.truncate(cut.index(car.len()) + 1);
        if let Ok(reader) = CarReader::new(car.as_slice()) {
            for read in reader.map_while(Result::ok) {
                prop_assert!(bodies.iter().any(|body| body == read.data()), "{read:?}");
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(reader) = CarReader::new(bytes.as_slice()) {
            prop_assert!(reader.count() <= bytes.len());
        }
    }
}
