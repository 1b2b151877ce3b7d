//! PostgreSQL's definitions, each held to what it says.

use serde_json::{Value as Json, json};
use truststream_kernel::{Context, Error, Result};
use truststream_services::database::{
    AppliedMigration, Arguments, DatabaseDriver, Describe, Format, Insert, Invoke, Migrate, Query, Review,
    Select, TableName, Transaction,
};
use truststream_sqlite::SqliteDriver;

use crate::fresh;

async fn with(sql: &str) -> SqliteDriver {
    let driver = fresh().await.unwrap();
    migrate(&driver, "1", sql).await.unwrap_or_else(|error| panic!("{error:?}"));
    driver
}

async fn migrate(driver: &SqliteDriver, name: &str, sql: &str) -> Result<()> {
    let op = Migrate { name: name.into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.map(drop)
}

/// What a migration fails with.
async fn fault(driver: &SqliteDriver, sql: &str) -> String {
    let error = migrate(driver, "fault", sql).await.unwrap_err();
    format!("{}: {}", error.message(), error.details().cloned().unwrap_or_default())
}

async fn rows(driver: &SqliteDriver, table: &str) -> Json {
    let op = Select::new(TableName::public(table), Query::all());
    serde_json::from_slice(&driver.select(&Context::system(), &op).await.unwrap().body).unwrap()
}

async fn insert(driver: &SqliteDriver, table: &str, rows: Json) -> Result<(), Error> {
    driver
        .insert(&Context::system(), &Insert::new(TableName::public(table), rows.to_string()))
        .await
        .map(drop)
}

async fn problems(sql: &str) -> Vec<(usize, String)> {
    let driver = fresh().await.unwrap();
    let one = AppliedMigration { name: "1".into(), sql: sql.into() };
    let found = driver.review(&Context::system(), &Review { migrations: vec![one] }).await.unwrap();
    found.into_iter().map(|problem| (problem.line, problem.reason)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_keep_their_names() {
    let driver = with(
        "create table a (id int constraint a_own primary key, n int);
        create table b (id int primary key); alter table b rename to c;
        alter table c rename constraint b_pkey to c_key;",
    )
    .await;
    for (table, key) in [("a", "a_own"), ("c", "c_key")] {
        insert(&driver, table, json!({ "id": 1 })).await.unwrap();
        let error = insert(&driver, table, json!({ "id": 1 })).await.unwrap_err();
        assert_eq!(error.message(), format!("duplicate key value violates unique constraint \"{key}\""));
    }
    migrate(&driver, "2", "alter table a drop constraint a_own; alter table a add primary key (n);")
        .await
        .unwrap_err();
    migrate(&driver, "3", "alter table a drop constraint a_own;").await.unwrap();
    insert(&driver, "a", json!({ "id": 1 })).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_looked_at_when_they_say() {
    let driver = with(
        "create table a (id int primary key, b int not null);
        create table b (id int primary key, a int references a deferrable initially deferred);
        alter table a add constraint a_b foreign key (b) references b deferrable initially deferred;
        create table tree (id int primary key, parent int references tree (id) on delete cascade);",
    )
    .await;
    let error = insert(&driver, "a", json!({ "id": 1, "b": 1 })).await.unwrap_err();
    assert_eq!(error.code(), "23503");
    assert_eq!(error.message(), "insert or update on table \"a\" violates foreign key constraint \"a_b\"");
    assert_eq!(rows(&driver, "a").await, json!([]));
    // Children before their parents, and a row that is its own.
    let forest = json!([{ "id": 2, "parent": 1 }, { "id": 1, "parent": null }, { "id": 3, "parent": 3 }]);
    insert(&driver, "tree", forest).await.unwrap();
    let error = insert(&driver, "tree", json!([{ "id": 4, "parent": 5 }, { "id": 6, "parent": 4 }]))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "23503");
    assert_eq!(error.details().unwrap(), "Key (parent)=(5) is not present in table \"tree\".");
    assert_eq!(rows(&driver, "tree").await.as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_rule_their_columns() {
    let driver = with(
        "create domain price as numeric(6,2) default 1 check (value >= 0);
        create domain code text not null constraint code_form check (value ~ '^[A-Z]+$');
        create table a (id int primary key, p price, c code);",
    )
    .await;
    insert(&driver, "a", json!({ "id": 1, "c": "AB" })).await.unwrap();
    assert_eq!(rows(&driver, "a").await, json!([{ "id": 1, "p": 1.00, "c": "AB" }]));
    let error = insert(&driver, "a", json!({ "id": 2, "c": "ab" })).await.unwrap_err();
    assert!(error.message().ends_with("\"code_form\""), "{error:?}");
    assert_eq!(insert(&driver, "a", json!({ "id": 2 })).await.unwrap_err().code(), "23502");
    assert_eq!(
        insert(&driver, "a", json!({ "id": 2, "c": "A", "p": -1 })).await.unwrap_err().code(),
        "23514"
    );
    assert!(fault(&driver, "drop domain code;").await.contains("other objects depend on it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_made_of_others() {
    let driver = with(
        "create table a (id int primary key, n varchar(5) not null default 'x' check (n <> ''), unique (n));
        insert into a values (1, 'one'), (2, 'two');
        create table b (like a including all); create table c (like a);
        create table if not exists a (other int);
        create table d as select id * 2 as twice, n from a where id > 1;",
    )
    .await;
    assert_eq!(rows(&driver, "d").await, json!([{ "twice": 4, "n": "two" }]));
    insert(&driver, "b", json!({ "id": 1 })).await.unwrap();
    assert_eq!(insert(&driver, "b", json!({ "id": 2, "n": "x" })).await.unwrap_err().code(), "23505");
    assert_eq!(insert(&driver, "c", json!({ "id": 2 })).await.unwrap_err().code(), "23502");
    insert(&driver, "c", json!([{ "id": 2, "n": "" }, { "id": 2, "n": "" }])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn types_change_with_their_rows() {
    let driver = with("create type mood as enum ('sad', 'ok'); create table a (id int primary key, m text, t text, n int);
        insert into a values (1, 'sad', '7', 3);
        alter table a alter column m type mood using m::mood, alter column t type int using t::int + 1;
        alter table a alter column n type text using 'n' || n;
        alter type mood add value if not exists 'glad' before 'ok'; alter type mood rename value 'sad' to 'low';").await;
    assert_eq!(rows(&driver, "a").await, json!([{ "id": 1, "m": "low", "t": 8, "n": "n3" }]));
    let told = fault(&driver, "alter table a alter column n type int;").await;
    assert!(told.contains("cannot be cast automatically"), "{told}");
    let told = fault(&driver, "alter table a alter column n type varchar(1);").await;
    assert!(told.contains("value too long"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_migrations_compute_fits() {
    let driver = with(
        "create type mood as enum ('sad', 'ok');
        create table a (id int primary key, s smallint, v varchar(3), m mood, t text);
        insert into a values (1, 2, 'abc', 'sad', 'nonsense');",
    )
    .await;
    for (sql, code) in [
        ("update a set s = id * 40000;", "smallint out of range"),
        ("update a set v = t;", "value too long for type character varying(3)"),
        ("update a set v = v || 'd';", "value too long"),
        ("update a set m = t::mood;", "invalid input value for enum"),
        ("insert into a (id, v) select 2, t from a;", "value too long"),
        ("insert into a (id, s) select 2, id + 70000 from a;", "smallint out of range"),
    ] {
        let told = fault(&driver, sql).await;
        assert!(told.contains(code), "{sql}: {told}");
    }
    migrate(&driver, "2", "update a set v = 'z' || s, s = s + 1;").await.unwrap();
    assert_eq!(rows(&driver, "a").await[0]["v"], "z2");
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_count_as_told() {
    let driver = with("create sequence invoice_no start 1000 increment 5;
        create table a (id bigint generated by default as identity (start with 100) primary key,
          no bigint not null default nextval('invoice_no'), label text default 'i-' || nextval('invoice_no'));
        create table b (id int generated always as identity (start with 10 increment by 10) primary key, t text);
        create table c (id serial primary key, t text);
        insert into a (label) values ('x'), ('y'); insert into b (t) values ('x'); insert into c (id, t) values (41, 'x');
        select setval('c_id_seq', (select max(id) from c)); alter sequence invoice_no restart with 2000;").await;
    assert_eq!(
        rows(&driver, "a").await,
        json!([
        { "id": 100, "no": 1000, "label": "x" }, { "id": 101, "no": 1005, "label": "y" }])
    );
    insert(&driver, "a", json!({})).await.unwrap();
    assert_eq!(rows(&driver, "a").await[2], json!({ "id": 102, "no": 2000, "label": "i-2005" }));
    insert(&driver, "b", json!([{ "t": "y" }, { "t": "z" }])).await.unwrap();
    assert_eq!(
        rows(&driver, "b").await,
        json!([
        { "id": 10, "t": "x" }, { "id": 20, "t": "y" }, { "id": 30, "t": "z" }])
    );
    insert(&driver, "c", json!({ "t": "y" })).await.unwrap();
    assert_eq!(rows(&driver, "c").await[1]["id"], 42);
    assert!(fault(&driver, "drop sequence invoice_no;").await.contains("other objects depend on it"));
    migrate(&driver, "3", "drop sequence invoice_no cascade;").await.unwrap();
    assert_eq!(insert(&driver, "a", json!({})).await.unwrap_err().code(), "23502");
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_in_advance_have_their_effect() {
    let driver = with("create table before (id int);
        alter default privileges in schema public grant select on tables to anon;
        alter default privileges for role supabase_admin in schema public grant all on tables to anon;
        create table a (id int); grant all on all tables in schema public to authenticated;
        create table later (id int); alter default privileges in schema public revoke select on tables from anon;
        create table last (id int); create schema hidden; create table hidden.t (id int);
        alter table hidden.t enable row level security; create policy p on hidden.t using (true);
        revoke usage on schema hidden from anon;").await;
    let reads = async |role: &str, schema: &str, table: &str| {
        let op = Select::new(TableName::new(schema, table), Query::all());
        driver.select(&Context::role(role), &op).await.is_ok()
    };
    for (role, table, open) in [
        ("anon", "before", false),
        ("anon", "a", true),
        ("anon", "later", true),
        ("anon", "last", false),
        ("authenticated", "before", true),
        ("authenticated", "later", false),
    ] {
        assert_eq!(reads(role, "public", table).await, open, "{role} {table}");
    }
    assert!(!reads("anon", "hidden", "t").await);
    assert!(reads("authenticated", "hidden", "t").await);
    assert_eq!(
        insert(&driver, "a", json!({ "id": 1 })).await.map_err(|error| error.code().to_owned()),
        Ok(())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_act_within_migrations() {
    let driver = with("create table a (id int primary key); create table b (id int primary key, a int references a on delete cascade on update cascade);
        create table c (id int primary key, b int default 0 references b on delete set null);
        create table d (id int primary key, a int references a on delete restrict);
        insert into a values (1), (2), (3); insert into b values (1, 1), (2, 2), (3, 3); insert into c values (1, 1), (2, 2); insert into d values (1, 3);
        delete from a where id = 1; update a set id = 20 where id = 2;").await;
    assert_eq!(rows(&driver, "b").await, json!([{ "id": 2, "a": 20 }, { "id": 3, "a": 3 }]));
    assert_eq!(rows(&driver, "c").await, json!([{ "id": 1, "b": null }, { "id": 2, "b": 2 }]));
    let told = fault(&driver, "delete from a where id = 3;").await;
    assert!(told.contains("violates foreign key constraint \\\"d_a_fkey\\\" on table \\\"d\\\""), "{told}");
    let told = fault(&driver, "truncate a;").await;
    assert!(told.contains("truncate a table referenced"), "{told}");
    migrate(&driver, "2", "truncate a cascade;").await.unwrap();
    assert_eq!(rows(&driver, "c").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_follow_and_dependents_go() {
    let driver = with("create table people (id int primary key, name text); insert into people values (1, 'ann');
        create view names as select p.name as who, people.id from people join people p using (id);
        create table notes (id int primary key, owner int references people);
        alter table notes enable row level security;
        create policy mine on notes using (exists (select 1 from people where people.id = notes.owner and people.name = 'ann'));
        create function tell() returns trigger language plpgsql as $$ begin new.id := new.id + 1; return new; end $$;
        create trigger tell before insert on notes for each row execute function tell();
        grant select on people to authenticated;
        alter table people rename to persons; alter table persons rename column name to called;").await;
    assert_eq!(rows(&driver, "names").await, json!([{ "who": "ann", "id": 1 }]));
    insert(&driver, "notes", json!({ "id": 1, "owner": 1 })).await.unwrap();
    let cx = Context::role("authenticated");
    let page = driver.select(&cx, &Select::new(TableName::public("notes"), Query::all())).await.unwrap();
    assert_eq!(page.body, r#"[{"id":2,"owner":1}]"#);
    for sql in ["drop table persons;", "drop function tell();", "alter table persons drop column called;"] {
        assert!(fault(&driver, sql).await.contains("depend on it"), "{sql}");
    }
    migrate(&driver, "2", "drop table persons cascade; drop function tell cascade;").await.unwrap();
    let op = Select::new(TableName::public("names"), Query::all());
    assert_eq!(driver.select(&Context::system(), &op).await.unwrap_err().code(), "PGRST205");
    insert(&driver, "notes", json!({ "id": 5, "owner": 9 })).await.unwrap();
    assert_eq!(rows(&driver, "notes").await[1]["id"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_triggers_have_variables() {
    let driver =
        with(include_str!("../../../crates/conformance/tests/migrations/trigger_variables.sql")).await;
    assert_eq!(
        rows(&driver, "items").await,
        json!([
        { "id": 1, "kind": "a", "no": 1, "label": "A1", "changed": false },
        { "id": 2, "kind": "a", "no": 2, "label": "A's 2", "changed": false },
        { "id": 3, "kind": "c", "no": 1, "label": "B1", "changed": true }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_triggers_write_and_look() {
    let driver = with(include_str!("../../../crates/conformance/tests/migrations/trigger_writes.sql")).await;
    assert_eq!(
        rows(&driver, "orgs").await,
        json!([{ "id": 7, "name": "ann & co" }, { "id": 8, "name": "bob & co" }])
    );
    assert_eq!(
        rows(&driver, "members").await,
        json!([
        { "org": 7, "who": 1, "role": "founder" }, { "org": 8, "who": 2, "role": "owner" },
        { "org": 8, "who": 2, "role": "guest" }])
    );
    let log = rows(&driver, "log").await;
    let told: Vec<Json> =
        log.as_array().unwrap().iter().map(|row| json!([row["op"], row["was"], row["now"]])).collect();
    assert_eq!(
        Json::from(told),
        json!([
        ["INSERT", null, { "id": 1, "name": "ann" }],
        ["INSERT", null, { "id": 2, "name": "bob" }],
        ["UPDATE", { "id": 2, "name": "bob" }, { "id": 2, "name": "eve" }],
        ["DELETE", { "id": 1, "name": "ann" }, null]])
    );
    insert(&driver, "people", json!([{ "id": 5, "name": "kim" }])).await.unwrap();
    assert_eq!(rows(&driver, "orgs").await[2], json!({ "id": 9, "name": "kim & co" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_and_views_are_altered() {
    let driver = with(
        "create table a (id int); alter table a enable row level security; insert into a values (1);
        create view v as select id from a; grant select on v to anon; grant select on a to anon;
        create function f() returns bigint language sql stable as 'select count(*) from public.a';
        alter function f() set search_path = ''; alter function f() owner to postgres;
        alter function f() security definer;
        alter function f() rename to g; comment on function g() is 'it''s g';
        alter view v set (security_invoker = on); alter view v rename to w;",
    )
    .await;
    let op = Select::new(TableName::public("w"), Query::all());
    assert_eq!(driver.select(&Context::role("anon"), &op).await.unwrap().body, "[]");
    let catalog = driver.describe(&Context::system(), &Describe { fresh: false }).await.unwrap();
    let function = catalog.functions.iter().find(|function| function.name.name == "g").unwrap();
    assert!(function.security_definer);
    assert_eq!(function.comment.as_deref(), Some("it's g"));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_fail_where_their_bodies_say() {
    let driver = with(
        "create table t (a int); create function put(n int) returns void language plpgsql security definer as $$
         begin
           if n is null or n < 0 then raise exception 'not %', n using errcode = 'check_violation'; end if;
           insert into t values (n);
         end $$;",
    )
    .await;
    let call = async |n: Json| {
        let arguments = json!({ "n": n }).to_string();
        let op = Invoke {
            function: TableName::public("put"),
            arguments: Arguments::Json(arguments.into()),
            query: Query::all(),
            read_only: false,
            count: None,
            format: Format::default(),
            transaction: Transaction::default(),
        };
        driver.invoke(&Context::role("anon"), &op).await
    };
    let error = call(json!(-5)).await.unwrap_err();
    assert_eq!((error.code(), error.message()), ("23514", "not -5"));
    assert_eq!(call(json!(null)).await.unwrap_err().message(), "not <NULL>");
    call(json!(3)).await.unwrap();
    assert_eq!(rows(&driver, "t").await, json!([{ "a": 3 }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_definitions_run() {
    let block =
        "do $$ begin create type mood as enum ('ok'); exception when duplicate_object then null; end $$;";
    let driver = with(&format!(
        "{block}\n{block}\ndo $$ begin\n create table a (id int, m mood default 'ok');\n\
        insert into a (id) values (1);\nend; $$;"
    ))
    .await;
    assert_eq!(rows(&driver, "a").await, json!([{ "id": 1, "m": "ok" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_make_what_is_missing() {
    let block = "do $$ begin
          if not exists (select 1 from pg_type where typname = 'plan') then
            create type plan as enum ('free');
          end if;
        end $$;";
    let driver =
        with(&format!("{block} {block} create table a (p plan); insert into a values ('free');")).await;
    assert_eq!(rows(&driver, "a").await, json!([{ "p": "free" }]));
    let found = problems(
        "do $$ begin if not exists (select 1 from a) then create type x as enum ('y'); end if; end $$;",
    )
    .await;
    assert_eq!(found.len(), 1);
    migrate(
        &driver,
        "2",
        "grant select on a to authenticated, public; revoke all on schema public from public, anon;",
    )
    .await
    .unwrap();
    let op = Select::new(TableName::public("a"), Query::all());
    assert!(driver.select(&Context::role("anon"), &op).await.is_err());
    assert!(driver.select(&Context::role("authenticated"), &op).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_elsewhere_is_refused_by_line() {
    let found = problems(
        "create table a (id int primary key, n int, unique (n) deferrable initially deferred);

do $$ declare x int; begin x := 1; end $$;
select cron.schedule('x', '* * * * *', 'select 1');
create sequence s cycle;
create table b (c hstore);
create extension postgis;",
    )
    .await;
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 3, 4, 5, 6, 7], "{found:?}");
    assert!(found[2].1.contains("from a scheduler outside"), "{found:?}");
    assert!(found[4].1.contains("type hstore lives on PostgreSQL only"), "{found:?}");
}
