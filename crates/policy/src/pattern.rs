//! Text with wildcards and policy variables (IAM user guide, "IAM policy elements: Variables and tags").

use crate::Context;
use crate::error::Malformed;

/// A text in which `*` stands for any characters, `?` for one, and `${…}` for something of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Char(char),
    One,
    Many,
    Variable { key: String, default: Option<String> },
}

/// A pattern whose variables have their values, which are text and no pattern.
#[derive(Debug)]
pub(crate) struct Filled(Vec<Filling>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filling {
    Char(char),
    One,
    Many,
}

impl Pattern {
    /// Reads a pattern; `variables` says whether the policy's version knows them.
    pub(crate) fn parse(text: &str, variables: bool) -> Result<Self, Malformed> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if variables && rest.starts_with("${") {
                let (inside, after) = rest
                    .get(2..)
                    .and_then(|rest| rest.split_once('}'))
                    .ok_or_else(|| Malformed::new("Policy has an invalid variable"))?;
                pieces.push(Piece::variable(inside)?);
                rest = after;
                continue;
            }
            pieces.push(match c {
                '*' => Piece::Many,
                '?' => Piece::One,
                c => Piece::Char(c),
            });
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        Ok(Self(pieces))
    }

    /// The pattern for this request; `None` where a variable has no value and no default: it then matches nothing.
    pub(crate) fn fill(&self, context: &Context) -> Option<Filled> {
        let mut filled = Vec::with_capacity(self.0.len());
        for piece in &self.0 {
            match piece {
                Piece::Char(c) => filled.push(Filling::Char(*c)),
                Piece::One => filled.push(Filling::One),
                Piece::Many => filled.push(Filling::Many),
                Piece::Variable { key, default } => {
                    let value = match context.get(key) {
                        Some([value]) => Some(value.as_str()),
                        _ => default.as_deref(),
                    };
                    filled.extend(value?.chars().map(Filling::Char));
                }
            }
        }
        Some(Filled(filled))
    }

    /// Whether it matches one text alone, whatever the request.
    pub(crate) fn is_fixed(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Char(_)))
    }
}

impl Piece {
    fn variable(inside: &str) -> Result<Self, Malformed> {
        // The three characters that would mean something themselves.
        if let "*" | "?" | "$" = inside {
            return Ok(Self::Char(inside.chars().next().unwrap_or('$')));
        }
        let (key, default) = match inside.split_once(',') {
            None => (inside, None),
            Some((key, quoted)) => {
                let default = quoted.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
                let default = default.ok_or_else(|| Malformed::new("Policy has an invalid variable"))?;
                (key, Some(default.to_owned()))
            }
        };
        let key = key.trim();
        if key.is_empty() || !key.contains(':') {
            return Err(Malformed::new("Policy has an invalid variable"));
        }
        Ok(Self::Variable { key: key.to_owned(), default })
    }
}

impl Filled {
    /// Whether the whole of `text` is as the pattern says.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        glob(
            &self.0,
            &text,
            |filling, c| filling == Filling::One || filling == Filling::Char(c),
            |filling| filling == Filling::Many,
        )
    }

    /// Whether `text` is the pattern, its wildcards taken for themselves.
    pub(crate) fn is(&self, text: &str, same: impl Fn(char, char) -> bool) -> bool {
        let mut chars = text.chars();
        let alike = self.0.iter().all(|filling| {
            let wanted = match filling {
                Filling::Char(c) => *c,
                Filling::One => '?',
                Filling::Many => '*',
            };
            chars.next().is_some_and(|c| same(wanted, c))
        });
        alike && chars.next().is_none()
    }

    /// The parts between the colons, of which the last may hold more.
    pub(crate) fn split(self, parts: usize) -> Vec<Self> {
        let mut split = vec![Vec::new()];
        for filling in self.0 {
            if filling == Filling::Char(':') && split.len() < parts {
                split.push(Vec::new());
            } else if let Some(last) = split.last_mut() {
                last.push(filling);
            }
        }
        split.into_iter().map(Self).collect()
    }
}

/// Matches with `*`, going back to the last one alone, so that the time is at most the product of both lengths.
fn glob<P: Copy, T: Copy>(
    pattern: &[P],
    text: &[T],
    fits: impl Fn(P, T) -> bool,
    many: impl Fn(P) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        match pattern.get(p) {
            Some(&piece) if many(piece) => {
                back = Some((p, t));
                p += 1;
            }
            Some(&piece) if fits(piece, c) => {
                p += 1;
                t += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|&piece| many(piece)))
}

/// Whether `text` is as a pattern with `*` and `?` says, in letters of either case.
pub(crate) fn like_ignoring_case(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    glob(pattern, text, |p, t| p == b'?' || p.eq_ignore_ascii_case(&t), |p| p == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let mut context = Context::default();
        context.insert("aws:username", "al*ce");
        Pattern::parse(pattern, true).unwrap().fill(&context).is_some_and(|filled| filled.matches(text))
    }

    #[test]
    fn wildcards_match_as_in_a_shell_but_across_slashes() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("?", "", false),
            ("?", "é", true),
            ("a*", "a/b/c", true),
            ("a*c", "abcbc", true),
            ("a*b*c", "axxbyybzzc", true),
            ("a*b*c", "axxcyyb", false),
            ("**a", "ba", true),
            ("ab", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_variable_is_its_value_and_no_pattern() {
        assert!(matches("home/${aws:username}/*", "home/al*ce/x"));
        assert!(!matches("home/${aws:username}/*", "home/alice/x"));
        assert!(!matches("home/${aws:userid}/*", "home//x"), "without a value it matches nothing");
        assert!(matches("home/${aws:userid, 'all'}/*", "home/all/x"));
        assert!(matches("${*}${?}${$}", "*?$"));
        assert!(!matches("${*}", "a"));
        for bad in ["${", "${aws:username", "${}", "${name}", "${aws:username, all}"] {
            assert!(Pattern::parse(bad, true).is_err(), "{bad}");
        }
        assert!(Pattern::parse("${", false).is_ok(), "no variables in the first version");
    }
}
