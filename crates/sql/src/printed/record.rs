//! Rows as PostgreSQL prints them: `(1,"a b",,"")`.

use truststream_kernel::{Error, Result};

/// The texts of a record's fields, exactly as their types print them; `None` is null.
///
/// Unlike a row as JSON it tells null from the JSON `null`, and keeps what `json` was written like.
///
/// # Errors
/// If the text is no record.
pub fn fields(record: &str) -> Result<Vec<Option<String>>> {
    let malformed = || Error::internal("a row could not be read");
    let body = record.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(malformed)?;
    let mut fields = Vec::new();
    let mut rest = body;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (field, after) = unquoted(quoted).ok_or_else(malformed)?;
                (Some(field), after)
            }
            None => {
                let (plain, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                ((!plain.is_empty()).then(|| plain.to_owned()), after)
            }
        };
        fields.push(field);
        if after.is_empty() {
            return Ok(fields);
        }
        rest = after.strip_prefix(',').ok_or_else(malformed)?;
    }
}

/// What stands before the closing quote, where quotes and backslashes are doubled, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let at = rest.find(['"', '\\'])?;
        field.push_str(&rest[..at]);
        let (mark, after) = rest[at..].split_at(1);
        match after.strip_prefix(mark) {
            Some(next) => {
                field.push_str(mark);
                rest = next;
            }
            None if mark == "\"" => return Some((field, after)),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_were() {
        let read = |text| fields(text).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(r#"(1,"a b",,"")"#), [some("1"), some("a b"), None, some("")]);
        assert_eq!(read(r#"("{""a"": ""\\\\""}",ü)"#), [some(r#"{"a": "\\"}"#), some("ü")]);
        assert_eq!(read("()"), [None]);
        assert_eq!(read("(null,)"), [some("null"), None]);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for text in ["", "(", "1", r#"("a)"#, r#"("a"b)"#, r#"("\a")"#] {
            assert!(fields(text).is_err(), "{text}");
        }
    }
}
