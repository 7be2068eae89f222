//! Amazon S3 API reference, PutObjectLegalHold.

use carob_bucket::Amendment;
use s3s::dto::{PutObjectLegalHoldInput, PutObjectLegalHoldOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::error::malformed_xml;
use crate::protection::is_on;
use crate::table::Carob;
use crate::target::NamesVersion;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutObjectLegalHoldInput>,
) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
    let input = request.input;
    let status = input.legal_hold.as_ref().and_then(|hold| hold.status.as_ref()).ok_or_else(malformed_xml)?;
    let on = is_on(status).ok_or_else(malformed_xml)?;
    carob.amend(&request.extensions, input.target()?, Amendment::LegalHold(on)).await?;
    Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
}
