//! Random filters give the same rows on SQLite and on PostgreSQL.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, RngAlgorithm, TestRng, TestRunner};
use tokio::runtime::Runtime;
use truststream_conformance::database::SCHEMA;
use truststream_conformance::postgres_server::PostgresServer;
use truststream_kernel::{Context, Driven, Handle, Result, Stack};
use truststream_postgres::PostgresDriver;
use truststream_services::database::{
    Comparison, Database, DatabaseService, Field, Filter, Insert, Is, Item, JsonKey, JsonStep, Migrate,
    Nulls, Operand, Operator, Order, Query, Select, TableName,
};
use truststream_sqlite::SqliteDriver;

/// A column with the operators it has and literals near the values that are stored.
struct Column {
    field: Field,
    literals: &'static [&'static str],
    patterns: bool,
    arrays: bool,
}

fn plain(name: &str, literals: &'static [&'static str]) -> Column {
    Column { field: Field::column(name), literals, patterns: false, arrays: false }
}

fn columns() -> Vec<Column> {
    let text = &["", "a", "B", "ab", "%a", "a_", "é", "A%b", "null", "x y", "\\", "10"];
    let word = JsonStep { key: JsonKey::Key("word".into()), as_text: true };
    vec![
        plain("id", &["0", "7", "31", "-1", "59", "x"]),
        plain("a_bool", &["true", "f", "yes", "2"]),
        plain("a_small", &["0", "-3", "3", "32767", "40000"]),
        plain("a_big", &["9007199254740992", "9007199254740993", "0", "-1"]),
        plain("a_double", &["0", "-0", "0.1", "1e300", "-1.5"]),
        plain("a_numeric", &["0", "0.10", "0.1", "-2.50", "12345678901234567890.1", "NaN", "1e3"]),
        plain("a_uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a00", "B0EEBC999C0B4EF8BB6D6BB9BD380A03", "u"]),
        plain("a_timestamptz", &["2024-01-01", "2024-01-03 12:00+02", "infinity", "1969-12-31T23:59:59.5Z"]),
        plain("a_date", &["2024-01-02", "0044-03-15 BC", "infinity", "2024-02-30"]),
        plain("a_time", &["00:00", "12:30:00.5", "24:00"]),
        plain("a_mood", &["sad", "ok", "happy"]),
        Column { field: Field::column("a_text"), literals: text, patterns: true, arrays: false },
        Column {
            field: Field { name: "a_jsonb".into(), path: vec![word] },
            literals: text,
            patterns: true,
            arrays: false,
        },
        Column {
            field: Field::column("texts"),
            literals: &["{}", "{a}", "{a,b}", "{b,a}", "{\"x y\",NULL}", "a"],
            patterns: false,
            arrays: true,
        },
    ]
}

/// 60 rows: small numbers, nulls, words that differ in case, accents and length.
fn rows() -> String {
    let row = |at: i64| {
        let maybe = |step: i64, json: String| if at % step == step - 1 { "null".to_owned() } else { json };
        let word = ["", "a", "B", "ab", "Ab", "é", "a_b", "%", "x y", "10", "9", "b"][(at % 12) as usize];
        let mood = ["\"sad\"", "\"ok\"", "\"happy\""][(at % 3) as usize];
        let double = ["0", "-0.0", "0.1", "1e300", "-1.5", "\"NaN\"", "\"Infinity\""][(at % 7) as usize];
        let double = if double.starts_with('"') { "2.5" } else { double };
        let numeric =
            ["0", "0.10", "0.1", "-2.50", "12345678901234567890.1", "1000", "\"NaN\""][(at % 7) as usize];
        let instant = ["2024-01-01T00:00:00Z", "2024-01-03T10:00:00Z", "infinity", "1969-12-31T23:59:59.5Z"]
            [(at % 4) as usize];
        let date = ["2024-01-02", "0044-03-15 BC", "infinity", "2023-12-31"][(at % 4) as usize];
        let time = ["00:00", "12:30:00.5", "24:00:00", "07:15"][(at % 4) as usize];
        let texts = ["[]", "[\"a\"]", "[\"a\",\"b\"]", "[\"b\",\"a\"]", "[\"x y\",null]"][(at % 5) as usize];
        format!(
            concat!(
                r#"{{"id":{id},"a_bool":{bool},"a_small":{small},"a_big":{big},"a_double":{double},"#,
                r#""a_numeric":{numeric},"a_text":{text},"a_uuid":"{letter}0eebc99-9c0b-4ef8-bb6d-6bb9bd380a{at:02}","#,
                r#""a_timestamptz":"{instant}","a_date":"{date}","a_time":"{time}","a_mood":{mood},"#,
                r#""a_jsonb":{{"word":{json},"n":{at}}},"texts":{texts}}}"#
            ),
            id = at,
            bool = maybe(5, (at % 2 == 0).to_string()),
            small = maybe(6, (at % 7 - 3).to_string()),
            big = 9_007_199_254_740_991 + at % 4,
            double = maybe(8, double.into()),
            numeric = maybe(9, numeric.into()),
            text = maybe(7, format!("{word:?}")),
            letter = ["a", "b"][(at % 2) as usize],
            at = at,
            instant = instant,
            date = date,
            time = time,
            mood = maybe(4, mood.into()),
            json = maybe(10, format!("{word:?}")),
            texts = maybe(11, texts.into()),
        )
    };
    format!("[{}]", (0..60).map(row).collect::<Vec<_>>().join(","))
}

fn comparison() -> impl Strategy<Value = Filter> {
    let columns = Arc::new(columns());
    (0..columns.len(), any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), any::<u8>())
        .prop_map(move |(column, operator, literal, other)| {
            let column = &columns[column];
            let mut operators = vec![
                Operator::Eq,
                Operator::Neq,
                Operator::Gt,
                Operator::Gte,
                Operator::Lt,
                Operator::Lte,
                Operator::IsDistinct,
                Operator::In,
                Operator::Is,
            ];
            if column.patterns {
                operators.extend([Operator::Like, Operator::Ilike]);
            }
            if column.arrays {
                operators = vec![
                    Operator::Eq,
                    Operator::Neq,
                    Operator::Contains,
                    Operator::ContainedBy,
                    Operator::Overlaps,
                    Operator::Is,
                ];
            }
            let operator = operator.get(&operators).clone();
            let literal = (*literal.get(column.literals)).to_owned();
            let operand = match operator {
                Operator::Is => Operand::Is(if other % 2 == 0 { Is::Null } else { Is::NotNull }),
                Operator::In => {
                    let second = column.literals[usize::from(other) % column.literals.len()].to_owned();
                    Operand::List(vec![literal, second])
                }
                _ => Operand::Text(literal),
            };
            Filter::Compare(Comparison { field: column.field.clone(), operator, quantifier: None, operand })
        })
}

fn filter() -> impl Strategy<Value = Filter> {
    comparison().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Filter::Or),
            inner.prop_map(Filter::negated),
        ]
    })
}

const ORDERED: &[&str] =
    &["a_bool", "a_small", "a_double", "a_numeric", "a_text", "a_timestamptz", "a_date", "a_mood", "a_uuid"];

fn order() -> impl Strategy<Value = Order> {
    let nulls = prop_oneof![Just(None), Just(Some(Nulls::First)), Just(Some(Nulls::Last))];
    (proptest::sample::select(ORDERED), any::<bool>(), nulls).prop_map(|(name, descending, nulls)| Order {
        relation: None,
        field: Field::column(name),
        descending,
        nulls,
    })
}

fn query() -> impl Strategy<Value = Query> {
    (filter(), order(), proptest::option::of(0..20u64), 0..5u64).prop_map(|(filter, order, limit, offset)| {
        // The key makes the order a total one.
        let key = Order { field: Field::column("id"), relation: None, descending: false, nulls: None };
        let items = vec![Item::column("id")];
        Query { items, filter: Some(filter), order: vec![order, key], limit, offset }
    })
}

/// The rows of a reply without white space, or the code of the error.
fn answer(database: &Database, runtime: &Runtime, query: Query) -> std::result::Result<String, String> {
    let select = Select::new(TableName::public("everything"), query);
    match runtime.block_on(database.send(select)) {
        Ok(page) => Ok(String::from_utf8_lossy(&page.body).split_ascii_whitespace().collect()),
        Err(error) => Err(error.code().to_owned()),
    }
}

async fn filled(stack: Stack<DatabaseService>) -> Result<Database> {
    let database = Handle::new(stack, Context::system());
    database.send(Migrate { name: "1_schema.sql".into(), sql: SCHEMA.into(), dry_run: false }).await?;
    database.send(Insert::new(TableName::public("everything"), rows())).await?;
    Ok(database)
}

#[test]
fn random_filters_give_the_same_rows() {
    let runtime = Runtime::new().unwrap();
    let server = PostgresServer::start(&[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (sqlite, postgres) = runtime
        .block_on(async {
            let path = folder.path().join("data.db");
            let sqlite =
                SqliteDriver::open(truststream_sqlite::Config { path, ..Default::default() }).await?;
            let url = server.new_database().unwrap();
            let postgres = PostgresDriver::connect(truststream_postgres::Config::new(url)).await?;
            Result::<_>::Ok((
                filled(Arc::new(Driven(sqlite))).await?,
                filled(Arc::new(Driven(postgres))).await?,
            ))
        })
        .unwrap();
    let runs = Runs { cases: 1_000, failure_persistence: None, ..Runs::default() };
    // The same queries in every run, so that a failure is a change's own.
    TestRunner::new_with_rng(runs, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        .run(&query(), |query| {
            let expected = answer(&postgres, &runtime, query.clone());
            prop_assert_eq!(answer(&sqlite, &runtime, query), expected);
            Ok(())
        })
        .unwrap();
}
