//! Amazon S3 API reference, GetBucketRequestPayment.

use s3s::dto::{
    GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, Payer, RequestPaymentConfiguration,
};
use s3s::{S3Request, S3Response, S3Result};

use crate::documents;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetBucketRequestPaymentInput>,
) -> S3Result<S3Response<GetBucketRequestPaymentOutput>> {
    let input = request.input;
    let owner = input.expected_bucket_owner.as_deref();
    let found: Option<RequestPaymentConfiguration> =
        carob.setting(documents::REQUEST_PAYMENT, &request.extensions, owner).await?;
    let payer = found.map_or_else(|| Payer::from_static(Payer::BUCKET_OWNER), |found| found.payer);
    Ok(S3Response::new(GetBucketRequestPaymentOutput { payer: Some(payer) }))
}
