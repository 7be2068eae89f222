//! What a state answers to a question, with the blocks that prove it.

use std::sync::Arc;

use carob_block::{Block, ReadBlocks};
use carob_commit::{Answer, Claim, Question, VerifyError, answer};
use carob_index::{IndexError, Recorder};

use crate::{BucketError, Snapshot};

/// A question with its answer and the blocks that show it.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The root: what was asked of which commit.
    pub claim: Claim,
    /// The answer.
    pub answer: Answer,
    /// The claim, the commit, and the blocks that the answer was read from.
    pub blocks: Vec<Block>,
}

impl Snapshot {
    /// Answers a question in a way that others can check who know the space and nothing else.
    ///
    /// The blocks show the neighbours of what was asked for, too. With `body`, the claim promises the body of the object:
    /// [`Snapshot::body_blocks`] are then to follow.
    ///
    /// # Errors
    /// [`BucketError::TooManyObjects`]; [`BucketError::Purged`] if the body was; [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn prove(&self, question: Question, body: bool) -> Result<Proof, BucketError> {
        let mut claim = Claim { commit: self.cid(), question, body: false };
        let recorder = Arc::new(Recorder::new(Arc::clone(self.store()) as _));
        let blocks: Arc<dyn ReadBlocks> = Arc::clone(&recorder) as _;
        let answer = match (answer(&blocks, &claim).await, &claim.question) {
            (Ok((_, answer)), _) => answer,
            // The list of its parts goes with the body.
            (Err(error @ VerifyError::Missing(_)), Question::Key(key)) => {
                self.get(key).await?;
                return Err(from_verify(error));
            }
            (Err(error), _) => return Err(from_verify(error)),
        };
        if body && let (Question::Key(key), Answer::Object(record, _)) = (&claim.question, &answer) {
            self.check_purged(key, record).await?;
            claim.body = true;
        }
        let mut blocks = vec![claim.to_block()?];
        blocks.extend(recorder.blocks());
        Ok(Proof { claim, answer, blocks })
    }
}

fn from_verify(error: VerifyError) -> BucketError {
    match error {
        VerifyError::TooMany => BucketError::TooManyObjects,
        VerifyError::Missing(cid) => BucketError::missing(&cid),
        VerifyError::Index(IndexError::Store(error)) => (*error).into(),
        other => BucketError::damaged(other),
    }
}
