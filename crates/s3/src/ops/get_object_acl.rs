//! Amazon S3 API reference, GetObjectAcl.

use carob_policy::{Acl, Ownership};
use s3s::dto::{GetObjectAclInput, GetObjectAclOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::{acl_of, here};
use crate::acl;
use crate::table::Carob;
use crate::target::NamesVersion;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetObjectAclInput>,
) -> S3Result<S3Response<GetObjectAclOutput>> {
    let found = carob.object(&request.extensions, request.input.target()?).await?;
    let here = here(&request.extensions)?;
    let list = acl_of(found.object.record(), here);
    let list = list.filter(|_| here.rules.ownership != Ownership::BucketOwnerEnforced);
    let list = list.unwrap_or_else(|| Acl::private(&here.owner));
    let grants = Some(acl::shown(&list, |id| carob.owner_of_id(id)));
    let owner = Some(carob.owner_of_id(&list.owner));
    Ok(S3Response::new(GetObjectAclOutput { grants, owner, ..GetObjectAclOutput::default() }))
}
