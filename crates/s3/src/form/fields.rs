//! The fields of a form that stand before its file.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http::header;
use s3s::{Body, S3Error, S3Result, s3_error};
use s3s_multipart::{Boundary, Multipart, PartDataStream, parse_content_disposition};

use crate::body::from_body;
use crate::error::{custom, incomplete_body, invalid_argument};

/// The most that may stand before the file (API reference, "POST Object"), in bytes.
pub(super) const MAX_FIELDS: usize = 20 << 10;

/// The most that a part's own headers may take.
const MAX_PART_HEAD: usize = 4 << 10;

pub(super) type FormStream = BoxStream<'static, Result<Bytes, s3s_multipart::Error>>;

/// The fields before the file, by their names in small letters.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) BTreeMap<String, String>);

/// A form, read up to its file.
pub(super) struct Form {
    pub(super) fields: Fields,
    /// The last segment of the path that the browser gave, if it gave one.
    pub(super) filename: Option<String>,
    pub(super) file: PartDataStream<FormStream>,
}

impl Form {
    /// Reads up to the file.
    ///
    /// # Errors
    /// MalformedPOSTRequest, MaxPostPreDataLengthExceeded, InvalidArgument.
    pub(super) async fn read(content_type: &str, body: Body) -> S3Result<Self> {
        let boundary = boundary(content_type).ok_or_else(malformed)?;
        let stream: FormStream = body.map_err(s3s_multipart::Error::stream_read_failed).boxed();
        let mut parts = Multipart::new(stream, &boundary, MAX_PART_HEAD);
        let mut fields = BTreeMap::new();
        let mut size = 0;
        while let Some(mut part) = parts.next_part().await.map_err(from_form)? {
            let (mut name, mut filename) = (None, None);
            while let Some(found) = part.next_header().await.map_err(from_form)? {
                if found.name.eq_ignore_ascii_case(header::CONTENT_DISPOSITION.as_str())
                    && let Some(disposition) = parse_content_disposition(found.value)
                {
                    name = disposition.name.map(text).transpose()?;
                    filename = disposition.file_name.map(text).transpose()?;
                }
            }
            let name = name.filter(|name| !name.is_empty()).ok_or_else(malformed)?.to_ascii_lowercase();
            if name == "file" {
                let last = |path: String| path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
                let filename = filename.map(last);
                let file = part.take_data_stream().map_err(from_form)?;
                return Ok(Self { fields: Fields(fields), filename, file });
            }
            let mut value = Vec::new();
            size += name.len();
            while let Some(piece) = part.next_data().await.map_err(from_form)? {
                size += piece.len();
                if size > MAX_FIELDS {
                    return Err(custom(
                        "MaxPostPreDataLengthExceeded",
                        http::StatusCode::BAD_REQUEST,
                        "Your POST request fields preceding the upload file were too large.",
                    ));
                }
                value.extend_from_slice(&piece);
            }
            let repeated =
                || s3_error!(InvalidArgument, "The field {name} stands in the form more than once.");
            if fields.insert(name.clone(), text(&value)?).is_some() {
                return Err(repeated());
            }
        }
        Err(invalid_argument("POST requires exactly one file upload per request.", "file", "0"))
    }
}

impl Fields {
    /// A field's value, if it is in the form.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

fn text(bytes: &[u8]) -> S3Result<String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| malformed())
}

/// The `boundary` of a content type.
fn boundary(content_type: &str) -> Option<Boundary> {
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    Boundary::new(value.trim().trim_matches('"').as_bytes()).ok()
}

/// What is wrong with a form, in S3's words.
pub(super) fn from_form(error: s3s_multipart::Error) -> S3Error {
    match error {
        s3s_multipart::Error::StreamReadFailed(source) => from_body(source),
        s3s_multipart::Error::IncompleteStream | s3s_multipart::Error::IncompleteStreamPart => {
            incomplete_body()
        }
        _ => malformed(),
    }
}

fn malformed() -> S3Error {
    s3_error!(MalformedPOSTRequest, "The body of your POST request is not well-formed multipart/form-data.")
}
