//! Amazon S3 API reference, GetObjectLegalHold.

use s3s::dto::{GetObjectLegalHoldInput, GetObjectLegalHoldOutput, ObjectLockLegalHold};
use s3s::{S3Request, S3Response, S3Result};

use crate::protection::hold_status;
use crate::table::Carob;
use crate::target::NamesVersion;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetObjectLegalHoldInput>,
) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
    let lock = carob.lock(&request.extensions, request.input.target()?).await?;
    let on = lock.legal_hold.ok_or_else(super::no_object_lock)?;
    let legal_hold = Some(ObjectLockLegalHold { status: Some(hold_status(on)) });
    Ok(S3Response::new(GetObjectLegalHoldOutput { legal_hold }))
}
