//! Cross-origin requests (Amazon S3 user guide, "Using cross-origin resource sharing"; Fetch standard, "CORS
//! protocol").

mod exchange;
mod rules;

pub(crate) use exchange::CrossOrigin;
pub(crate) use rules::check;
#[cfg(feature = "fuzzing")]
pub(crate) use rules::find;
