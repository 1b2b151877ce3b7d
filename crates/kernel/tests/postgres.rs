//! What PostgreSQL 15 answered: a type, an input, and either the value's text and `to_json` forms
//! or the error's code, message, details (and hint).
//!
//! `postgres.jsonl` holds texts given to the types' input functions, `postgres_json.jsonl` JSON
//! values given to `json_populate_record`.

use serde_json::Value as Json;
use truststream_kernel::{Error, Result, Type, Value};

#[test]
fn texts_are_read_and_printed_as_postgresql_does() {
    check(include_str!("postgres.jsonl"), Value::parse, |error| {
        let hint = error.hint().unwrap_or_default();
        vec![error.code().into(), error.message().into(), details(error), hint.into()]
    });
}

#[test]
fn json_is_coerced_as_postgresql_does() {
    check(include_str!("postgres_json.jsonl"), Value::from_json, |error| {
        vec![error.code().into(), error.message().into(), details(error)]
    });
}

fn details(error: &Error) -> Json {
    error.details().cloned().unwrap_or_else(|| "".into())
}

fn check(cases: &str, read: fn(&Type, &str) -> Result<Value>, describe: fn(&Error) -> Vec<Json>) {
    let mut wrong = Vec::new();
    for line in cases.lines() {
        let case: Vec<Json> = serde_json::from_str(line).unwrap();
        let (ty, input) = (Type::parse(case[0].as_str().unwrap()), case[1].as_str().unwrap());
        let found = match read(&ty, input) {
            // PostgreSQL's `format` prints null as an empty text.
            Ok(Value::Null) => vec!["".into(), Json::Null],
            Ok(value) => vec![value.to_text_as(&ty).into(), value.to_json_as(&ty).into()],
            Err(error) => vec![Json::Array(describe(&error))],
        };
        if found != case[2..] {
            wrong.push(format!("{line}\n   found {}", Json::Array(found)));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
