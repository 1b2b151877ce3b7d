//! Policies that look into other tables, claims and embeds.

use serde_json::json;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_kernel::{Context, Driven, Handle, Identity, Result, Stack};
use truststream_services::database::{
    Count, Database, DatabaseService, Delete, Embed, Insert, Item, Migrate, Query, Select, TableName,
};

use crate::server::fresh;

const SCHEMA: &str = "
create table teams (id int primary key, name text not null, secret boolean not null default false);
create table members (team_id int references teams (id) on delete cascade, user_id uuid, role text,
  primary key (team_id, user_id));
create table tasks (id int primary key, team_id int references teams (id), title text not null);
alter table teams enable row level security;
alter table members enable row level security;
alter table tasks enable row level security;
create policy a on members for select to authenticated using (user_id = (select auth.uid()));
create policy b on teams for select to authenticated
  using (exists (select 1 from members m where m.team_id = teams.id));
create policy c on teams as restrictive for select using (not secret or auth.jwt() ->> 'level' = 'top');
create policy d on tasks for select to authenticated using (team_id in (select team_id from members));
create policy e on tasks for insert to authenticated
  with check (team_id in (select team_id from members where role = 'lead'));
";

const ADA: &str = "a0000000-0000-4000-8000-000000000001";

async fn database(server: &MongoServer) -> Result<Database> {
    let stack: Stack<DatabaseService> = std::sync::Arc::new(Driven(fresh(server).await?));
    let database = Handle::new(stack, Context::system());
    database.send(Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false }).await?;
    let rows = [
        ("teams", r#"[{"id":1,"name":"One"},{"id":2,"name":"Two"},{"id":3,"name":"Three","secret":true}]"#.to_owned()),
        (
            "members",
            format!(r#"[{{"team_id":1,"user_id":"{ADA}","role":"lead"}},{{"team_id":3,"user_id":"{ADA}","role":"guest"}}]"#),
        ),
        ("tasks", r#"[{"id":1,"team_id":1,"title":"a"},{"id":2,"team_id":2,"title":"b"},{"id":3,"team_id":3,"title":"$name"}]"#.to_owned()),
    ];
    for (table, rows) in rows {
        let mut insert = Insert::new(TableName::public(table), rows);
        insert.missing_default = true;
        insert.columns = (table == "teams").then(|| ["id", "name", "secret"].map(str::to_owned).to_vec());
        database.send(insert).await?;
    }
    Ok(database)
}

fn ada(database: &Database, level: &str) -> Database {
    let claims = json!({ "sub": ADA, "role": "authenticated", "level": level });
    database.with(Context::of(Identity::new("authenticated", claims.as_object().cloned().unwrap())))
}

async fn read(database: &Database, table: &str, query: Query) -> String {
    let page = database.send(Select::new(TableName::public(table), query)).await.unwrap();
    String::from_utf8(page.body.to_vec()).unwrap()
}

fn embedding(relation: &str, columns: &[&str]) -> Item {
    let items = columns.iter().map(|name| Item::column(*name)).collect();
    let query = Query { items, ..Query::default() };
    Item::Embed(Embed {
        relation: relation.into(),
        alias: None,
        hint: None,
        inner: false,
        spread: false,
        query,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_look_into_other_tables() {
    let server = MongoServer::start().unwrap();
    let database = database(&server).await.unwrap();
    let (ada, top) = (ada(&database, "low"), ada(&database, "top"));
    let names = || Query { items: vec![Item::column("name")], ..Query::default() };
    assert_eq!(read(&ada, "teams", names()).await, r#"[{"name":"One"}]"#);
    assert_eq!(read(&top, "teams", names()).await, r#"[{"name":"One"},{"name":"Three"}]"#);
    let anon = database.with(Context::role("anon"));
    assert_eq!(read(&anon, "teams", names()).await, "[]");
    // What is hidden is hidden in embeds and counts too.
    let query =
        Query { items: vec![Item::column("title"), embedding("teams", &["name"])], ..Query::default() };
    assert_eq!(
        read(&ada, "tasks", query).await,
        r#"[{"title":"a","teams":{"name":"One"}},{"title":"$name","teams":null}]"#
    );
    let counted =
        Select { count: Some(Count::Exact), ..Select::new(TableName::public("tasks"), Query::all()) };
    assert_eq!(ada.send(counted).await.unwrap().total, Some(2));
    let insert = |id: i32, team: i32| {
        let row = format!(r#"{{"id":{id},"team_id":{team},"title":"new"}}"#);
        ada.send(Insert::new(TableName::public("tasks"), row))
    };
    insert(10, 1).await.unwrap();
    assert_eq!(insert(11, 3).await.unwrap_err().code(), "42501");
    let deleted = ada.send(Delete::new(TableName::public("tasks"), Query::all())).await.unwrap();
    assert_eq!(deleted.rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_expressed_is_refused() {
    let server = MongoServer::start().unwrap();
    let database = database(&server).await.unwrap();
    for (number, sql) in [
        "create policy x on teams using (name similar to 'a')",
        "create policy x on teams using (name ~ '^[a-z]+$')",
        "create policy x on teams using (exists (select 1 from members m full join tasks t on true))",
        "create view v as select name, lag(name) over (order by id) from teams",
        "create table t (id int primary key, mask bit(3))",
        "create unique index on teams (lower(name))",
        "alter table teams rename to groups",
        "create unique index on teams (name) where name > 'a'",
    ]
    .into_iter()
    .enumerate()
    {
        let migrate = Migrate { name: format!("2_{number}.sql"), sql: sql.into(), dry_run: false };
        let error = database.send(migrate).await.unwrap_err();
        assert_eq!(error.code(), "0A000", "{sql}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_some_rows_and_elements_of_paths() {
    let server = MongoServer::start().unwrap();
    let database = database(&server).await.unwrap();
    let sql = "create table open (id int primary key, who text check (length(trim(who)) > 0), path text, ended date);
create unique index one_open on open (who) where ended is null;
alter table open enable row level security;
create policy a on open for select to authenticated
  using ((storage.foldername(path))[1] = (select auth.uid())::text and storage.filename(path) <> 'hidden');";
    database.send(Migrate { name: "2.sql".into(), sql: sql.into(), dry_run: false }).await.unwrap();
    let insert = |id: i32, who: &str, path: &str, ended: &str| {
        let row = format!(r#"{{"id":{id},"who":"{who}","path":"{path}","ended":{ended}}}"#);
        database.send(Insert::new(TableName::public("open"), row))
    };
    insert(1, "a", &format!("{ADA}/x/y"), "null").await.unwrap();
    insert(2, "a", &format!("{ADA}/hidden"), "\"2024-01-01\"").await.unwrap();
    insert(3, "a", ADA, "\"2024-01-01\"").await.unwrap();
    assert_eq!(insert(4, "a", "x/y", "null").await.unwrap_err().code(), "23505");
    assert_eq!(insert(5, "  ", "x/y", "null").await.unwrap_err().code(), "23514");
    let ids = Query { items: vec![Item::column("id")], ..Query::default() };
    assert_eq!(read(&ada(&database, "low"), "open", ids).await, r#"[{"id":1}]"#);
}
