//! Amazon S3 API reference, RenameObject; user guide, "Renaming objects in directory buckets".
//!
//! Amazon S3 has it in directory buckets, which keep no versions; it is here in every bucket that keeps none.

use std::sync::Arc;

use carob_bucket::{Bucket, BucketError, EtagCondition, Object, RenameOptions};
use carob_identity::Action;
use percent_encoding::percent_decode_str;
use s3s::dto::{RenameObjectInput, RenameObjectOutput};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::access::{Deed, asker, here};
use crate::conditions::{Conditional, SourceConditional};
use crate::context::RequestContext;
use crate::error::{access_denied, from_bucket, no_such_key, precondition_failed};
use crate::headers;
use crate::observer::Touched;
use crate::renames::{Recalled, Renaming, check_token};
use crate::table::Carob;

/// How often it is decided anew because somebody wrote one of the two keys meanwhile.
const ATTEMPTS: usize = 8;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<RenameObjectInput>,
) -> S3Result<S3Response<RenameObjectOutput>> {
    let owner = request.headers.get("x-amz-expected-bucket-owner").cloned();
    let owner = owner.as_ref().map(|value| value.to_str().unwrap_or_default());
    let RenameObjectInput { key: to, rename_source, client_token, .. } = request.input;
    let from = percent_decode_str(&rename_source).decode_utf8();
    let from = from.map_err(|_| s3_error!(InvalidArgument, "The rename source is not URL-encoded UTF-8."))?;
    if from.is_empty() || from.ends_with('/') || to.ends_with('/') || from == to {
        return Err(s3_error!(
            InvalidRequest,
            "An object is renamed from one key to another, neither of which ends with a slash."
        ));
    }
    let bucket = carob.bucket(&request.extensions, owner)?;
    let renaming = Renaming {
        from: from.into_owned(),
        to,
        source: request.extensions.remove::<SourceConditional>().unwrap_or_default(),
        replaced: request.extensions.remove::<Conditional>().unwrap_or_default(),
    };
    let token = client_token.map(|token| check_token(bucket.info().id, token)).transpose()?;
    let recall = || token.as_ref().map_or(Ok(Recalled::No), |token| carob.renames.recall(token, &renaming));

    let (asker, here) = (asker(&request.extensions)?, here(&request.extensions)?);
    let gatekeeper = &carob.gatekeeper;
    // That the caller may write where the object goes was asked before.
    for _ in 0..ATTEMPTS {
        let found = bucket.get(&renaming.from).await.map_err(from_bucket)?;
        let record = found.as_ref().map(Object::record);
        let deed = |right| Deed::on_key(right, &renaming.from).to(record);
        gatekeeper.require(asker, here, deed(Action::DELETE_OBJECT))?;
        if recall()? == Recalled::Done {
            return Ok(S3Response::new(RenameObjectOutput {}));
        }
        let allowed = match record {
            Some(_) => gatekeeper.allows(asker, here, deed(Action::GET_OBJECT)),
            None => gatekeeper.tells_of_absence(asker, here, &renaming.from, None),
        };
        if !allowed {
            return Err(access_denied());
        }
        let Some(found) = found else { return Err(no_such_key()) };
        let options = renaming.options(&bucket, &found).await?;
        match bucket.rename(&renaming.from, &renaming.to, options).await {
            Err(BucketError::Contention) => {}
            // The same request may have come twice, and the other was first.
            Err(BucketError::NoSuchKey(_)) if recall()? == Recalled::Done => {
                return Ok(S3Response::new(RenameObjectOutput {}));
            }
            Err(error) => return Err(from_bucket(error)),
            Ok(written) => {
                if let Some(token) = token {
                    carob.renames.remember(token, renaming.clone());
                }
                if let Some(context) = RequestContext::of(&request.extensions) {
                    context.set_touched(vec![Touched { key: renaming.from, version: None, code: None }]);
                }
                let headers = headers::of(&written.record);
                return Ok(S3Response::with_headers(RenameObjectOutput {}, headers));
            }
        }
    }
    Err(from_bucket(BucketError::Contention))
}

impl Renaming {
    /// What the bucket is to hold the renaming to, if its conditions hold now.
    ///
    /// # Errors
    /// PreconditionFailed.
    async fn options(&self, bucket: &Bucket, found: &Object) -> S3Result<RenameOptions> {
        if !self.source.holds(found.record()) {
            return Err(precondition_failed());
        }
        let mut precondition = self.replaced.for_put();
        let mut replaced = None;
        if self.replaced.asks_when() {
            let present = bucket.get(&self.to).await.map_err(from_bucket)?;
            let record = present.as_ref().map(Object::record);
            if !self.replaced.replaces_then(record) {
                return Err(precondition_failed());
            }
            match record {
                Some(record) => replaced = Some(Arc::new(record.clone())),
                None => precondition.if_none_match = Some(EtagCondition::Any),
            }
        }
        Ok(RenameOptions { source: Arc::new(found.record().clone()), precondition, replaced })
    }
}
