//! Writes to views whose triggers do something else instead.

use serde_json::json;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_kernel::{Context, Identity};
use truststream_mongodb::MongoDriver;
use truststream_services::database::{
    DatabaseDriver, Delete, Filter, Insert, Migrate, OnConflict, Query, Returning, TableName, Update,
};

use crate::functions::rows;
use crate::server::fresh;

const SCHEMA: &str = "
create table firsts (id bigint primary key, name text not null);
create table seconds (id bigint primary key references firsts (id), mark text);
create table closed (id bigint primary key, note text);
create view pairs as select f.id, f.name, s.mark from firsts f left join seconds s on s.id = f.id;
grant select, insert, update, delete on firsts, seconds, pairs to authenticated;
create function pair_up() returns trigger language plpgsql as $$
begin
  if new.name = 'nobody' then
    return null;
  end if;
  insert into firsts values (new.id, new.name);
  insert into seconds values (new.id, coalesce(new.mark, 'none'));
  new.mark := coalesce(new.mark, 'none');
  perform set_config('response.status', '205', true);
  return new;
end $$;
create trigger a instead of insert on pairs for each row execute function pair_up();
create function change_pair() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    delete from seconds where id = old.id;
    delete from firsts where id = old.id;
    return old;
  end if;
  update firsts set name = new.name where id = old.id;
  return new;
end $$;
create trigger b instead of update or delete on pairs for each row execute function change_pair();
create view notes as select id, note from closed;
grant select, insert on notes to authenticated;
create function note() returns trigger language plpgsql as $$
begin
  insert into closed values (new.id, new.note);
  return new;
end $$;
create trigger c instead of insert on notes for each row execute function note();
";

async fn filled(server: &MongoServer) -> MongoDriver {
    let driver = fresh(server).await.unwrap();
    let op = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    driver
}

fn somebody() -> Context {
    let claims = json!({ "sub": "11111111-1111-4111-8111-111111111111", "role": "authenticated" });
    Context::of(Identity::new("authenticated", claims.as_object().cloned().unwrap()))
}

fn only(id: &str) -> Query {
    Query { filter: Some(Filter::eq("id", id)), ..Query::all() }
}

fn insert(table: &str, rows: &str) -> Insert {
    let mut op = Insert::new(TableName::public(table), rows.to_owned());
    op.options.returning = Returning::Representation;
    op.query = Query::all();
    op
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_write_what_a_view_shows() {
    let server = MongoServer::start().unwrap();
    let (driver, cx) = (filled(&server).await, somebody());
    let three = r#"[{"id":1,"name":"A"},{"id":2,"name":"nobody"},{"id":3,"name":"C"}]"#;
    let page = driver.insert(&cx, &insert("pairs", three)).await.unwrap();
    assert_eq!(page.body, r#"[{"id":1,"name":"A","mark":"none"},{"id":3,"name":"C","mark":"none"}]"#);
    assert_eq!((page.rows, page.inserted, page.status), (2, Some(2), Some(205)));
    let mut change = Update::new(TableName::public("pairs"), r#"{"name":"Z"}"#.to_owned(), only("3"));
    change.options.returning = Returning::Representation;
    let page = driver.update(&cx, &change).await.unwrap();
    assert_eq!((page.rows, &page.body[..]), (1, &br#"[{"id":3,"name":"Z","mark":"none"}]"#[..]));
    let gone = driver.delete(&cx, &Delete::new(TableName::public("pairs"), only("1"))).await.unwrap();
    assert_eq!(gone.rows, 1);
    assert_eq!(rows(&driver, &cx, "firsts", Query::all()).await, json!([{ "id": 3, "name": "Z" }]));
    assert_eq!(rows(&driver, &cx, "seconds", Query::all()).await, json!([{ "id": 3, "mark": "none" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_those_of_the_view_and_of_who_writes() {
    let server = MongoServer::start().unwrap();
    let driver = filled(&server).await;
    let anon = driver.insert(&Context::role("anon"), &insert("pairs", r#"{"id":1,"name":"A"}"#)).await;
    assert_eq!(anon.unwrap_err().code(), "42501");
    // The view is open; what its trigger writes to is not, and the function is no definer's.
    let note = insert("notes", r#"{"id":1,"note":"x"}"#);
    assert_eq!(driver.insert(&somebody(), &note).await.unwrap_err().code(), "42501");
    driver.insert(&Context::system(), &note).await.unwrap();
    let mut upsert = insert("pairs", r#"{"id":1,"name":"A"}"#);
    upsert.on_conflict = Some(OnConflict { columns: None, merge: true });
    assert_eq!(driver.insert(&somebody(), &upsert).await.unwrap_err().code(), "0A000");
    // What a trigger raises takes back all of the request.
    let twice = insert("pairs", r#"[{"id":5,"name":"E"},{"id":5,"name":"F"}]"#);
    assert_eq!(driver.insert(&somebody(), &twice).await.unwrap_err().code(), "23505");
    assert_eq!(rows(&driver, &somebody(), "firsts", Query::all()).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn views_have_defaults_of_their_own() {
    let server = MongoServer::start().unwrap();
    let driver = fresh(&server).await.unwrap();
    let sql = "create table plans (id int primary key, name text default 'table', note text default 'both');
        create view inner_plans as select id, name as label, note from plans;
        create view outer_plans as select id as number, label, note from inner_plans;
        alter table only inner_plans alter column label set default 'inner';
        alter table only outer_plans alter column note set default 'outer';";
    let op = Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false };
    let cx = Context::system();
    driver.migrate(&cx, &op).await.unwrap();
    for (view, row) in
        [("plans", r#"{"id":1}"#), ("inner_plans", r#"{"id":2}"#), ("outer_plans", r#"{"number":3}"#)]
    {
        driver.insert(&cx, &insert(view, row)).await.unwrap();
    }
    let mut fourth = insert("outer_plans", r#"{"number":4,"label":"l","note":"n"}"#);
    fourth.options.returning = Returning::HeadersOnly;
    let location = driver.insert(&cx, &fourth).await.unwrap().location;
    let names: Vec<&str> = location.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["number"]);
    let values = r#"{"note":"x"}"#.to_owned();
    let columns = Some(vec!["label".to_owned(), "note".to_owned()]);
    let op = Update::new(TableName::public("inner_plans"), values, only("1"));
    driver.update(&cx, &Update { columns, missing_default: true, ..op }).await.unwrap();
    let mut found = rows(&driver, &cx, "plans", Query::all()).await;
    found.as_array_mut().unwrap().sort_by_key(|row| row["id"].as_i64());
    let wanted = json!([
        { "id": 1, "name": "inner", "note": "x" },
        { "id": 2, "name": "inner", "note": "both" },
        { "id": 3, "name": "inner", "note": "outer" },
        { "id": 4, "name": "l", "note": "n" },
    ]);
    assert_eq!(found, wanted);
}
