//! The last touch to every answer, whoever gave it: ids, the rest of an error document, no body on HEAD.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use s3s::Body;

use crate::arguments;
use crate::contents::Contents;
use crate::context::RequestContext;
use crate::details::Subject;
use crate::interleave::Markers;
use crate::xml;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");
const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");
const SERVER: HeaderValue = HeaderValue::from_static("Carob");

/// How the errors begin of what is signed for another region.
const WRONG_REGION: [&str; 2] = [
    "<Message>The authorization header is malformed; the region ",
    "<Message>Error parsing the X-Amz-Credential parameter; the region ",
];

/// s3s says of some errors what the API reference does, and not what Amazon S3 says.
const TEXTS: [(&str, &str); 4] = [
    (
        "This happens when the user sends malformed XML (XML that doesn&apos;t conform to the published XSD) for the \
         configuration. The error message is, &quot;The XML you provided was not well-formed or did not validate against \
         our published schema.&quot;",
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    (
        "This happens when the user sends an empty XML document as a request. The error message is, &quot;Request body is \
         empty.&quot;",
        "Request Body is empty",
    ),
    (
        "The request signature we calculated does not match the signature you provided. Check your AWS secret access key and \
         signing method. For more information, see REST Authentication and SOAP Authentication for details.",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ),
    ("<Message>request time is too far from server time</Message>", SKEWED),
];

/// What Amazon S3 says where the clocks differ; as [`crate::date::skewed`].
const SKEWED: &str =
    "<Message>The difference between the request time and the current time is too large.</Message>";

/// The status of an answer that s3s knows no such success of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Success(pub(crate) StatusCode);

pub(crate) fn finish(
    mut response: Response<Body>,
    context: &RequestContext,
    subject: &Subject,
    region: &str,
) -> Response<Body> {
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "application/xml") {
        finish_xml(&mut response, context, subject, region);
    }
    if let Some(Success(status)) = response.extensions_mut().remove() {
        *response.status_mut() = status;
    }
    if *subject.method() == Method::HEAD && !response.status().is_success() {
        // An error of HEAD has no document, not even the length of one.
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        // Clients that signed for another region look here, as there is no document that says it.
        if let Ok(region) = HeaderValue::from_str(region) {
            response.headers_mut().insert(BUCKET_REGION, region);
        }
    }
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Says who answers, and to which request.
pub(crate) fn identify(mut response: Response<Body>, context: &RequestContext) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::SERVER, SERVER);
    for (name, value) in [(REQUEST_ID, context.id()), (HOST_ID, context.host_id())] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}

fn finish_xml(response: &mut Response<Body>, context: &RequestContext, subject: &Subject, region: &str) {
    let Some(bytes) = response.body().bytes() else { return };
    let Ok(document) = std::str::from_utf8(&bytes) else { return };
    let markers = response.extensions_mut().remove::<Markers>();
    let ordered = markers.and_then(|markers| markers.interleave(document));
    let document = ordered.map_or(Cow::Borrowed(document), Cow::Owned);
    let document = xml::refer(xml::reveal(document, context.nonce()));
    if let Some(contents) = response.extensions_mut().remove::<Contents>() {
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(contents.within(&document));
        return;
    }
    let document = if let Some(open) = document.strip_suffix("</Error>") {
        let code = open.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        let code = code.map(|(code, _)| code).unwrap_or_default();
        context.set_error_code(code);
        let mut error = open.to_owned();
        for (theirs, said) in TEXTS {
            if error.contains(theirs) {
                error = error.replacen(theirs, said, 1);
            }
        }
        if WRONG_REGION.iter().any(|wrong| error.contains(wrong)) {
            // Clients sign again for the region named here.
            error.push_str(&format!("<Region>{}</Region>", xml::escape(region)));
            if let Ok(region) = HeaderValue::from_str(region) {
                response.headers_mut().insert(BUCKET_REGION, region);
            }
        }
        if code == "InvalidArgument" {
            error = arguments::reworded(error);
        }
        let elements = subject.elements(code, &error, context);
        error.push_str(&elements);
        error.push_str(&format!(
            "<Resource>{}</Resource><RequestId>{}</RequestId><HostId>{}</HostId></Error>",
            xml::escape(subject.path()),
            context.id(),
            context.host_id()
        ));
        error
    } else if let Cow::Owned(document) = document {
        document
    } else {
        return;
    };
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(document);
}
