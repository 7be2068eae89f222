//! Amazon S3 API reference, PutObjectAcl.

use carob_bucket::Amendment;
use carob_policy::{Acl, Ownership};
use s3s::dto::{PutObjectAclInput, PutObjectAclOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::{acl_of, here};
use crate::acl::{self, OnWhat, check_public, not_supported};
use crate::table::Carob;
use crate::target::NamesVersion;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutObjectAclInput>,
) -> S3Result<S3Response<PutObjectAclOutput>> {
    let input = &request.input;
    let target = input.target()?;
    let found = carob.amendable(&request.extensions, target).await?;
    let record = found.object.record();
    let here = here(&request.extensions)?;
    if here.rules.ownership == Ownership::BucketOwnerEnforced {
        return Err(not_supported());
    }
    let owner = acl_of(record, here).map_or_else(|| here.owner.clone(), |list| list.owner);
    let document = input.access_control_policy.as_ref();
    let list = acl::asked(document, &request.headers, OnWhat::Object, (&owner, &here.owner), carob)?;
    check_public(&list, &here.rules)?;
    let to = (list != Acl::private(&here.owner)).then(|| list.to_text());
    // Of the object that was decided about, and no other that has taken its place.
    let amendment = Amendment::Access { from: record.access.clone(), to };
    carob.amend(&request.extensions, target, amendment).await?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}
