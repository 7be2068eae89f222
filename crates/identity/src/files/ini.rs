//! The shared credentials file of the AWS CLI and SDKs: sections in brackets, `name = value`, `#` comments.

use zeroize::Zeroizing;

use crate::Credentials;

const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";

pub(super) fn format(credentials: &Credentials) -> Zeroizing<String> {
    let (id, secret) = (credentials.id.as_str(), credentials.secret.expose());
    Zeroizing::new(format!("[default]\n{ID} = {id}\n{SECRET} = {secret}\n"))
}

/// What is wrong is told by line number, never by quoting: the line may hold the secret.
pub(super) fn parse(text: &str) -> Result<Credentials, String> {
    let (mut in_default, mut id, mut secret) = (false, None, None);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            let name = section.strip_suffix(']').ok_or(format!("line {number} is not a section"))?;
            in_default = name.trim() == "default";
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(format!("line {number} is not name = value"))?;
        let slot = match name.trim() {
            ID if in_default => &mut id,
            SECRET if in_default => &mut secret,
            _ => continue,
        };
        if slot.replace(value.trim()).is_some() {
            return Err(format!("line {number} repeats {}", name.trim()));
        }
    }
    let id = id.ok_or(format!("{ID} is missing in [default]"))?;
    let secret = secret.ok_or(format!("{SECRET} is missing in [default]"))?;
    Credentials::parse(id, secret).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_bytes_are_those_that_aws_documents() {
        let credentials = Credentials::parse("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG").unwrap();
        let text = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n\
                    aws_secret_access_key = wJalrXUtnFEMI/K7MDENG\n";
        assert_eq!(*format(&credentials), text);
        assert_eq!(parse(text).unwrap(), credentials);
    }

    #[test]
    fn an_edited_file_still_reads() {
        let text = "# mine\r\n[other]\naws_access_key_id=zzz\n\n[ default ]\nregion = x\n\
                    aws_secret_access_key=with=equals#and;more\naws_access_key_id=abc\n";
        assert_eq!(parse(text).unwrap(), Credentials::parse("abc", "with=equals#and;more").unwrap());
    }

    #[test]
    fn a_damaged_file_is_told_by_line_without_its_content() {
        let id = "[default]\naws_access_key_id = abc\n";
        let cases = [
            (String::new(), "aws_access_key_id is missing in [default]"),
            (id.to_owned(), "aws_secret_access_key is missing in [default]"),
            (format!("{id}aws_secret_access_key hush-hush"), "line 3 is not name = value"),
            (format!("{id}[half"), "line 3 is not a section"),
            (format!("{id}aws_access_key_id = d"), "line 3 repeats aws_access_key_id"),
            (
                format!("{id}aws_secret_access_key = hush"),
                "the secret key is too short: it must have at least 8 characters",
            ),
        ];
        for (text, problem) in cases {
            assert_eq!(parse(&text).unwrap_err(), problem);
        }
    }
}
