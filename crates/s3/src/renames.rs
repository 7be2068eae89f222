//! Renamings that were done, by the client's token: the same request again has succeeded (API reference, RenameObject,
//! "ClientToken").
//!
//! The newest are kept, in memory alone: what they are for is a client that lost an answer and asks again at once.

use std::collections::{HashMap, VecDeque};

use carob_bucket::BucketId;
use parking_lot::Mutex;
use s3s::{S3Result, s3_error};

use crate::conditions::{Conditional, SourceConditional};
use crate::error::bad_request;

/// How many are kept, of some hundred bytes each.
const KEPT: usize = 4096;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Renaming {
    pub(crate) from: String,
    pub(crate) to: String,
    /// What must hold of the object.
    pub(crate) source: SourceConditional,
    /// What must hold of what is under the new key.
    pub(crate) replaced: Conditional,
}

/// A client's token, in the bucket that it is for.
pub(crate) type Token = (BucketId, String);

/// Whether a request was done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recalled {
    Done,
    No,
}

/// The newest renamings with a token.
#[derive(Debug, Default)]
pub(crate) struct Renames(Mutex<Newest>);

#[derive(Debug, Default)]
struct Newest {
    done: HashMap<Token, Renaming>,
    /// From the oldest.
    order: VecDeque<Token>,
}

impl Renames {
    /// # Errors
    /// IdempotentParameterMismatch for a token that was used for something else.
    pub(crate) fn recall(&self, token: &Token, asked: &Renaming) -> S3Result<Recalled> {
        match self.0.lock().done.get(token) {
            None => Ok(Recalled::No),
            Some(done) if done == asked => Ok(Recalled::Done),
            Some(_) => Err(bad_request(
                "IdempotentParameterMismatch",
                "The client token was used in a request with other parameters.".to_owned(),
            )),
        }
    }

    pub(crate) fn remember(&self, token: Token, done: Renaming) {
        let mut newest = self.0.lock();
        if newest.done.insert(token.clone(), done).is_none() {
            newest.order.push_back(token);
        }
        if newest.order.len() > KEPT
            && let Some(oldest) = newest.order.pop_front()
        {
            newest.done.remove(&oldest);
        }
    }
}

/// Reads a token: 1 to 64 characters of ASCII that can be seen.
///
/// # Errors
/// InvalidArgument.
pub(crate) fn check_token(bucket: BucketId, token: String) -> S3Result<Token> {
    if (1..=64).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok((bucket, token));
    }
    Err(s3_error!(InvalidArgument, "A client token has 1 to 64 characters of ASCII that can be seen."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renaming(from: &str) -> Renaming {
        let (source, replaced) = (SourceConditional::default(), Conditional::default());
        Renaming { from: from.to_owned(), to: "to".to_owned(), source, replaced }
    }

    #[test]
    fn the_newest_are_recalled_each_for_the_same_request_in_its_bucket() {
        let renames = Renames::default();
        let token = |bucket, n: usize| (BucketId([bucket; 16]), n.to_string());
        for n in 0..=KEPT {
            renames.remember(token(1, n), renaming("from"));
        }
        let recall = |token, from| {
            renames.recall(&token, &renaming(from)).map_err(|error| error.code().as_str().to_owned())
        };
        assert_eq!(recall(token(1, 1), "from"), Ok(Recalled::Done));
        assert_eq!(recall(token(1, 1), "other"), Err("IdempotentParameterMismatch".to_owned()));
        assert_eq!(recall(token(1, 0), "from"), Ok(Recalled::No), "the oldest has made room");
        assert_eq!(recall(token(2, 1), "from"), Ok(Recalled::No), "another bucket");
    }

    #[test]
    fn tokens_are_short_and_can_be_seen() {
        let check = |token: &str| check_token(BucketId([0; 16]), token.to_owned()).is_ok();
        assert!(check("a") && check(&"~".repeat(64)));
        assert!(!check("") && !check("a b") && !check("ü") && !check(&"a".repeat(65)));
    }
}
