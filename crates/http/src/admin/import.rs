//! The admin API's import of a bucket: a CAR as the body of a request.

use carob_block::Cid;
use carob_bucket::{Import, Imported};
use carob_identity::{Action, Resource};
use http::{Response, StatusCode};
use http_body_util::BodyExt;

use super::State;
use super::answer::{Refusal, json};
use super::query::Query;
use crate::car_stream::{CarStream, CarStreamError};
use crate::{Body, api};

impl State {
    /// Makes a bucket of an export. What comes is checked block by block, and then as a whole.
    pub(super) async fn import(
        &self,
        name: &str,
        query: Option<&str>,
        body: Body,
    ) -> Result<Response<Body>, Refusal> {
        let [owner, max_bytes] = Query::parse(query, ["owner", "max-bytes"])?.into_values();
        let max_bytes = max_bytes.map(|text| text.parse::<u64>()).transpose();
        let max_bytes = max_bytes.map_err(|_| Refusal::bad_request("max-bytes is no number of bytes"))?;
        self.allow(Action::CREATE_BUCKET, Resource::Bucket(name)).await?;
        let table = self.options.system.table();
        let owner = match owner {
            Some(owner) => table.account(&owner)?.id,
            None => *self.options.space.did(),
        };
        let mut import = self.options.space.import(max_bytes);
        let root = receive(body, &mut import).await?;
        let Imported { bucket, state, from, past } = import.finish(root, name, owner).await?;
        tracing::info!(bucket = name, %from, "imported");
        let imported = api::Branched {
            owner: self.owner_name(&bucket.owner),
            name: bucket.name,
            id: bucket.id.to_string(),
            from: from.to_string(),
            objects: state.objects(),
            bytes: state.bytes(),
            past: past as u64,
        };
        Ok(json(StatusCode::OK, &imported))
    }
}

/// Reads a CAR to its end; gives its root.
async fn receive(body: Body, import: &mut Import) -> Result<Cid, Refusal> {
    let broken = |error: CarStreamError| Refusal::bad_request(error.to_string());
    let (mut car, root) = CarStream::open(body.into_data_stream()).await.map_err(broken)?;
    while let Some(block) = car.next().await.map_err(broken)? {
        import.add(block).await?;
    }
    Ok(root)
}
