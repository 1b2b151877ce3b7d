//! What is the remote database's own: who is told to the project, and what is refused.

use std::sync::Arc;

use serde_json::json;
use truststream_kernel::{Context, Driven, ErrorKind, Handle, Identity, Outcome, Result, Row, Value};
use truststream_services::database::{
    Authorize, Batch, Capture, Database, Describe, Insert, Migrate, Ping, Prepare, Query, Scan, Select, Step,
    TableName,
};
use truststream_supabase::{Config, RemoteDatabase};

use crate::support::{MEMORY, Remote};

const SCHEMA: &str = "
create table notes (id int primary key, owner uuid not null, body text not null);
alter table notes enable row level security;
create policy own on notes for all to authenticated using (owner = auth.uid()) with check (owner = auth.uid());";

const ADA: &str = "ada00000-0000-4000-8000-000000000001";

async fn opened(config: &Config) -> Database {
    let remote = RemoteDatabase::connect(config).await.unwrap();
    Handle::new(Arc::new(Driven(remote)), Context::system())
}

async fn project() -> Remote {
    let project = Remote::start(MEMORY).await;
    let migrate = Migrate { name: "1_notes.sql".into(), sql: SCHEMA.into(), dry_run: false };
    project.inside.database().send(migrate).await.unwrap();
    project
}

fn notes() -> TableName {
    TableName::public("notes")
}

async fn count(database: &Database) -> Result<u64> {
    database.send(Select::new(notes(), Query::all())).await.map(|page| page.rows)
}

fn ada() -> Context {
    let claims = json!({ "sub": ADA }).as_object().cloned().unwrap_or_default();
    Context::of(Identity::new("authenticated", claims))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projects_policies_judge_the_caller_or_nobody() {
    let project = project().await;
    let database = opened(&project.with_secret()).await;
    let row = format!(r#"{{"id":1,"owner":"{ADA}","body":"mine"}}"#);
    database.send(Insert::new(notes(), row)).await.unwrap();
    assert_eq!(count(&database.with(ada())).await.unwrap(), 1);
    let stranger = json!({ "sub": "e7e00000-0000-4000-8000-000000000001" }).as_object().cloned().unwrap();
    let stranger = database.with(Context::of(Identity::new("authenticated", stranger)));
    assert_eq!(count(&stranger).await.unwrap(), 0);
    let forged = format!(r#"{{"id":2,"owner":"{ADA}","body":"not mine"}}"#);
    let error = stranger.send(Insert::new(notes(), forged)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::PermissionDenied, "42501"));
    // Who can't be told to the project is refused, not taken for somebody else.
    let keys_only = opened(&project.keys).await;
    let error = count(&keys_only.with(ada())).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "0A000"));
    assert_eq!(count(&keys_only.with(Context::role("anon"))).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_data_api_can_do_is_refused_without_effect() {
    let project = project().await;
    let database = opened(&project.with_secret()).await;
    let row =
        |id: i64| Step::Insert(Insert::new(notes(), format!(r#"{{"id":{id},"owner":"{ADA}","body":"b"}}"#)));
    let two = Batch { steps: vec![row(1), row(2)], ..Batch::default() };
    let refused = [
        database.send(two).await.map(drop),
        database
            .send(Migrate { name: "2.sql".into(), sql: "drop table notes".into(), dry_run: false })
            .await
            .map(drop),
        database.send(Prepare::Begin { migrations: Vec::new() }).await,
        database.send(Capture { consumer: "c".into(), tables: vec![notes()] }).await.map(drop),
    ];
    for outcome in refused {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "0A000"), "{error}");
    }
    assert_eq!(count(&database).await.unwrap(), 0);
    database.send(Batch { steps: vec![row(1)], ..Batch::default() }).await.unwrap();
    assert_eq!(count(&database).await.unwrap(), 1);
    let mut insert = Insert::new(notes(), format!(r#"{{"id":9,"owner":"{ADA}","body":"b"}}"#));
    insert.options.transaction.rollback = true;
    let no_rollback = opened(&Config { rollback: false, ..project.with_secret() }).await;
    assert_eq!(no_rollback.send(insert).await.unwrap_err().code(), "0A000");
}

/// A row is judged as what it is: what was true of it before is not shown, nor what is gone.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_judged_by_asking_as_the_subscriber() {
    let project = project().await;
    let database = opened(&project.with_secret()).await;
    let rows = format!(
        r#"[{{"id":1,"owner":"{ADA}","body":"mine"}},{{"id":2,"owner":"e7e00000-0000-4000-8000-000000000001","body":"his"}}]"#
    );
    database.send(Insert::new(notes(), rows)).await.unwrap();
    let scan = Scan::new(notes(), None, 10);
    let mut rows = database.send(scan).await.unwrap().rows;
    let changed = |body: &str| Row {
        columns: Arc::clone(&rows[0].columns),
        values: rows[0]
            .values
            .iter()
            .map(|value| match value {
                Value::Text(_) => Value::Text(body.into()),
                other => other.clone(),
            })
            .collect(),
    };
    let before = changed("before");
    rows.push(before);
    let ask = |rows: Vec<Row>| Authorize { table: notes(), rows };
    assert_eq!(database.with(ada()).send(ask(rows.clone())).await.unwrap(), [true, false, false]);
    assert_eq!(database.with(Context::role("anon")).send(ask(rows.clone())).await.unwrap(), [false; 3]);
    assert_eq!(database.with(Context::role("service_role")).send(ask(rows)).await.unwrap(), [true; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_what_the_project_describes() {
    let project = project().await;
    let database = opened(&project.with_secret()).await;
    let catalog = database.send(Describe::default()).await.unwrap();
    let columns = &catalog.table(&notes()).unwrap().columns;
    let told: Vec<_> = columns.iter().map(|column| (column.name.as_str(), column.nullable)).collect();
    assert_eq!(told, [("id", false), ("owner", false), ("body", false)]);
    assert_eq!(columns[1].ty, truststream_kernel::Type::Uuid);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_never_lead_to_another_path() {
    let project = project().await;
    let database = opened(&project.with_secret()).await;
    for name in ["..", "../../auth/v1/admin/users", "notes?select=id", "%2e%2e"] {
        let error = database.send(Select::new(TableName::public(name), Query::all())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_not_there_is_unavailable_and_nothing_was_applied() {
    let project = project().await;
    let database = opened(&project.keys).await;
    database.send(Ping).await.unwrap();
    let nowhere = Config { url: "http://127.0.0.1:9".into(), ..project.keys.clone() };
    let error = RemoteDatabase::connect(&nowhere).await.err().unwrap();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    let wrong = Config { service_key: "wrong".into(), anon_key: None, ..project.keys.clone() };
    assert_eq!(RemoteDatabase::connect(&wrong).await.err().unwrap().kind(), ErrorKind::Unauthenticated);
    let no_url = Config { url: "abc.supabase.co".into(), ..project.keys.clone() };
    assert_eq!(RemoteDatabase::connect(&no_url).await.err().unwrap().code(), "BACKEND_002");
}
