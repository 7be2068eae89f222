//! The admin API's import of a bucket: a CAR as the body of a request.

use carob_block::{Block, Cid, MAX_BLOCK_SIZE};
use carob_bucket::{Import, Imported};
use carob_car::{CarReader, MAX_HEADER_SIZE};
use carob_identity::{Action, Resource};
use http::{Response, StatusCode};
use http_body_util::BodyExt;

use super::State;
use super::answer::{Refusal, json};
use super::query::Query;
use crate::{Body, api};

/// A CID of ours takes 36 bytes.
const MAX_FRAME: usize = MAX_BLOCK_SIZE + 36;

impl State {
    /// Makes a bucket of an export. What comes is checked block by block, and then as a whole.
    pub(super) async fn import(
        &self,
        name: &str,
        query: Option<&str>,
        body: Body,
    ) -> Result<Response<Body>, Refusal> {
        let [owner] = Query::parse(query, ["owner"])?.into_values();
        self.allow(Action::CREATE_BUCKET, Resource::Bucket(name)).await?;
        let table = self.options.system.table();
        let owner = match owner {
            Some(owner) => table.account(&owner)?.id,
            None => *self.options.space.did(),
        };
        let mut import = self.options.space.import();
        let root = receive(body, &mut import).await?;
        let Imported { bucket, state, from } = import.finish(root, name, owner).await?;
        tracing::info!(bucket = name, %from, "imported");
        let imported = api::Branched {
            owner: self.owner_name(&bucket.owner),
            name: bucket.name,
            id: bucket.id.to_string(),
            from: from.to_string(),
            objects: state.objects(),
            bytes: state.bytes(),
        };
        Ok(json(StatusCode::OK, &imported))
    }
}

/// Reads a CAR to its end; gives its root.
async fn receive(mut body: Body, import: &mut Import) -> Result<Cid, Refusal> {
    let (mut frames, mut root) = (Frames::default(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::bad_request("the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        frames.buffer.extend_from_slice(&data);
        loop {
            let limit = if root.is_none() { MAX_HEADER_SIZE } else { MAX_FRAME };
            let Some(frame) = frames.next(limit)? else { break };
            match root {
                None => root = Some(read_root(frame)?),
                Some(_) => import.add(read_block(frame)?).await?,
            }
        }
        frames.compact();
    }
    if frames.rest() > 0 {
        return Err(Refusal::bad_request("the CAR is cut short"));
    }
    root.ok_or_else(|| Refusal::bad_request("the CAR is empty"))
}

fn read_root(header: &[u8]) -> Result<Cid, Refusal> {
    let reader = CarReader::new(header).map_err(|error| Refusal::bad_request(error.to_string()))?;
    match reader.roots() {
        [root] => Ok(*root),
        roots => Err(Refusal::bad_request(format!("the CAR has {} roots; an export has one", roots.len()))),
    }
}

fn read_block(frame: &[u8]) -> Result<Block, Refusal> {
    let block = CarReader::resume(frame, 0).next_block();
    let block = block.map_err(|error| Refusal::bad_request(error.to_string()))?;
    block.ok_or_else(|| Refusal::bad_request("a frame without a block"))
}

/// Bytes as they come, cut into frames: a length, and as many bytes.
#[derive(Default)]
struct Frames {
    buffer: Vec<u8>,
    taken: usize,
}

impl Frames {
    /// The next frame with its length, once it is there.
    fn next(&mut self, limit: usize) -> Result<Option<&[u8]>, Refusal> {
        let too_long = || Refusal::bad_request("a frame of the CAR is too long");
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let Some(last) = rest.iter().take(4).position(|byte| byte & 0x80 == 0) else {
            return if rest.len() < 4 { Ok(None) } else { Err(too_long()) };
        };
        let digits = rest.iter().take(last + 1).rev();
        let length = digits.fold(0_usize, |sum, byte| (sum << 7) | usize::from(byte & 0x7f));
        if length > limit {
            return Err(too_long());
        }
        let start = self.taken;
        let end = start + last + 1 + length;
        if self.buffer.len() < end {
            return Ok(None);
        }
        self.taken = end;
        Ok(self.buffer.get(start..end))
    }

    fn compact(&mut self) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
    }

    fn rest(&self) -> usize {
        self.buffer.len() - self.taken
    }
}
