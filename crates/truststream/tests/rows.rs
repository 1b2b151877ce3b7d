//! Rows as types of the application: what is read is what the reply's JSON says, whether it came as
//! JSON or not.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use truststream::TrustStream;

use crate::support::{Backend, on_every_backend, project};

on_every_backend!(
    every_type_is_read_as_its_json_says,
    types_that_only_json_can_be_read_into,
    a_column_that_does_not_fit_is_named
);

const THINGS: &str = "
create type mood as enum ('glad', 'sad');
create table things (
  id bigint primary key, yes boolean, small smallint, single real, double double precision,
  price numeric(12, 4), name text, code varchar(9), padded char(4), data bytea, key uuid,
  at timestamptz, local timestamp, day date, hour time, span interval,
  plain json, info jsonb, feeling mood, tags text[], reals real[], grid int[]
);
insert into things values
  (1, true, -7, 0.1, 2, 12.50, 'a \"quoted\" text', 'é', 'ab', '\\x00ff',
   '6f9619ff-8b86-d011-b42d-00c04fc964ff', '2026-11-21 12:00:00+02', '2026-11-21 12:00:00.5',
   '2026-11-21', '12:00:01', '1 day 2 hours', '{\"b\" : 1, \"a\": [null]}', '{\"b\": 1.50}', 'glad',
   '{x,\"y z\",null}', '{0.1,2}', '{{1,2},{3,4}}'),
  (-9223372036854775808, false, 0, 1e20, 1e300, 0, '', '', '', '', null,
   'infinity', null, null, null, null, '\"text\"', 'null', 'sad', '{}', null, '{}'),
  (3, null, null, 'NaN', '-Infinity', 'NaN', null, null, null, null, null,
   null, null, null, null, null, null, null, null, null, null, null);
";

async fn things(backend: Backend) -> (TrustStream, tempfile::TempDir) {
    let (db, folder) = project(backend).await;
    // SQLite takes no float that is no number.
    let sql = THINGS.replace("'NaN', '-Infinity', 'NaN'", "null, null, 'NaN'");
    let sql = if backend == Backend::Sqlite { &sql } else { THINGS };
    db.migrate("2_things.sql", sql).await.unwrap();
    (db, folder)
}

async fn every_type_is_read_as_its_json_says(backend: Backend) {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mood {
        Glad,
        Sad,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Name(String);
    #[derive(Debug, PartialEq, Deserialize)]
    struct Info {
        b: f64,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Whole(i64),
        Text(String),
        Fraction(f64),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Thing {
        id: i128,
        yes: Option<bool>,
        small: Option<i8>,
        single: Option<Either>,
        double: Option<Json>,
        price: Option<Json>,
        name: Option<Name>,
        code: Option<char>,
        feeling: Option<Mood>,
        info: Option<Info>,
        tags: Option<Vec<Option<String>>>,
        grid: Option<Vec<Vec<u8>>>,
        #[serde(flatten)]
        others: BTreeMap<String, Json>,
    }
    async fn agree<T: DeserializeOwned + PartialEq + std::fmt::Debug>(
        db: &TrustStream,
        items: &str,
        ids: [i64; 2],
    ) {
        let read = || db.from("things").select(items).is_in("id", ids).order("id");
        let json = read().json().await.unwrap();
        let expected: Vec<T> = serde_json::from_slice(&json).unwrap();
        assert_eq!(expected.len(), ids.len());
        assert_eq!(read().fetch::<T>().await.unwrap(), expected, "{}", String::from_utf8_lossy(&json));
        let one = db.from("things").select(items).eq("id", ids[1]);
        assert_eq!(&one.single::<T>().await.unwrap(), expected.last().unwrap());
    }
    let (db, _folder) = things(backend).await;
    agree::<Json>(&db, "*", [i64::MIN, 1]).await;
    agree::<Json>(&db, "*, twice:id::text, info->b, plain->>b", [1, 3]).await;
    agree::<Thing>(&db, "*", [1, 3]).await;
    let glad = db.from("things").select("feeling").eq("id", 1).single::<BTreeMap<String, Mood>>().await;
    assert_eq!(glad.unwrap()["feeling"], Mood::Glad);
}

async fn types_that_only_json_can_be_read_into(backend: Backend) {
    #[derive(Deserialize)]
    struct Raw {
        name: Box<RawValue>,
        plain: Option<Box<RawValue>>,
    }
    let (db, _folder) = things(backend).await;
    let raw: Raw = db.from("things").select("name, plain").eq("id", 1).single().await.unwrap();
    assert_eq!(raw.name.get(), r#""a \"quoted\" text""#);
    assert_eq!(raw.plain.unwrap().get(), r#"{"b" : 1, "a": [null]}"#);
    let rows: Vec<Box<RawValue>> = db.from("things").select("id").eq("id", 1).fetch().await.unwrap();
    assert_eq!(rows[0].get(), r#"{"id":1}"#);
}

async fn a_column_that_does_not_fit_is_named(backend: Backend) {
    #[derive(Debug, Deserialize)]
    struct Wrong {
        #[allow(dead_code)]
        small: i16,
    }
    let (db, _folder) = things(backend).await;
    let read = || db.from("things").select("small");
    let several = read().gt("id", 0).order("id").fetch::<Wrong>().await.unwrap_err();
    let one = read().eq("id", 3).single::<Wrong>().await.unwrap_err();
    for (error, place) in [(several, "at [1].small"), (one, "at small")] {
        assert!(error.message().starts_with("column `small` does not fit"), "{error}");
        assert_eq!(error.details().and_then(|details| details.as_str()), Some(place));
    }
    let missing = db.from("things").select("id").eq("id", 1).single::<Wrong>().await.unwrap_err();
    assert!(missing.message().contains("missing field `small`"), "{missing}");
}
