//! `postgres.jsonl` holds what PostgreSQL 15 answered: a type, an input text, and either its text
//! and `to_json` forms or the error's code, message, details and hint.

use serde_json::Value as Json;
use truststream_kernel::{Type, Value};

#[test]
fn texts_are_read_and_printed_as_postgresql_does() {
    let mut wrong = Vec::new();
    for line in include_str!("postgres.jsonl").lines() {
        let case: Vec<Json> = serde_json::from_str(line).unwrap();
        let (ty, input) = (Type::parse(case[0].as_str().unwrap()), case[1].as_str().unwrap());
        let found = match Value::parse(&ty, input) {
            Ok(value) => vec![value.to_text_as(&ty).into(), value.to_json_as(&ty).into()],
            Err(error) => vec![Json::Array(vec![
                error.code().into(),
                error.message().into(),
                error.details().cloned().unwrap_or_else(|| "".into()),
                error.hint().unwrap_or_default().into(),
            ])],
        };
        if found != case[2..] {
            wrong.push(format!("{line}\n   found {}", Json::Array(found)));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
