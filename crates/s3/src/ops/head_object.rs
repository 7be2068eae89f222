//! Amazon S3 API reference, HeadObject.

use carob_bucket::ObjectHeaders;
use http::StatusCode;
use s3s::dto::{HeadObjectInput, HeadObjectOutput, Timestamp, TimestampFormat};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::answer::Success;
use crate::encryption::{self, CustomerKey};
use crate::ops::reading::select;
use crate::ops::showing::ShowsObject;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = &request.input;
    encryption::refuse_on_read(&request.headers)?;
    let customer = CustomerKey::to_read(&request.headers)?;
    let selected = select(carob, input, customer.as_ref(), &mut request.extensions).await?;
    let record = selected.record();
    let shown = overridden(input, record.headers.clone())?;
    let output = HeadObjectOutput::show(&selected, shown, input.checksum_mode.as_ref());
    let mut response = S3Response::with_headers(output, encryption::of_record(record, customer.as_ref()));
    if selected.content_range.is_some() {
        response.extensions.insert(Success(StatusCode::PARTIAL_CONTENT));
    }
    Ok(response)
}

/// The headers that were kept, with the `response-*` values over them.
///
/// # Errors
/// InvalidRequest for one that can be no header, InvalidArgument for a date that is none.
fn overridden(input: &HeadObjectInput, kept: ObjectHeaders) -> S3Result<ObjectHeaders> {
    let expires = input.response_expires.as_ref().map(http_date).transpose()?;
    Ok(ObjectHeaders {
        content_type: either(&input.response_content_type, kept.content_type)?,
        cache_control: either(&input.response_cache_control, kept.cache_control)?,
        content_disposition: either(&input.response_content_disposition, kept.content_disposition)?,
        content_encoding: either(&input.response_content_encoding, kept.content_encoding)?,
        content_language: either(&input.response_content_language, kept.content_language)?,
        expires: expires.or(kept.expires),
        ..kept
    })
}

fn either(given: &Option<String>, kept: Option<String>) -> S3Result<Option<String>> {
    match given {
        Some(value) if http::HeaderValue::from_str(value).is_err() => {
            Err(s3_error!(InvalidRequest, "A response header override is not a valid header value."))
        }
        Some(value) => Ok(Some(value.clone())),
        None => Ok(kept),
    }
}

fn http_date(time: &Timestamp) -> S3Result<String> {
    let mut text = Vec::new();
    let written = time.format(TimestampFormat::HttpDate, &mut text);
    match (written, String::from_utf8(text)) {
        (Ok(()), Ok(text)) => Ok(text),
        _ => Err(s3_error!(InvalidArgument, "response-expires is not a date")),
    }
}
