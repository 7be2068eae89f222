//! Multipart uploads and copies.

use http::{HeaderMap, Method};

use super::client::{Client, Failure, Payload, etag, parse, to_xml, unquoted};
use super::xml;

/// One page of ListMultipartUploads.
#[derive(Debug)]
pub(crate) struct UploadsPage {
    /// Keys and upload ids.
    pub(crate) uploads: Vec<(String, String)>,
    /// Whether there are more.
    pub(crate) truncated: bool,
}

/// One page of ListParts.
#[derive(Debug)]
pub(crate) struct PartsPage {
    /// Numbers, entity tags without quotes, and sizes.
    pub(crate) parts: Vec<(u16, String, u64)>,
    /// Whether there are more.
    pub(crate) truncated: bool,
}

impl Client {
    /// CreateMultipartUpload with extra `headers`; gives the upload's id.
    pub(crate) async fn begin_upload(
        &self,
        bucket: &str,
        key: &str,
        headers: HeaderMap,
    ) -> Result<String, Failure> {
        let query = [("uploads", "")];
        let (_, answer) = self.call(Method::POST, bucket, key, &query, headers, Payload::empty()).await?;
        Ok(parse::<xml::InitiateMultipartUploadResult>(&answer)?.upload_id)
    }

    /// UploadPart; gives the ETag without quotes.
    pub(crate) async fn put_part(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        number: u16,
        payload: Payload,
    ) -> Result<String, Failure> {
        let number = number.to_string();
        let query = [("partNumber", &*number), ("uploadId", id)];
        let (headers, _) = self.call(Method::PUT, bucket, key, &query, HeaderMap::new(), payload).await?;
        etag(&headers)
    }

    /// CopyObject, or with the query of UploadPart, UploadPartCopy; `headers` name the source. Gives the ETag without
    /// quotes.
    pub(crate) async fn copy(
        &self,
        bucket: &str,
        key: &str,
        query: &[(&str, &str)],
        headers: HeaderMap,
    ) -> Result<String, Failure> {
        let (_, answer) = self.call(Method::PUT, bucket, key, query, headers, Payload::empty()).await?;
        Ok(unquoted(&parse::<xml::CopyResult>(&answer)?.etag))
    }

    /// CompleteMultipartUpload of these parts, by number and ETag without quotes, with extra `headers`; gives the
    /// ETag without quotes.
    pub(crate) async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        parts: &[(u16, &str)],
        headers: HeaderMap,
    ) -> Result<String, Failure> {
        let part = |&(part_number, etag): &(u16, &str)| xml::CompletedPart {
            part_number,
            etag: format!("\"{etag}\""),
        };
        let body = to_xml(&xml::CompleteMultipartUpload { part: parts.iter().map(part).collect() })?;
        let query = [("uploadId", id)];
        let payload = Payload::Signed(body.into());
        let (_, answer) = self.call(Method::POST, bucket, key, &query, headers, payload).await?;
        Ok(unquoted(&parse::<xml::CompleteMultipartUploadResult>(&answer)?.etag))
    }

    /// AbortMultipartUpload.
    pub(crate) async fn abort_upload(&self, bucket: &str, key: &str, id: &str) -> Result<(), Failure> {
        let query = [("uploadId", id)];
        let (headers, payload) = (HeaderMap::new(), Payload::empty());
        self.call(Method::DELETE, bucket, key, &query, headers, payload).await.map(drop)
    }

    /// One page of ListMultipartUploads, of those after this key and upload id.
    pub(crate) async fn uploads_page(
        &self,
        bucket: &str,
        max_uploads: u32,
        after: Option<(&str, &str)>,
    ) -> Result<UploadsPage, Failure> {
        let max_uploads = max_uploads.to_string();
        let mut query = vec![("uploads", ""), ("max-uploads", max_uploads.as_str())];
        if let Some((key, id)) = after {
            query.extend([("key-marker", key), ("upload-id-marker", id)]);
        }
        let (headers, payload) = (HeaderMap::new(), Payload::empty());
        let (_, answer) = self.call(Method::GET, bucket, "", &query, headers, payload).await?;
        let answer: xml::ListMultipartUploadsResult = parse(&answer)?;
        let uploads = answer.upload.into_iter().map(|upload| (upload.key, upload.upload_id)).collect();
        Ok(UploadsPage { uploads, truncated: answer.is_truncated })
    }

    /// One page of ListParts, of those numbered above `after`.
    pub(crate) async fn parts_page(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        max_parts: u32,
        after: u16,
    ) -> Result<PartsPage, Failure> {
        let (max_parts, after) = (max_parts.to_string(), after.to_string());
        let query = [("uploadId", id), ("max-parts", &*max_parts), ("part-number-marker", &*after)];
        let (headers, payload) = (HeaderMap::new(), Payload::empty());
        let (_, answer) = self.call(Method::GET, bucket, key, &query, headers, payload).await?;
        let answer: xml::ListPartsResult = parse(&answer)?;
        let part = |part: xml::Part| (part.part_number, unquoted(&part.etag), part.size);
        Ok(PartsPage { parts: answer.part.into_iter().map(part).collect(), truncated: answer.is_truncated })
    }
}
