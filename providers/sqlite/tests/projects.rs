//! Migrations as projects have them, whole: they run, and what they promise holds.

use serde_json::{Value as Json, json};
use truststream_kernel::{Context, Identity, Result};
use truststream_services::database::{
    AppliedMigration, DatabaseDriver, Delete, Filter, Insert, Migrate, Query, Review, Select, TableName,
    Update,
};
use truststream_sqlite::SqliteDriver;

use crate::fresh;

/// What the services bring: as much of it as migrations touch.
const SERVICES: &str = "
    create schema auth; create schema storage; create schema extensions; create schema graphql; create schema vault;
    create table auth.users (id uuid primary key, email text, raw_user_meta_data jsonb);
    alter table auth.users enable row level security;
    create table storage.buckets (id text primary key, name text not null, public boolean default false);
    create table storage.objects (id uuid primary key default gen_random_uuid(), bucket_id text, name text,
        owner uuid);
    alter table storage.objects enable row level security;";

const ANN: &str = "00000000-0000-0000-0000-00000000000a";

async fn project(sql: &str) -> SqliteDriver {
    let driver = fresh().await.unwrap();
    migrate(&driver, "0_services", SERVICES).await.unwrap();
    let one = AppliedMigration { name: "1_project".into(), sql: sql.into() };
    let problems = driver.review(&Context::system(), &Review { migrations: vec![one] }).await.unwrap();
    let told: Vec<_> = problems.iter().map(|one| format!("{}: {}", one.line, one.reason)).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    migrate(&driver, "1_project", sql).await.unwrap_or_else(|error| panic!("{error:?}"));
    driver
}

async fn migrate(driver: &SqliteDriver, name: &str, sql: &str) -> Result<()> {
    let op = Migrate { name: name.into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.map(drop)
}

fn ann() -> Context {
    let claims = json!({ "sub": ANN, "role": "authenticated" });
    let claims = claims.as_object().cloned().unwrap_or_default();
    Context::of(Identity::new("authenticated", claims))
}

fn anon() -> Context {
    Context::of(Identity::new("anon", serde_json::Map::new()))
}

async fn rows(driver: &SqliteDriver, cx: &Context, table: &str) -> Json {
    let op = Select::new(TableName::public(table), Query::all());
    serde_json::from_slice(&driver.select(cx, &op).await.unwrap().body).unwrap()
}

async fn sign_up(driver: &SqliteDriver, id: &str, email: &str, data: Json) -> Result<()> {
    let row = json!({ "id": id, "email": email, "raw_user_meta_data": data }).to_string();
    driver.insert(&Context::system(), &Insert::new(TableName::new("auth", "users"), row)).await.map(drop)
}

fn only(column: &str, value: &str) -> Query {
    let mut query = Query::all();
    query.and(Filter::eq(column, value));
    query
}

async fn insert(driver: &SqliteDriver, cx: &Context, table: &str, row: Json) -> Result<()> {
    driver.insert(cx, &Insert::new(TableName::public(table), row.to_string())).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_todo_app() {
    let driver = project(include_str!("projects/todo.sql")).await;
    sign_up(&driver, ANN, "ann@example.org", json!({ "full_name": "Ann" })).await.unwrap();
    let profiles = rows(&driver, &anon(), "profiles").await;
    assert_eq!(profiles[0]["full_name"], "Ann");
    assert_eq!(profiles[0]["id"], ANN);
    insert(&driver, &ann(), "todos", json!({ "task": "write a test" })).await.unwrap();
    let error = insert(&driver, &ann(), "todos", json!({ "task": "no" })).await.unwrap_err();
    assert_eq!(error.code(), "23514");
    assert_eq!(rows(&driver, &anon(), "todos").await, json!([]));
    let before = rows(&driver, &ann(), "todos").await;
    assert_eq!((&before[0]["user_id"], &before[0]["is_complete"]), (&json!(ANN), &json!(false)));
    let update = Update::new(TableName::public("todos"), r#"{"is_complete":true}"#, only("id", "1"));
    driver.update(&ann(), &update).await.unwrap();
    let after = rows(&driver, &ann(), "todos").await;
    assert_eq!(after[0]["is_complete"], true);
    assert_ne!(after[0]["updated_at"], before[0]["updated_at"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat() {
    let driver = project(include_str!("projects/slack.sql")).await;
    sign_up(&driver, ANN, "ann+supaadmin@example.org", json!({})).await.unwrap();
    let users = rows(&driver, &ann(), "users").await;
    assert_eq!(users[1]["username"], "ann+supaadmin@example.org");
    assert_eq!(rows(&driver, &ann(), "user_roles").await[0]["role"], "admin");
    assert_eq!(rows(&driver, &ann(), "messages").await.as_array().unwrap().len(), 2);
    // Neither channel is hers: the right to delete comes from her role, by the function in the policy.
    let delete = Delete::new(TableName::public("channels"), only("id", "1"));
    driver.delete(&ann(), &delete).await.unwrap();
    assert_eq!(rows(&driver, &ann(), "channels").await.as_array().unwrap().len(), 1);
    assert_eq!(rows(&driver, &ann(), "messages").await.as_array().unwrap().len(), 1);
    let bob = "00000000-0000-0000-0000-00000000000b";
    sign_up(&driver, bob, "bob@example.org", json!({})).await.unwrap();
    assert_eq!(rows(&driver, &Context::system(), "user_roles").await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump() {
    let driver = project(include_str!("projects/dump.sql")).await;
    sign_up(&driver, ANN, "ann@example.org", json!({})).await.unwrap();
    let customers = rows(&driver, &ann(), "customers").await;
    assert_eq!((&customers[0]["name"], &customers[0]["tags"]), (&json!("ann"), &json!([])));
    let system = Context::system();
    insert(&driver, &system, "orgs", json!({ "slug": "acme" })).await.unwrap();
    assert_eq!(rows(&driver, &ann(), "orgs").await, json!([]));
    insert(&driver, &system, "members", json!({ "org_id": 1, "customer_id": ANN })).await.unwrap();
    assert_eq!(rows(&driver, &ann(), "orgs").await[0]["slug"], "acme");
    assert_eq!(rows(&driver, &ann(), "seats").await, json!([{ "id": 1, "slug": "acme", "taken": 1 }]));
    let again =
        insert(&driver, &system, "members", json!({ "id": 1, "org_id": 1, "customer_id": ANN })).await;
    let again = again.unwrap_err();
    assert!(again.message().ends_with("\"members_pk\""), "{again:?}");
}
