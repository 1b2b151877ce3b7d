//! Requests of one shape share a plan, never an answer.

use serde_json::json;
use truststream_kernel::{Context, Identity};
use truststream_services::database::{
    Comparison, DatabaseDriver, Embed, Field, Filter, Insert, Item, Media, Migrate, Operand, Operator,
    PlanFormat, Quantifier, Query, Select, TableName,
};
use truststream_sqlite::SqliteDriver;

use super::support::{note, notes, open, ready};

fn compared(operator: Operator, quantifier: Option<Quantifier>, operand: Operand) -> Filter {
    Filter::Compare(Comparison { field: Field::column("id"), operator, quantifier, operand })
}

async fn found(driver: &SqliteDriver, cx: &Context, table: TableName, query: Query) -> Vec<i64> {
    let page = driver.select(cx, &Select::new(table, query)).await.unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&page.body).unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn literals_are_those_of_the_request() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    let cx = Context::system();
    for id in 0..5 {
        driver.insert(&cx, &note(id)).await.unwrap();
    }
    let any = |text: &str| compared(Operator::Eq, Some(Quantifier::Any), Operand::Text(text.into()));
    let list =
        |ids: [i64; 2]| compared(Operator::In, None, Operand::List(ids.map(|id| id.to_string()).into()));
    let cases: Vec<(Filter, Vec<i64>)> = vec![
        (Filter::eq("id", "1"), vec![1]),
        (Filter::eq("id", "4"), vec![4]),
        (Filter::And(vec![Filter::eq("id", "2"), Filter::eq("body", "note 2")]), vec![2]),
        (Filter::And(vec![Filter::eq("id", "2"), Filter::eq("body", "")]), vec![]),
        (Filter::And(vec![Filter::eq("id", "3"), Filter::eq("body", "note 3")]), vec![3]),
        (list([0, 2]), vec![0, 2]),
        (list([3, 4]), vec![3, 4]),
        (any("{}"), vec![]),
        (any("{1,null}"), vec![1]),
        (any("{2,3}"), vec![2, 3]),
        (any("{null}"), vec![]),
    ];
    for _ in 0..2 {
        for (filter, expected) in &cases {
            let query = Query { filter: Some(filter.clone()), ..Query::all() };
            assert_eq!(found(&driver, &cx, notes(), query).await, *expected, "{filter:?}");
        }
        for (limit, offset) in [(2, 1), (1, 3), (5, 2)] {
            let query = Query { limit: Some(limit), offset, ..Query::all() };
            let expected: Vec<i64> =
                (offset..5).take(usize::try_from(limit).unwrap()).map(|id| id.cast_signed()).collect();
            assert_eq!(found(&driver, &cx, notes(), query).await, expected);
        }
    }
    let wrong = Query { filter: Some(Filter::eq("id", "x")), ..Query::all() };
    let error = driver.select(&cx, &Select::new(notes(), wrong)).await.unwrap_err();
    assert_eq!(error.code(), "22P02");
}

#[tokio::test]
async fn callers_see_their_own_rows() {
    let folder = tempfile::tempdir().unwrap();
    let driver = open(folder.path()).await.unwrap();
    let sql = "create table mine (id int primary key, owner uuid); alter table mine enable row level security; \
               create policy own on mine for select to authenticated using (owner = auth.uid());";
    let migration = Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &migration).await.unwrap();
    let users = ["a11ce000-0000-4000-8000-000000000001", "b0b00000-0000-4000-8000-000000000002"];
    let rows = json!([{"id": 0, "owner": users[0]}, {"id": 1, "owner": users[1]}, {"id": 2, "owner": null}]);
    let table = TableName::public("mine");
    driver.insert(&Context::system(), &Insert::new(table.clone(), rows.to_string())).await.unwrap();
    let as_user = |user: &str| {
        let claims = json!({"sub": user}).as_object().unwrap().clone();
        Context::of(Identity::new("authenticated", claims))
    };
    for _ in 0..2 {
        for (id, user) in [0, 1].into_iter().zip(users) {
            assert_eq!(found(&driver, &as_user(user), table.clone(), Query::all()).await, [id]);
        }
        assert!(found(&driver, &Context::role("anon"), table.clone(), Query::all()).await.is_empty());
        assert_eq!(
            found(&driver, &Context::role("service_role"), table.clone(), Query::all()).await,
            [0, 1, 2]
        );
        assert_eq!(found(&driver, &Context::system(), table.clone(), Query::all()).await, [0, 1, 2]);
    }
}

#[tokio::test]
async fn what_is_too_deep_or_wide_is_refused_with_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let driver = open(folder.path()).await.unwrap();
    let sql = "create table nodes (id int primary key, parent_id int references nodes(id));".to_owned();
    driver.migrate(&Context::system(), &Migrate { name: "1.sql".into(), sql, dry_run: false }).await.unwrap();
    let ask = async |query: Query| {
        let select = Select::new(TableName::public("nodes"), query);
        driver.select(&Context::system(), &select).await.map_err(|error| error.message().to_owned())
    };
    let wide = |count: usize| {
        let all = (0..count).map(|id| Filter::eq("id", id.to_string())).collect();
        Query { filter: Some(Filter::Or(all)), ..Query::all() }
    };
    let deep = |levels: usize| {
        (0..levels).fold(Query::all(), |query, _| Query {
            items: vec![Item::Embed(Embed {
                relation: "nodes".into(),
                alias: None,
                hint: Some("parent_id".into()),
                inner: true,
                spread: false,
                query,
            })],
            ..Query::all()
        })
    };
    let listed = |count: usize| {
        let ids = (0..count).map(|id| id.to_string()).collect();
        Query { filter: Some(compared(Operator::In, None, Operand::List(ids))), ..Query::all() }
    };
    for most in [wide(4_000), deep(16), listed(32_000)] {
        ask(most).await.unwrap();
    }
    for (query, limit) in
        [(wide(4_001), "at most 4000"), (deep(17), "at most 16"), (listed(32_001), "at most 32000")]
    {
        let message = ask(query).await.unwrap_err();
        assert!(message.contains(limit), "{message}");
    }
}

#[tokio::test]
async fn rights_on_columns_open_those_columns_only() {
    let folder = tempfile::tempdir().unwrap();
    let driver = open(folder.path()).await.unwrap();
    let sql = "create table users (id int primary key, email text, password text, boss int references users(id)); \
               grant select (id, email) on users to anon; grant select on users to authenticated;";
    let migration = Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &migration).await.unwrap();
    let ask = async |role: &str, query: Query| {
        let select = Select::new(TableName::public("users"), query);
        driver.select(&Context::role(role), &select).await.map(drop).map_err(|error| error.code().to_owned())
    };
    let shown = |names: &[&str]| Query {
        items: names.iter().map(|name| Item::column(*name)).collect(),
        ..Query::all()
    };
    let hidden = Err("42501".to_owned());
    assert_eq!(ask("anon", shown(&["id", "email"])).await, Ok(()));
    assert_eq!(ask("anon", shown(&["password"])).await, hidden);
    assert_eq!(ask("anon", Query::all()).await, hidden);
    let guess = Query { filter: Some(Filter::eq("password", "x")), ..shown(&["id"]) };
    assert_eq!(ask("anon", guess).await, hidden);
    assert_eq!(ask("authenticated", Query::all()).await, Ok(()));
}

#[tokio::test]
async fn reads_are_explained_without_being_run() {
    let folder = tempfile::tempdir().unwrap();
    let driver = open(folder.path()).await.unwrap();
    let sql = "create table words (id int primary key, word text); create index by_word on words (word);";
    let migration = Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &migration).await.unwrap();
    let query = Query { filter: Some(Filter::eq("word", "x")), ..Query::all() };
    let explained = async |json: bool, options: &[&str]| {
        let mut select = Select::new(TableName::public("words"), query.clone());
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        select.format.media = Media::Plan(PlanFormat { json, options });
        driver
            .select(&Context::system(), &select)
            .await
            .map(|page| String::from_utf8_lossy(&page.body).into_owned())
    };
    let text = explained(false, &[]).await.unwrap();
    assert!(text.starts_with("Query\n  ->  SEARCH") && text.contains("by_word"), "{text}");
    let plan: serde_json::Value = serde_json::from_str(&explained(true, &[]).await.unwrap()).unwrap();
    let step = plan[0]["Plan"]["Plans"][0]["Node Type"].as_str().unwrap();
    assert!(step.contains("by_word"), "{plan}");
    assert_eq!(explained(true, &["analyze"]).await.unwrap_err().code(), "0A000");
}
