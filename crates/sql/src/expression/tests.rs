//! Translations run on SQLite, with the functions a provider registers as far as they are needed.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Connection, params_from_iter};
use truststream_kernel::Value;

use super::functions::FUNCTIONS;
use super::*;

const SCHEMA: &str = "
    create type mood as enum ('sad', 'ok');
    create table t (id bigint primary key, n int, p numeric(8,2), f float8, b bool, name text, short varchar(5),
      code char(3), u uuid, at timestamptz, day date, doc jsonb, tags text[], feels mood, span interval);
    create table members (team_id bigint, user_id uuid, role text);
    create table other (id bigint, name text);";

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for statement in crate::schema::parse(SCHEMA).unwrap() {
        crate::schema::apply(&mut catalog, &statement).unwrap();
    }
    catalog
}

fn connection() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.create_collation("DECIMAL", truststream_kernel::value::decimal::compare).unwrap();
    for function in FUNCTIONS {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        conn.create_scalar_function(function.name, function.arguments, flags, move |call| {
            let arguments: Vec<Value> = (0..call.len())
                .map(|at| match call.get_raw(at) {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(number) => Value::Int(number),
                    ValueRef::Real(number) => Value::Float(number),
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
                })
                .collect();
            match function.call(&arguments) {
                Ok(Value::Int(number)) => Ok(Cell::Integer(number)),
                Ok(Value::Float(number)) => Ok(Cell::Real(number)),
                Ok(Value::Text(text)) => Ok(Cell::Text(text)),
                Ok(Value::Bytes(bytes)) => Ok(Cell::Blob(bytes)),
                Ok(_) => Ok(Cell::Null),
                Err(error) => Err(rusqlite::Error::UserFunctionError(error.message().to_owned().into())),
            }
        })
        .unwrap();
    }
    let uid = "7b4b6f8e-0000-4000-8000-000000000001";
    conn.create_scalar_function("ts_auth_uid", 0, FunctionFlags::SQLITE_UTF8, move |_| Ok(uid)).unwrap();
    conn.create_scalar_function("ts_now", 0, FunctionFlags::SQLITE_UTF8, |_| Ok(1_700_000_000_000_000_i64))
        .unwrap();
    conn.execute_batch(
        r#"create table t (id integer primary key, n integer, p text collate decimal, f real, b integer, name text,
             short text, code text, u text, at integer, day text, doc text, tags text, feels text, span text) strict;
           create table members (team_id integer, user_id text, role text) strict;
           create table other (id integer, name text) strict;
           insert into t values (7, 5, '12.50', 1.5, 1, 'Ärger im Paradies', 'abc', 'DE ',
             '7b4b6f8e-0000-4000-8000-000000000001', 1699990000000000, '2023-11-14',
             '{"a": [1, "x"], "role": "admin"}', '["red","green"]', 'ok', '1 day');
           insert into members values (7, '7b4b6f8e-0000-4000-8000-000000000001', 'owner'), (8, null, 'reader');
           insert into other values (7, 'seven');"#,
    )
    .unwrap();
    conn
}

fn verdict(conn: &Connection, catalog: &Catalog, text: &str) -> Option<bool> {
    let table = TableName::public("t");
    let scope = Scope { table: Some(&table), alias: Some("t"), ..Scope::new(catalog) };
    let sql = condition(text, &scope).unwrap_or_else(|error| panic!("{text}: {error}"));
    let query = format!("select {sql} from t as \"t\"");
    conn.query_row(&query, params_from_iter([0; 0]), |row| row.get(0))
        .unwrap_or_else(|error| panic!("{text}\n{sql}: {error}"))
}

/// Conditions on the one row, with PostgreSQL's verdict.
const VERDICTS: &[(&str, Option<bool>)] = &[
    ("n > 4 and n <= 5", Some(true)),
    ("n between 6 and 9", Some(false)),
    ("n is null or not b", Some(false)),
    ("n + 2 * 3 = 11", Some(true)),
    ("n / 2 = 2 and n % 3 = 2", Some(true)),
    ("p >= 12", Some(true)),
    ("p = 12.5", Some(true)),
    ("p > 9", Some(true)),
    ("p in (1, 12.500)", Some(true)),
    ("p * 2 = 25 and p - 0.5 = 12", Some(true)),
    ("f > p", Some(false)),
    ("f = 1.5", Some(true)),
    ("b = true and b is true", Some(true)),
    ("b = 'false'", Some(false)),
    ("name = 'x' or name <> 'x'", Some(true)),
    ("lower(name) = 'ärger im paradies'", Some(true)),
    ("char_length(name) = 17 and length(trim('  a ')) = 1", Some(true)),
    ("short::text = any (array['abc'::text, 'd'])", Some(true)),
    ("((short)::text = ANY ((ARRAY['abc'::character varying, 'd'::character varying])::text[]))", Some(true)),
    ("code = 'DE'", Some(true)),
    ("u = auth.uid()", Some(true)),
    ("(select auth.uid()) = u", Some(true)),
    ("(( SELECT auth.uid() AS uid) = u)", Some(true)),
    ("u = '7B4B6F8E-0000-4000-8000-000000000001'", Some(true)),
    ("at < now()", Some(true)),
    ("at > now() - interval '1 day'", Some(true)),
    ("now() - at < interval '1 hour'", Some(false)),
    ("at = '2023-11-14 19:26:40+00'", Some(true)),
    ("day = current_date", Some(true)),
    ("day - 1 = '2023-11-13'", Some(true)),
    ("(doc #>> '{a,1}') = 'x'", Some(true)),
    ("doc ? 'role' and not doc ? 'x'", Some(true)),
    ("'red' = any (tags)", Some(true)),
    ("tags[2] = 'green'", Some(true)),
    ("cardinality(tags) = 2", Some(true)),
    ("feels = 'ok' and feels in ('ok', 'sad')", Some(true)),
    ("span = '24 hours'", Some(true)),
    ("coalesce(null, n, 3) = 5", Some(true)),
    ("nullif(n, 5) is null", Some(true)),
    ("greatest(n, null, 9) = 9 and least(n, 9) = 5", Some(true)),
    ("case when n > 3 then 'big' else 'small' end = 'big'", Some(true)),
    ("n is distinct from null and not (n is distinct from 5)", Some(true)),
    ("n = null", None),
    ("name || '!' = 'Ärger im Paradies!'", Some(true)),
    ("split_part('a/b/c', '/', 2) = 'b' and left('abc', -1) = 'ab' and right('abc', 2) = 'bc'", Some(true)),
    ("lpad('7', 3, '0') = '007' and lpad('abc', 2) = 'ab' and rpad('a', 4, 'xy') = 'axyx'", Some(true)),
    ("repeat('ab', 2) = 'abab' and repeat('a', -1) = '' and reverse('abc') = 'cba'", Some(true)),
    (
        "initcap('hELLO big-wORLD') = 'Hello Big-World' and translate('12345', '143', 'ax') = 'a2x5'",
        Some(true),
    ),
    ("ascii('x') = 120 and chr(228) = 'ä' and to_hex(255) = 'ff' and to_hex(-1) = 'ffffffff'", Some(true)),
    (
        "encode('\\xdeadbeef'::bytea, 'base64') = '3q2+7w==' and encode('\\x6100ff'::bytea, 'escape') = 'a\\000\\377'",
        Some(true),
    ),
    (
        "encode(decode('SGk=', 'base64'), 'hex') = '4869' and encode(decode(' 0A0b', 'hex'), 'base64') = 'Cgs='",
        Some(true),
    ),
    ("substring('abcdef' from 2 for 3) = 'bcd' and position('d' in 'abcd') = 4", Some(true)),
    ("exists (select 1 from members m where m.team_id = t.id and m.user_id = auth.uid())", Some(true)),
    ("exists (select 1 from members m where m.team_id = id and m.role in ('reader'))", Some(false)),
    ("id in (select team_id from members where user_id = (select auth.uid()))", Some(true)),
    ("id not in (select team_id from members)", Some(false)),
    (
        "exists (select 1 from members join other o on o.id = members.team_id where o.name = 'seven')",
        Some(true),
    ),
    ("(select count(*) from members) = 2", Some(true)),
    // The inner name wins over the outer one.
    ("exists (select 1 from other where name = 'seven')", Some(true)),
];

#[test]
fn verdicts_are_those_of_postgres() {
    let (catalog, conn) = (catalog(), connection());
    for (text, expected) in VERDICTS {
        assert_eq!(verdict(&conn, &catalog, text), *expected, "{text}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let catalog = catalog();
    let table = TableName::public("t");
    let scope = Scope::of_table(&catalog, &table);
    for text in [
        "nope = 1",
        "is_admin()",
        "n = 'x'",
        "feels = 'angry'",
        "feels < 'ok'",
        "n = name",
        "u = name",
        "doc < '{}'",
        "exists (select 1 from nowhere)",
        "n",
        "name collate \"de_DE\" = 'x'",
        "pg_sleep(1) is null",
        "ts_setting('app.tenant', 0) = name",
        "n operator(pg_catalog.=) 1",
        "name = $1",
        "n = 1; drop table t",
    ] {
        assert!(condition(text, &scope).is_err(), "{text}: {:?}", condition(text, &scope));
    }
}

#[test]
fn tables_in_sub_selects_come_from_the_scope() {
    let catalog = catalog();
    let table = TableName::public("t");
    let source = |name: &TableName| Ok(format!("(SELECT * FROM \"{}\" WHERE \"role\" = 'owner')", name.name));
    let scope =
        Scope { table: Some(&table), alias: Some("t"), source: Some(&source), ..Scope::new(&catalog) };
    let sql = condition("exists (select from members where team_id = t.id)", &scope).unwrap();
    assert_eq!(
        sql,
        "(EXISTS (SELECT NULL AS \"?column?\" FROM (SELECT * FROM \"members\" WHERE \"role\" = 'owner') AS \"p1\" \
         WHERE (\"p1\".\"team_id\" = \"t\".\"id\")))"
    );
}

#[test]
fn defaults_take_the_form_of_their_column() {
    let catalog = catalog();
    let scope = Scope::new(&catalog);
    let cases = [
        ("now()", Type::Timestamptz, "ts_now()"),
        ("timezone('utc'::text, now())", Type::Timestamptz, "ts_instant(ts_local_in('utc', ts_now()))"),
        ("CURRENT_DATE", Type::Date, "ts_date(ts_local(ts_now()))"),
        ("gen_random_uuid()", Type::Uuid, "ts_uuid()"),
        ("'{}'", Type::Array(Box::new(Type::Text)), "'[]'"),
        ("'{}'::jsonb", Type::Jsonb, "'{}'"),
        ("'{\"b\":1, \"a\":2}'", Type::Jsonb, "'{\"a\": 2, \"b\": 1}'"),
        ("true", Type::Bool, "1"),
        ("0", Type::Numeric(Some((10, 2))), "ts_cast(0, 'integer', 'numeric(10,2)')"),
        ("'ok'::mood", Type::Enum("mood".into()), "'ok'"),
        ("'x'::text", Type::Varchar(Some(5)), "substr('x', 1, 5)"),
        ("-1", Type::Int4, "-1"),
        ("NULL::character varying", Type::Varchar(None), "NULL"),
        ("array['a', 'b']", Type::Array(Box::new(Type::Text)), "json_array('a', 'b')"),
    ];
    for (text, ty, expected) in cases {
        assert_eq!(value(text, &ty, &scope).as_deref(), Ok(expected), "{text}");
    }
}
