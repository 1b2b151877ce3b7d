//! `citext`: what PostgreSQL 15 answers for the same.

use truststream_kernel::Context;
use truststream_services::database::{
    Comparison, DatabaseDriver, Field, Filter, Insert, Migrate, OnConflict, Operand, Operator, Query, Select,
    TableName,
};
use truststream_sqlite::SqliteDriver;

use super::support::open;

const SCHEMA: &str = "
create extension citext;
create table people (id int primary key, email citext unique, name text);
alter table people enable row level security;
create policy own on people for select to authenticated using (email = 'ADA@x.org' and email::text <> 'ada@x.org');
create view mails as select id, email, lower(email) as low from people;
create table letters (id int primary key, sender citext references people (email));
";

async fn ready(folder: &std::path::Path) -> SqliteDriver {
    let driver = open(folder).await.unwrap();
    let op = Migrate { name: "1".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    let rows = r#"[{"id":1,"email":"Ada@X.org","name":"a"},{"id":2,"email":"\u00dcber@x.org","name":"b"}]"#;
    driver.insert(&Context::system(), &Insert::new(TableName::public("people"), rows)).await.unwrap();
    driver
}

async fn ids(driver: &SqliteDriver, cx: &Context, table: &str, operator: Operator, text: &str) -> Vec<i64> {
    let field = Field::column("email");
    let filter = Comparison { field, operator, quantifier: None, operand: Operand::Text(text.into()) };
    let query = Query { filter: Some(Filter::Compare(filter)), ..Query::all() };
    let page = driver.select(cx, &Select::new(TableName::public(table), query)).await.unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&page.body).unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn it_compares_without_case_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    let cx = Context::system();
    for table in ["people", "mails"] {
        for (operator, text, expected) in [
            (Operator::Eq, "ADA@x.ORG", &[1][..]),
            (Operator::Eq, "\u{fc}BER@X.ORG", &[2]),
            (Operator::Neq, "ada@x.org", &[2]),
            (Operator::Gt, "ADB", &[2]),
            (Operator::Like, "ada%", &[1]),
            (Operator::Match, "^ADA", &[1]),
            (Operator::IsDistinct, "ada@x.org", &[2]),
        ] {
            let found = ids(&driver, &cx, table, operator.clone(), text).await;
            assert_eq!(found, expected, "{operator:?} {text} in {table}");
        }
    }
    let page = driver.select(&cx, &Select::new(TableName::public("mails"), Query::all())).await.unwrap();
    let shown = String::from_utf8_lossy(&page.body);
    assert!(shown.starts_with(r#"[{"id":1,"email":"Ada@X.org","low":"ada@x.org"}"#), "{shown}");
    // A cast to text tells cases apart again.
    assert_eq!(ids(&driver, &Context::role("authenticated"), "people", Operator::Eq, "ada@x.org").await, [1]);
}

#[tokio::test]
async fn keys_of_it_are_the_same_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    let cx = Context::system();
    let people = || TableName::public("people");
    let again = Insert::new(people(), r#"{"id":3,"email":"ADA@X.ORG"}"#);
    assert_eq!(driver.insert(&cx, &again).await.unwrap_err().code(), "23505");
    let merged = Insert {
        on_conflict: Some(OnConflict { columns: Some(vec!["email".into()]), merge: true }),
        ..Insert::new(people(), r#"{"id":1,"email":"ADA@X.ORG","name":"merged"}"#)
    };
    driver.insert(&cx, &merged).await.unwrap();
    let letter = Insert::new(TableName::public("letters"), r#"[{"id":1,"sender":"ada@x.org"}]"#);
    driver.insert(&cx, &letter).await.unwrap();
    let lost = Insert::new(TableName::public("letters"), r#"[{"id":2,"sender":"eve@x.org"}]"#);
    assert_eq!(driver.insert(&cx, &lost).await.unwrap_err().code(), "23503");
}
