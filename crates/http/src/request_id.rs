//! The ids that clients report.

use std::sync::Arc;

use carob_identity::Entropy;
use data_encoding::{BASE64, HEXUPPER};
use http::header::{HeaderMap, HeaderName, HeaderValue};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");

/// Marks every answer with the two ids that S3 clients log and report (Amazon S3 user guide, "Getting Amazon
/// S3 request IDs"). Neither means anything to us yet beyond finding the request in the logs.
#[derive(Debug, Clone)]
pub(crate) struct RequestIds(pub(crate) Arc<dyn Entropy>);

impl RequestIds {
    /// Adds the ids unless the layer below chose its own, as it must where an error's body names them.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        if !headers.contains_key(REQUEST_ID) {
            headers.insert(REQUEST_ID, self.draw(8, |bytes| HEXUPPER.encode(bytes)));
        }
        if !headers.contains_key(HOST_ID) {
            headers.insert(HOST_ID, self.draw(42, |bytes| BASE64.encode(bytes)));
        }
    }

    fn draw(&self, len: usize, encode: impl Fn(&[u8]) -> String) -> HeaderValue {
        let mut bytes = vec![0; len];
        self.0.fill(&mut bytes);
        #[expect(clippy::expect_used, reason = "hexadecimal and base64 are visible ASCII")]
        HeaderValue::try_from(encode(&bytes)).expect("an encoding of visible ASCII")
    }
}
