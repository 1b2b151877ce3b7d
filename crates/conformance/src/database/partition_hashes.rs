//! Partitions that rows go to by PostgreSQL's hashes of their values.

use truststream_services::database::{DatabaseService, Query};

use super::build::{ids, insert, migrated, refused_saying};
use crate::{Env, Outcome};

/// Values that decide; others are null.
const VALUES: &[&str] = &[
    r#""number":0"#,
    r#""number":1"#,
    r#""number":-1"#,
    r#""number":123456789"#,
    r#""number":9007199254740993"#,
    r#""number":-9007199254740993"#,
    r#""name":"""#,
    r#""name":"a""#,
    r#""name":"eleven byte""#,
    r#""name":"twelve bytes""#,
    r#""name":"a text of more than twelve bytes, é""#,
    r#""day":"2000-01-01""#,
    r#""day":"1970-01-01""#,
    r#""day":"2026-11-22""#,
    r#""at":"2000-01-01T00:00:00Z""#,
    r#""at":"2026-11-22T10:20:30.456789Z""#,
    r#""at":"1969-07-20T20:17:40Z""#,
    r#""who":"a11ce000-0000-4000-8000-000000000001""#,
    r#""who":"b0b00000-0000-4000-8000-000000000002""#,
    r#""flag":true"#,
    r#""flag":false"#,
    r#""number":7,"name":"seven","flag":true"#,
    r#""number":8,"day":"2024-02-29","who":"a11ce000-0000-4000-8000-000000000001""#,
    r#""name":"nine","at":"2024-02-29T12:00:00Z""#,
    r#""amount":0"#,
    r#""amount":0.00"#,
    r#""amount":1.5"#,
    r#""amount":-1.50"#,
    r#""amount":0.00012"#,
    r#""amount":12345678901234567890.123456789"#,
    r#""amount":10000"#,
    r#""amount":99990000.0001"#,
    r#""amount":17"#,
    r#""amount":100000000000000000000"#,
    r#""amount":3.14159"#,
];

pub(super) async fn decide_as_in_postgres(env: Env<DatabaseService>) -> Outcome {
    let database = migrated(&env, "1_hashes.sql", include_str!("partition_hashes.sql")).await?;
    for (id, values) in VALUES.iter().enumerate() {
        let done = insert(&database, "spread", &format!(r#"{{"id":{id},{values}}}"#)).await;
        if done.is_err() {
            refused_saying(done, "23514", "no partition of relation \"spread\" found for row");
        }
    }
    let kept = [0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 14, 17, 19, 20, 21, 23, 26, 27, 30, 31, 33];
    assert_eq!(ids(&database, "spread", Query::all()).await?, kept);
    Ok(())
}
