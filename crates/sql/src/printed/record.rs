//! Rows as PostgreSQL prints and reads them: `(1,"a b",,"")`.

use truststream_kernel::value::part;
use truststream_kernel::{Error, ErrorKind, Result};

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

/// A record of these fields, as PostgreSQL prints it.
pub fn printed(fields: &[Option<String>]) -> String {
    let mut out = String::from("(");
    push_fields(&mut out, fields);
    out.push(')');
    out
}

/// Appends fields as they stand in a record, which is how a line of PostgREST's CSV has them.
pub fn push_fields(out: &mut String, fields: &[Option<String>]) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if let Some(field) = field {
            part::push(out, field, &['(', ')', ',']);
        }
    }
}

/// The texts of so many fields of a record as a person may write it: quotes may stand anywhere, a
/// backslash takes the next character as it is.
///
/// # Errors
/// 22P02 with PostgreSQL's reason.
pub fn given(record: &str, count: usize) -> Result<Vec<Option<String>>> {
    let malformed = |why: &str| {
        let message = format!("malformed record literal: \"{record}\"");
        Error::new(ErrorKind::InvalidInput, "22P02", message).with_details(why)
    };
    let mut rest = record.trim_start_matches(part::is_space);
    rest = rest.strip_prefix('(').ok_or_else(|| malformed("Missing left parenthesis."))?;
    let mut fields = Vec::with_capacity(count);
    while fields.len() < count {
        if !fields.is_empty() {
            rest = rest.strip_prefix(',').ok_or_else(|| malformed("Too few columns."))?;
        }
        let (field, after) =
            part::read(rest, &[',', ')']).ok_or_else(|| malformed("Unexpected end of input."))?;
        fields.push(field);
        rest = after;
    }
    rest = rest.strip_prefix(')').ok_or_else(|| malformed("Too many columns."))?;
    if !rest.trim_start_matches(part::is_space).is_empty() {
        return Err(malformed("Junk after right parenthesis."));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_by_hand_is_read() {
        let some = |text: &str| Some(text.to_owned());
        let read = |text, count| given(text, count).unwrap();
        assert_eq!(
            read(r#" ( a,"b "" c" d,\),"") "#, 4),
            [some(" a"), some("b \" c d"), some(")"), some("")]
        );
        assert_eq!(read("()", 1), [None]);
        let fields = [None, some(""), some("a b"), some(r#""\"#), some("ü")];
        assert_eq!(printed(&fields), r#"(,"","a b","""\\",ü)"#);
        assert_eq!(super::fields(&printed(&fields)).unwrap(), fields);
    }

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
