//! Another implementation reads what we write, and we read what it writes.

use carob_block::{Block, Codec, MAX_BLOCK_SIZE};
use carob_car::{CarReader, Frame, header};
use iroh_car::{CarHeader, CarWriter};

fn blocks() -> Vec<Block> {
    let bodies = [
        (Codec::Raw, 0),
        (Codec::Raw, 1),
        (Codec::DagCbor, 91),
        (Codec::DagPb, 92),
        (Codec::Raw, MAX_BLOCK_SIZE),
    ];
    bodies.map(|(codec, len)| Block::new(codec, vec![7; len].into()).unwrap()).to_vec()
}

#[tokio::test]
async fn iroh_car_reads_what_we_write() {
    let blocks = blocks();
    let roots = [*blocks[0].cid(), *blocks[2].cid()];
    let mut car = header(&roots).unwrap();
    for block in &blocks[..4] {
        Frame::of(block).append_to(&mut car);
    }
    let mut reader = iroh_car::CarReader::new(car.as_slice()).await.unwrap();
    assert_eq!(reader.header().roots(), roots);
    for block in &blocks[..4] {
        let (cid, data) = reader.next_block().await.unwrap().unwrap();
        assert_eq!((&cid, data.as_slice()), (block.cid(), block.data().as_ref()));
    }
    assert!(reader.next_block().await.unwrap().is_none());
}

#[tokio::test]
async fn we_read_what_iroh_car_writes() {
    let blocks = blocks();
    let mut car = Vec::new();
    let mut writer = CarWriter::new(CarHeader::new_v1(vec![*blocks[1].cid()]), &mut car);
    for block in &blocks {
        writer.write(*block.cid(), block.data()).await.unwrap();
    }
    writer.finish().await.unwrap();
    let reader = CarReader::new(car.as_slice()).unwrap();
    assert_eq!(reader.roots(), [*blocks[1].cid()]);
    assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), blocks);
}
