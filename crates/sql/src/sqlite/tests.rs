//! The example application's migrations, and rows of migrations run on SQLite.

use truststream_services::database::AppliedMigration;

use super::*;
use crate::schema;

const STATE: &str = "
    create schema auth; create table auth.users (id uuid primary key);
    create schema storage;
    create table storage.buckets (id text primary key, name text not null unique, public boolean not null default false,
      file_size_limit bigint, allowed_mime_types text[]);
    create table storage.objects (id uuid primary key, bucket_id text references storage.buckets (id), name text,
      owner_id text, path_tokens text[]);
    create function storage.operation() returns text language sql as $$ select 'list' $$;
    create function storage.allow_any_operation(expected_operations text[]) returns boolean
      language sql as $$ select storage.operation() = any(expected_operations) $$;
    create function storage.allow_only_operation(expected_operation text) returns boolean
      language sql as $$ select storage.operation() = expected_operation $$;";

fn review_of(files: &[(&str, &str)]) -> Vec<(String, usize, String)> {
    let migrations: Vec<_> = files
        .iter()
        .map(|(name, sql)| AppliedMigration { name: (*name).into(), sql: (*sql).into() })
        .collect();
    let problems = review(&Default::default(), &migrations);
    problems.into_iter().map(|found| (found.migration, found.line, found.reason)).collect()
}

#[test]
fn the_example_application_can_be_held() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/app/supabase");
    let mut files: Vec<_> = std::fs::read_dir(format!("{folder}/migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.push(format!("{folder}/seed.sql").into());
    let texts: Vec<_> = files
        .iter()
        .map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()))
        .collect();
    let mut scripts = vec![("state", STATE)];
    scripts.extend(texts.iter().map(|(name, sql)| (name.as_str(), sql.as_str())));
    assert_eq!(review_of(&scripts), []);
}

#[test]
fn the_suite_can_be_held() {
    let sql = include_str!("../../../conformance/src/database/schema.sql");
    assert_eq!(review_of(&[("state", STATE), ("schema.sql", sql)]), []);
}

#[test]
fn what_cannot_be_held_is_named_with_its_line() {
    let sql = "create table a (id int primary key,\n  spot point);\n\ncreate function f() returns int language plpython as 'return 1';
create policy p on a using (is_member(id));\ncreate trigger t before insert on a for each row execute function f();\ninsert into nowhere values (1);\ninsert into a (id) select generate_series(1, 9);";
    let found = review_of(&[("1.sql", sql)]);
    let expected = [
        (1, "column \"spot\": type point lives on PostgreSQL only"),
        (4, "functions in plpython run on PostgreSQL only: public.f"),
        (5, "this function runs on PostgreSQL only: is_member(id)"),
        (6, "trigger t: a function in plpython runs on PostgreSQL only"),
        (8, "this function runs on PostgreSQL only: generate_series(1, 9)"),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(line, reason)| ("1.sql".to_owned(), *line, (*reason).to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn rights_that_cannot_be_kept_are_refused() {
    let sql = "create table t (id int primary key, at timestamptz);
        create function invoked() returns bigint language sql as 'select count(*) from t';
        create function owned() returns bigint language sql security definer as 'select count(*) from t';
        create function who() returns text language sql security definer as 'select current_user';
        create view asks as select invoked();
        create view tells as select owned();
        create view theirs with (security_invoker = on) as select invoked() as n from t;
        create view nested as select n from theirs;
        create function audit() returns trigger language plpgsql as 'begin insert into t values (1); return new; end';
        create trigger audit after insert on t for each row execute function audit();
        create function looping() returns trigger language plpgsql as 'begin
          loop null; end loop; end';
        create trigger looping before insert on t for each row execute function looping();";
    let found: Vec<(usize, String)> =
        review_of(&[("1.sql", sql)]).into_iter().map(|(_, line, reason)| (line, reason)).collect();
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [4, 5, 8, 10, 13], "{found:?}");
    assert!(found[1].1.contains("declare the function \"security definer\""), "{found:?}");
    assert!(found[3].1.contains("must be \"security definer\""), "{found:?}");
    assert!(found[4].1.contains("line 2 of function public.looping: \"loop\""), "{found:?}");
}

#[test]
fn rows_take_the_forms_of_their_columns() {
    let mut catalog = Default::default();
    let sql = "create table a (id serial primary key, at timestamptz default now(), ok bool, price numeric, tags text[]);
        insert into a (at, ok, price, tags) values ('2024-01-01', true, 1.50, array['x', 'y']), (default, 'no', 2, '{z}');
        insert into a (id, ok) values (1, true) on conflict (id) do update set ok = excluded.ok where a.price > 1;
        insert into a (ok, price) select ok, 3 from a b where b.id < 2 on conflict do nothing;
        update a set price = price + 1, tags = default where ok and id in (select id from a);
        delete from a x where x.price > 2.5; truncate a;";
    let conn = rusqlite::Connection::open_in_memory().unwrap();
    conn.execute_batch(
        "create table a (id integer primary key, at integer, ok integer, price text, tags text) strict",
    )
    .unwrap();
    conn.create_collation("DECIMAL", truststream_kernel::value::decimal::compare).unwrap();
    let flags = rusqlite::functions::FunctionFlags::SQLITE_UTF8;
    conn.create_scalar_function("ts_now", 0, flags, |_| Ok(1_i64)).unwrap();
    conn.create_scalar_function("ts_cast", 3, flags, |call| call.get::<rusqlite::types::Value>(0)).unwrap();
    conn.create_scalar_function("ts_math", 3, flags, |_| Ok("4")).unwrap();
    let mut seen = Vec::new();
    for statement in schema::parse(sql).unwrap() {
        schema::apply(&mut catalog, &statement).unwrap();
        if statement.kind == schema::Kind::Data {
            for sql in data(&catalog, &statement).unwrap() {
                conn.execute_batch(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            let show = "select group_concat(id || ':' || at || ':' || ok || ':' || price || ':' || coalesce(tags, '-'), ' ') from a";
            seen.push(conn.query_row(show, [], |row| row.get::<_, Option<String>>(0)).unwrap());
        }
    }
    let first = "1:1704067200000000:1:1.50:[\"x\",\"y\"] 2:1:0:2:[\"z\"]";
    assert_eq!(seen[0].as_deref(), Some(first));
    assert_eq!(seen[1].as_deref(), Some(first));
    assert_eq!(seen.last().unwrap().as_deref(), None);
}

#[test]
fn programs_are_hosted_unless_their_text_is_made_while_they_run() {
    for programs in [
        include_str!("../../../conformance/src/database/programs.sql"),
        include_str!("../../../conformance/src/database/handlers.sql"),
    ] {
        assert_eq!(review_of(&[("state", STATE), ("1.sql", programs)]), []);
    }
    let found = review_of(&[(
        "1.sql",
        "create function f(t text) returns int language plpgsql as $$ begin\n  for i in 1..2 loop
           execute 'select ' || t;\n end loop; return 1; end $$",
    )]);
    assert_eq!(found.len(), 1);
    let reason = "line 3: \"execute\" of a text that is put together while it runs";
    assert!(found[0].2.contains(reason), "{found:?}");
}

#[test]
fn parts_of_with_that_might_see_what_others_write_are_refused() {
    let tables = "create table a (id int primary key, n int);
        create table b (id int primary key references a (id) on delete cascade);
        create table c (id int primary key); alter table c enable row level security;
        create function knows(a int) returns bool language sql as 'select exists (select 1 from a)';
        create policy p on c using (knows(id));
        create table log (id int primary key, n int); create table log_of_log (id int);
        create function note() returns trigger language plpgsql security definer as
          'begin insert into log_of_log values (new.id); return new; end';
        create trigger note after insert on log for each row execute function note();";
    let refused = |rights: &str, body: &str| {
        let function = format!("create function f() returns void language sql {rights} as $$ {body} $$");
        let sql = format!("{tables}\n{function}");
        review_of(&[("state", STATE), ("1.sql", &sql)]).pop().map(|(.., reason)| reason)
    };
    assert_eq!(refused("", "with x as (delete from a returning n) insert into log select n from x"), None);
    for (body, seen) in [
        ("with x as (insert into a values (1, 1) returning id) select x.id from x, a", "public.a"),
        ("with x as (insert into a values (1, 1)), y as (update a set n = 2) select 1", "public.a"),
        ("with x as (delete from a returning id) select count(*) from b", "public.b"),
        ("with x as (insert into log values (1, 1)) select count(*) from log_of_log", "public.log_of_log"),
    ] {
        let reason = refused("security definer", body).unwrap_or_default();
        let wanted = format!("\"with\" that writes to {seen}, which another part reads or writes");
        assert!(reason.contains(&wanted), "{body}: {reason}");
    }
    let body = "with x as (insert into a values (1, 1) returning id) insert into c select id from x";
    assert_eq!(refused("security definer", body), None);
    let reason = refused("", body).unwrap_or_default();
    assert!(reason.contains("what policies of public.c ask; declare it security definer"), "{reason}");
    let reason = refused("", "with recursive x as (delete from a returning id) select 1").unwrap_or_default();
    assert!(reason.contains("a recursive \"with\" that writes"), "{reason}");
}
