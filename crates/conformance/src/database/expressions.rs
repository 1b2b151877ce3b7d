//! Functions and operators of SQL: what a function in SQL computes with them.

use std::fmt::Write as _;

use serde_json::Value as Json;
use truststream_services::database::DatabaseService;

use super::build::migrated;
use super::routines::call;
use crate::{Env, Outcome};

/// One row with a value of each type.
const ROW: &str = r#"
    create table t (
        id int primary key, n int, s text, e text, a text[], i int[], j jsonb, d timestamptz, ts timestamp,
        f float8, m numeric, u uuid, b boolean, dt date, iv interval, by bytea, tm time);
    insert into t values (
        1, 7, 'Hello, World 42', '', '{x,y,NULL,x}', '{3,1,2}',
        '{"a": {"b": [1, "two", null, true]}, "k": "v", "n": 1.50}', '2024-02-29 13:14:15.123456+00',
        '2024-02-29 13:14:15.123456', 2.5, 12.3456, '7b4b6f8e-0000-4000-8000-000000000001', true, '2024-02-29',
        '1 day 02:03:04', '\xdeadbeef', '12:34:56.5');"#;

/// Type, expression over that row (or a query) and what PostgreSQL answers, as JSON: a line each, in tabs.
const EXPRESSIONS: &str = include_str!("expressions.tsv");

pub(super) async fn are_computed_as_postgresql_does(env: Env<DatabaseService>) -> Outcome {
    let lines: Vec<Vec<&str>> = EXPRESSIONS.lines().map(|line| line.split('\t').collect()).collect();
    let mut sql = ROW.to_owned();
    for (number, line) in lines.iter().enumerate() {
        let (ty, expression) = (line[0], line[1]);
        let query = match expression.to_lowercase().starts_with("select") {
            true => expression.to_owned(),
            false => format!("select {expression} from t"),
        };
        // Writing into a string does not fail.
        let _ =
            writeln!(sql, "create function f{number}() returns {ty} language sql stable as $q$ {query} $q$;");
    }
    let database = migrated(&env, "1_expressions.sql", &sql).await?;
    let mut wrong = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let (expression, expected) = (line[1], line[2]);
        match call(&database, &format!("f{number}"), "{}").await {
            Ok(found) if same(&found, expected)? => {}
            Ok(found) => wrong.push(format!("{expression}: {found}, not {expected}")),
            Err(error) => wrong.push(format!("{expression}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Documents may be written with other blanks, values may not.
fn same(found: &str, expected: &str) -> Result<bool, serde_json::Error> {
    if !expected.starts_with(['{', '[']) {
        return Ok(found == expected);
    }
    Ok(serde_json::from_str::<Json>(found)? == serde_json::from_str::<Json>(expected)?)
}
