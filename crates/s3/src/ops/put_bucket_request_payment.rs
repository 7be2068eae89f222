//! Amazon S3 API reference, PutBucketRequestPayment. Nobody is billed here: who pays is kept and shown, no more.

use s3s::dto::{Payer, PutBucketRequestPaymentInput, PutBucketRequestPaymentOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::documents;
use crate::error::malformed_xml;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketRequestPaymentInput>,
) -> S3Result<S3Response<PutBucketRequestPaymentOutput>> {
    let input = request.input;
    let document = &input.request_payment_configuration;
    let setting = match document.payer.as_str() {
        // As if it had never been set.
        Payer::BUCKET_OWNER => None,
        Payer::REQUESTER => Some(documents::write(document)?),
        _ => return Err(malformed_xml()),
    };
    let owner = input.expected_bucket_owner.as_deref();
    carob.set(documents::REQUEST_PAYMENT, &request.extensions, owner, setting).await?;
    Ok(S3Response::new(PutBucketRequestPaymentOutput::default()))
}
