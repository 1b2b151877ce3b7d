//! Values of every type come back exactly as PostgreSQL would give them.

use truststream_kernel::Result;
use truststream_services::database::{Database, DatabaseService, Query};

use super::build::{QueryExt, compact, insert, insert_returning, read, ready, refused, refused_saying};
use crate::{Env, Outcome};

/// Inserts each JSON value into a column and compares what comes back, from the insert itself and
/// from a read.
async fn check(database: &Database, column: &str, cases: &[(&str, &str)]) -> Result<()> {
    for (at, (given, expected)) in cases.iter().enumerate() {
        let row = format!(r#"{{"id":{at},"{column}":{given}}}"#);
        let mut request = insert_returning("everything", &row);
        request.query = Query::all().columns(&[column]);
        let returned = compact(&database.send(request).await?.body);
        assert_eq!(returned, format!(r#"[{{"{column}":{expected}}}]"#), "{column} given {given}, returned");
    }
    let rows = read(database, "everything", Query::all().columns(&[column]).ordered(&["id"])).await?;
    let expected: Vec<String> =
        cases.iter().map(|(_, expected)| format!(r#"{{"{column}":{expected}}}"#)).collect();
    assert_eq!(rows, format!("[{}]", expected.join(",")), "{column} read");
    clear(database).await
}

async fn clear(database: &Database) -> Result<()> {
    database
        .send(truststream_services::database::Delete::new(super::build::table("everything"), Query::all()))
        .await
        .map(|_| ())
}

/// Values that come back as they were given.
fn same<'a>(values: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    values.iter().map(|value| (*value, *value)).collect()
}

pub(super) async fn booleans_and_integers(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    check(&database, "a_bool", &same(&["true", "false", "null"])).await?;
    check(&database, "a_small", &same(&["32767", "-32768", "0"])).await?;
    check(&database, "an_int", &same(&["2147483647", "-2147483648", "null"])).await?;
    let big = ["9223372036854775807", "-9223372036854775808", "9007199254740993", "-9007199254740993"];
    check(&database, "a_big", &same(&big)).await?;
    Ok(())
}

pub(super) async fn floats(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let doubles = [
        ("0.1", "0.1"),
        ("-1.5", "-1.5"),
        ("1e300", "1e+300"),
        ("123456789", "123456789"),
        ("1e15", "1e+15"),
        ("0.00001", "1e-05"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("5e-324", "5e-324"),
        ("-0.0", "-0"),
    ];
    check(&database, "a_double", &doubles).await?;
    let reals = [("0.1", "0.1"), ("16777216", "1.6777216e+07"), ("-2.5", "-2.5"), ("null", "null")];
    check(&database, "a_real", &reals).await?;
    Ok(())
}

pub(super) async fn numerics(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let any = [
        ("1.50", "1.50"),
        ("0", "0"),
        ("-0.10", "-0.10"),
        ("9007199254740993", "9007199254740993"),
        (
            "12345678901234567890123456789.123456789012345678901234567890",
            "12345678901234567890123456789.123456789012345678901234567890",
        ),
        ("1e5", "100000"),
        ("1.5e-3", "0.0015"),
        ("\"NaN\"", "\"NaN\""),
    ];
    check(&database, "a_numeric", &any).await?;
    let priced = [("1", "1.00"), ("1.005", "1.01"), ("-9999.99", "-9999.99"), ("\"3.1\"", "3.10")];
    check(&database, "a_price", &priced).await?;
    Ok(())
}

pub(super) async fn texts(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    // Composed and decomposed forms stay apart, and empty is not null.
    let values = [
        r#""""#,
        "null",
        r#""plain""#,
        r#""üñí \\ \" / \n\t\b""#,
        r#""\u0001\u001f""#,
        r#""😀 é é""#,
        r#""  spaces  ""#,
        r#""'; drop table artists; --""#,
        r#""null""#,
    ];
    check(&database, "a_text", &same(&values)).await?;
    check(&database, "a_text", &[(r#""\ud83d\ude00\u00e9\/""#, r#""😀é/""#)]).await?;
    check(&database, "a_varchar", &[(r#""äöüßx""#, r#""äöüßx""#), (r#""abcde  ""#, r#""abcde""#)]).await?;
    Ok(())
}

pub(super) async fn uuids_and_enums(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let uuids = [
        (r#""A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11""#, r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#),
        (r#""{a0eebc999c0b4ef8bb6d6bb9bd380a11}""#, r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#),
    ];
    check(&database, "a_uuid", &uuids).await?;
    check(&database, "a_mood", &same(&[r#""sad""#, r#""happy""#, "null"])).await?;
    Ok(())
}

pub(super) async fn points_in_time(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let zoned = [
        (r#""2024-01-01T00:00:00Z""#, r#""2024-01-01T00:00:00+00:00""#),
        (r#""2024-01-01 00:00:00.12+02""#, r#""2023-12-31T22:00:00.12+00:00""#),
        (r#""2024-01-01T10:00:00.123456-05:30""#, r#""2024-01-01T15:30:00.123456+00:00""#),
        (r#""1969-12-31T23:59:59.999999Z""#, r#""1969-12-31T23:59:59.999999+00:00""#),
        (r#""0001-01-01""#, r#""0001-01-01T00:00:00+00:00""#),
        (r#""0044-03-15 BC""#, r#""0044-03-15T00:00:00+00:00 BC""#),
        (r#""12024-01-01""#, r#""12024-01-01T00:00:00+00:00""#),
        (r#""infinity""#, r#""infinity""#),
        (r#""-infinity""#, r#""-infinity""#),
        (r#""epoch""#, r#""1970-01-01T00:00:00+00:00""#),
    ];
    check(&database, "a_timestamptz", &zoned).await?;
    let plain = [
        (r#""2024-01-01T00:00:00""#, r#""2024-01-01T00:00:00""#),
        (r#""2024-01-01 23:59:59.5+02""#, r#""2024-01-01T23:59:59.5""#),
        (r#""2024-01-01 24:00""#, r#""2024-01-02T00:00:00""#),
    ];
    check(&database, "a_timestamp", &plain).await?;
    Ok(())
}

pub(super) async fn dates_times_and_intervals(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let dates = [
        (r#""2024-02-29""#, r#""2024-02-29""#),
        (r#""20240101""#, r#""2024-01-01""#),
        (r#""Jan 8, 1999""#, r#""1999-01-08""#),
        (r#""0044-03-15 BC""#, r#""0044-03-15 BC""#),
        (r#""infinity""#, r#""infinity""#),
    ];
    check(&database, "a_date", &dates).await?;
    let times = [
        (r#""04:05""#, r#""04:05:00""#),
        (r#""04:05:06.789""#, r#""04:05:06.789""#),
        (r#""24:00:00""#, r#""24:00:00""#),
        (r#""4:05 PM""#, r#""16:05:00""#),
    ];
    check(&database, "a_time", &times).await?;
    let intervals = [
        (r#""1 year 2 months 3 days 04:05:06.789""#, r#""1 year 2 mons 3 days 04:05:06.789""#),
        (r#""P1Y2M3DT4H5M6S""#, r#""1 year 2 mons 3 days 04:05:06""#),
        (r#""-1 day""#, r#""-1 days""#),
        (r#""90 minutes""#, r#""01:30:00""#),
        (r#""25:00:00""#, r#""25:00:00""#),
        (r#""0""#, r#""00:00:00""#),
    ];
    check(&database, "an_interval", &intervals).await?;
    Ok(())
}

pub(super) async fn json(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    // `json` keeps what was written: doubled keys, order, the digits of numbers.
    let written = [r#"{"b":1,"a":1.50,"b":2}"#, "[1,[],{}]", "\"text\"", "1e3", "null", "false"];
    check(&database, "a_json", &same(&written)).await?;
    let normal = [
        (r#"{"bb":1,"a":1.50,"c":{"z":null,"y":true}}"#, r#"{"a":1.50,"c":{"y":true,"z":null},"bb":1}"#),
        (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        ("1e3", "1000"),
        ("12345678901234567890.123", "12345678901234567890.123"),
        (r#""\u00e9\n""#, r#""é\n""#),
        ("[]", "[]"),
        ("null", "null"),
    ];
    check(&database, "a_jsonb", &normal).await?;
    Ok(())
}

pub(super) async fn bytes(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let values = [
        (r#""\\x00ff10""#, r#""\\x00ff10""#),
        (r#""\\xDEADBEEF""#, r#""\\xdeadbeef""#),
        (r#""\\x""#, r#""\\x""#),
        (r#""abc""#, r#""\\x616263""#),
    ];
    check(&database, "a_bytea", &values).await?;
    Ok(())
}

pub(super) async fn arrays(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let ints = [
        ("[1,2,null]", "[1,2,null]"),
        ("[]", "[]"),
        ("[[1,2],[3,4]]", "[[1,2],[3,4]]"),
        (r#""{7,8}""#, "[7,8]"),
    ];
    check(&database, "ints", &ints).await?;
    let texts = [
        (r#"["a","b c",null,"null",""]"#, r#"["a","b c",null,"null",""]"#),
        (r#"["x,y","\"","\\","{}"]"#, r#"["x,y","\"","\\","{}"]"#),
        (r#"[1,true,{"a":1}]"#, r#"["1","true","{\"a\":1}"]"#),
        (r#""{a,\"b c\",NULL}""#, r#"["a","b c",null]"#),
    ];
    check(&database, "texts", &texts).await?;
    Ok(())
}

pub(super) async fn wrong_values_are_refused(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let cases = [
        ("an_int", "\"abc\"", "22P02", "invalid input syntax for type integer: \"abc\""),
        ("an_int", "1.5", "22P02", "invalid input syntax for type integer: \"1.5\""),
        ("an_int", "true", "22P02", "invalid input syntax for type integer: \"true\""),
        ("a_small", "40000", "22003", "value \"40000\" is out of range for type smallint"),
        (
            "a_big",
            "9223372036854775808",
            "22003",
            "value \"9223372036854775808\" is out of range for type bigint",
        ),
        ("a_price", "10000", "22003", "numeric field overflow"),
        ("a_double", "1e400", "22003", "\"1e400\" is out of range for type double precision"),
        ("a_varchar", "\"abcdef\"", "22001", "value too long for type character varying(5)"),
        ("a_uuid", "\"a\"", "22P02", "invalid input syntax for type uuid: \"a\""),
        ("a_timestamptz", "\"2024-02-30\"", "22008", "date/time field value out of range: \"2024-02-30\""),
        ("a_date", "\"\"", "22007", "invalid input syntax for type date: \"\""),
        ("an_interval", "\"soon\"", "22007", "invalid input syntax for type interval: \"soon\""),
        ("a_mood", "\"angry\"", "22P02", "invalid input value for enum mood: \"angry\""),
        ("a_bytea", "\"\\\\xzz\"", "22023", "invalid hexadecimal digit: \"z\""),
        ("ints", "{}", "22P02", "expected JSON array"),
        ("ints", "[[1],[2,3]]", "22P02", "malformed JSON array"),
    ];
    for (column, value, code, message) in cases {
        let row = format!(r#"{{"id":1,"{column}":{value}}}"#);
        refused_saying(insert(&database, "everything", &row).await, code, message);
    }
    refused(insert(&database, "everything", r#"{"id":1,"a_text":"a\u0000b"}"#).await, "22P05");
    assert_eq!(read(&database, "everything", Query::all()).await?, "[]");
    Ok(())
}

pub(super) async fn json_texts_and_numbers_are_coerced(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    check(&database, "an_int", &[("\"12\"", "12"), ("\" 13 \"", "13")]).await?;
    check(&database, "a_bool", &[("\"yes\"", "true"), ("0", "false"), ("\"off\"", "false")]).await?;
    let texts =
        [("12", r#""12""#), ("1.50", r#""1.50""#), ("true", r#""true""#), (r#"{"a":1}"#, r#""{\"a\":1}""#)];
    check(&database, "a_text", &texts).await?;
    Ok(())
}
