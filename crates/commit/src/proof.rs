//! Proofs: what a bucket answers to a question, with the blocks that show it.
//!
//! Prover and verifier run the same [`answer`]: the one over everything, noting the blocks that it reads, the other over
//! these blocks alone.

use std::sync::Arc;

use carob_block::{Block, Cid, ReadBlocks};
use carob_identity::Did;
use carob_index::{NodeCache, Tree};
use carob_object::Piece;
use serde::{Deserialize, Serialize};

use crate::body::check_body;
use crate::verify::{CarBlocks, NODE_CACHE, get, index};
use crate::{Blake3Root, Commit, CommitError, Inline, PartList, Record, TreeValue, VerifyError, codec};

/// The most objects of a listing that is proven.
pub const MAX_PROVEN: usize = 100_000;

/// What a proof answers; the root of its CAR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The state that was asked.
    pub commit: Cid,
    /// The question.
    pub question: Question,
    /// Whether the object's body is part of the proof.
    pub body: bool,
}

/// What can be asked and proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What is under this key?
    Key(String),
    /// Which objects have keys that start so?
    Prefix(String),
}

/// What a bucket answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This object is under the key, made of these parts if it was uploaded in parts.
    Object(Box<Record>, Option<PartList>),
    /// There is no object under the key.
    Absent,
    /// These objects and no others, in order of their keys.
    Listing(Vec<(String, Record)>),
}

impl Answer {
    /// What slices of the object's bytes are checked with: the BLAKE3 roots of what it is made of. `None` where there is no
    /// one object, or it is encrypted, so that the roots are of something else.
    pub fn pieces(&self) -> Option<Vec<Piece>> {
        let Self::Object(record, parts) = self else { return None };
        if record.sealed.is_some() {
            return None;
        }
        let piece = |size: u64, tree: &Blake3Root| Piece { size, root: tree.root };
        Some(match parts {
            Some(PartList(parts)) => parts.iter().map(|part| piece(part.size, &part.blake3)).collect(),
            None => record.blake3.iter().map(|tree| piece(record.size, tree)).collect(),
        })
    }
}

/// What an authentic proof shows.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The state that was asked.
    pub commit: Commit,
    /// The question.
    pub claim: Claim,
    /// Its answer.
    pub answer: Answer,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u64,
    commit: Cid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    body: bool,
}

impl Claim {
    /// The block that holds it.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`].
    pub fn to_block(&self) -> Result<Block, CommitError> {
        let (key, prefix) = match self.question.clone() {
            Question::Key(key) => (Some(key), None),
            Question::Prefix(prefix) => (None, Some(prefix)),
        };
        codec::encode(&Wire { v: 1, commit: self.commit, key, prefix, body: self.body }, "claim")
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`CommitError::Malformed`], [`CommitError::UnknownVersion`].
    pub fn from_block(block: &Block) -> Result<Self, CommitError> {
        let Wire { v, commit, key, prefix, body } = codec::decode(block, "claim")?;
        codec::version_one(v, "claim")?;
        let question = match (key, prefix) {
            (Some(key), None) => Question::Key(key),
            (None, Some(prefix)) if !body => Question::Prefix(prefix),
            _ => {
                let source = "it asks for neither a key nor a prefix alone".into();
                return Err(CommitError::Malformed { cid: *block.cid(), what: "claim", source });
            }
        };
        Ok(Self { commit, question, body })
    }
}

/// Answers a question from blocks, without the body.
///
/// # Errors
/// [`VerifyError::Missing`] where a block is not there; the first thing found wrong.
pub async fn answer(blocks: &Arc<dyn ReadBlocks>, claim: &Claim) -> Result<(Commit, Answer), VerifyError> {
    let commit = Commit::from_block(&get(&**blocks, claim.commit).await?)?;
    let nodes = Arc::new(NodeCache::new(NODE_CACHE));
    let tree = Tree::open(Arc::clone(blocks), nodes, commit.objects).await.map_err(index)?;
    let answer = match &claim.question {
        Question::Key(key) => match tree.get(key.as_bytes()).await.map_err(index)? {
            Some(entry) => {
                let record = record(blocks, &tree, &entry.value).await?;
                let parts = match record.parts {
                    Some(parts) => Some(PartList::from_block(&get(&**blocks, parts).await?)?),
                    None => None,
                };
                Answer::Object(Box::new(record), parts)
            }
            None => Answer::Absent,
        },
        Question::Prefix(prefix) => {
            let mut objects = Vec::new();
            let mut cursor = tree.prefix(prefix.as_bytes());
            while let Some((key, entry)) = cursor.next().await.map_err(index)? {
                if objects.len() == MAX_PROVEN {
                    return Err(VerifyError::TooMany);
                }
                let key = String::from_utf8_lossy(&key).into_owned();
                objects.push((key, record(blocks, &tree, &entry.value).await?));
            }
            Answer::Listing(objects)
        }
    };
    Ok((commit, answer))
}

async fn record(
    blocks: &Arc<dyn ReadBlocks>,
    tree: &Tree,
    value: &carob_index::Value,
) -> Result<Record, VerifyError> {
    Ok(match Record::from_value(value, tree.root())? {
        Inline::Here(record) => *record,
        Inline::Linked(cid) => Record::from_block(&get(&**blocks, cid).await?)?,
    })
}

/// Checks a proof whose claim was read from its root.
pub(crate) async fn check(
    car: Arc<CarBlocks>,
    claim: Claim,
    space: Option<&Did>,
) -> Result<Proven, VerifyError> {
    let blocks: Arc<dyn ReadBlocks> = Arc::clone(&car) as _;
    let (commit, answer) = answer(&blocks, &claim).await?;
    crate::verify::check_author(&commit, space)?;
    if let (Answer::Object(record, _), Question::Key(key), true) = (&answer, &claim.question, claim.body) {
        check_body(&blocks, key.clone(), record).await?;
    }
    // What has no part in the answer has no place in its proof.
    match car.unread() {
        Some(cid) => Err(VerifyError::Unneeded(cid)),
        None => Ok(Proven { commit, claim, answer }),
    }
}
