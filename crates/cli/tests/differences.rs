//! `truststream db diff` and `db pull`.

use std::fs;

use crate::support::{ENGINES, Engine, Project, only};

const SCHEMA: &str = "create type mood as enum ('calm', 'wild');
create type size as (width integer, mood mood);
create table boxes (id int primary key, size size);
create table artists (id bigint generated always as identity primary key, name text not null unique, mood mood default 'calm');
create table albums (id uuid primary key default gen_random_uuid(), artist_id bigint references artists on delete cascade, price numeric(10, 2) check (price >= 0));
create index albums_price on albums (price) where price > 1;
alter table albums enable row level security;
create policy cheap on albums for select to anon using (price < 10);
create view cheap_albums with (security_invoker = true) as select id, price from albums where price < 10;
grant select on artists to anon;
comment on table artists is 'who sings';
";

/// Records what `db pull` wrote as applied.
fn record(project: &Project) {
    let path = only(&project.path("migrations"), "_initial.sql");
    let version = path.file_name().unwrap().to_str().unwrap().split('_').next().unwrap().to_owned();
    project.run(&["migration", "repair", "--status", "applied", &version]).done();
}

#[test]
fn what_migrations_don_t_say_is_shown_and_written() {
    for engine in ENGINES {
        let project = Project::new(engine);
        project.migration("1_schema.sql", SCHEMA);
        project.run(&["migration", "up"]).done();
        let same = project.run(&["db", "diff", "--exit-code"]).done();
        assert_eq!((same.out.as_str(), same.err.as_str()), ("", "no difference\n"));

        // As if somebody had worked past the migrations.
        let path = project.migration("2_by_hand.sql", "alter table artists add column born date; drop view cheap_albums; alter table artists drop column mood;");
        project.run(&["migration", "up"]).done();
        fs::remove_file(path).unwrap();
        let found = project.run(&["db", "diff", "--exit-code"]);
        assert_eq!(found.code, 1, "{}", found.err);
        assert!(found.err.contains("statements lie between files and the database"), "{}", found.err);
        for expected in [
            "drop view public.cheap_albums;",
            "-- DESTRUCTIVE: loses the values of public.artists.mood\nalter table public.artists drop column mood;",
            "alter table public.artists add column born date;",
        ] {
            assert!(found.out.contains(expected), "{}", found.out);
        }
        let told = project.run(&["db", "diff", "--json"]).done().json();
        let destroyed: Vec<_> =
            told["changes"].as_array().unwrap().iter().filter_map(|one| one["destroys"].as_str()).collect();
        assert!(destroyed.contains(&"the values of public.artists.mood"), "{told}");

        project.run(&["migration", "repair", "--status", "reverted", "2"]).done();
        let written = project.run(&["db", "diff", "-f", "taken_over"]).done().out;
        assert!(
            written.starts_with("wrote PROJECT/migrations/")
                && written.ends_with("read it before it is applied\n"),
            "{written}"
        );
        let file = only(&project.path("migrations"), "_taken_over.sql");
        let version = file.file_name().unwrap().to_str().unwrap().split('_').next().unwrap().to_owned();
        project.run(&["migration", "repair", "--status", "applied", &version]).done();
        assert_eq!(project.run(&["db", "diff", "--exit-code"]).done().out, "");
    }
}

#[test]
fn two_backends_are_compared() {
    for engine in ENGINES {
        let project = Project::new(engine);
        project.backend("next");
        project.migration("1_schema.sql", SCHEMA);
        project.run(&["migration", "up"]).done();
        let found = project.run(&["db", "diff", "--from", "next", "--to", "main"]).done().out;
        assert!(found.contains("create table public.artists ("), "{found}");
        let unknown = project.run(&["db", "diff", "--from", "nobody"]);
        assert!(unknown.code != 0 && unknown.err.contains("nobody"), "{}", unknown.err);
    }
}

/// What is written of a database makes the same of an empty one.
#[track_caller]
fn goes_round(project: &Project) -> String {
    project.run(&["db", "pull", "initial"]).done();
    record(project);
    let same = project.run(&["db", "diff", "--exit-code"]).done();
    assert_eq!(same.out, "");

    let path = only(&project.path("migrations"), "_initial.sql");
    let text = fs::read_to_string(&path).unwrap();
    let next = Project::new(project.engine);
    next.migration(path.file_name().unwrap().to_str().unwrap(), &text);
    next.run(&["migration", "up"]).done();
    let same = next.run(&["db", "diff", "--exit-code"]).done();
    assert_eq!(same.out, "");
    next.also("old", project);
    let same = next.run(&["db", "diff", "--exit-code", "--from", "old", "--to", "main"]).done();
    assert_eq!(same.out, "");
    text
}

#[test]
fn an_existing_schema_goes_round() {
    for engine in ENGINES {
        let project = Project::new(engine);
        let path = project.migration("1_schema.sql", SCHEMA);
        project.run(&["migration", "up"]).done();
        project.run(&["migration", "repair", "--status", "reverted", "1"]).done();
        fs::remove_file(path).unwrap();
        let text = goes_round(&project);
        assert!(text.contains("create table public.albums (") && text.contains("'who sings'"), "{text}");
        assert!(text.contains("create type public.size as (\n  width integer,"), "{text}");
        let again = project.run(&["db", "pull"]);
        assert!(again.code == 2 && again.err.contains("truststream db diff -f NAME"), "{}", again.err);
    }
}

#[test]
fn what_others_made_in_postgres_goes_round() {
    let project = Project::new(Engine::Postgres);
    project.sql("do $$ begin create role reader; exception when duplicate_object then null; end $$");
    project.sql(include_str!("existing.sql"));
    let dry = project.run(&["db", "pull", "--dry-run"]).done();
    assert!(dry.out.contains("create type public.pair as (") && !project.path("migrations").exists());
    assert_eq!(
        dry.err,
        "note: public.longest(text): an aggregate: left out\nnote: public.parts is a partitioned table: left out\n"
    );
    let text = goes_round(&project);
    for expected in [
        "create collation public.nd (",
        "grant select (a, e) on public.wide to reader;",
        "constraint wide_key PRIMARY KEY (a)",
        "EXCLUDE USING gist (c WITH &&);",
        "alter default privileges in schema public grant select on tables to reader;",
        "alter publication pub add table public.wide;",
        "create materialized view public.sums as",
        "create sequence public.few as smallint",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}

#[test]
fn a_database_of_supabase_s_platform_goes_round() {
    let project = Project::new(Engine::Postgres);
    // The roles are the server's; the rest is the platform's.
    Project::new(Engine::Postgres).run(&["migration", "status"]).done();
    project.sql(include_str!("platform.sql"));
    project.sql(include_str!("../../conformance/src/database/dumped.sql"));
    project.sql("create table public.later (id int primary key); alter publication supabase_realtime add table public.later");
    let text = goes_round(&project);
    for expected in [
        "grant delete, insert, references, select, trigger, truncate, update on public.later to anon;",
        "alter publication supabase_realtime add table public.later;",
        "create policy \"own avatar\" on storage.objects",
        "create trigger on_sign_up AFTER INSERT ON auth.users",
    ] {
        assert!(text.to_lowercase().contains(&expected.to_lowercase()), "{expected} in\n{text}");
    }
    assert!(!text.contains("create table auth.users") && !text.contains("pg_graphql"), "{text}");
}

#[test]
fn a_dump_of_a_supabase_project_goes_round() {
    let project = Project::new(Engine::Postgres);
    // What a project on Supabase has before its own.
    project.run(&["migration", "status"]).done();
    project.sql(include_str!("../../conformance/src/database/dumped.sql"));
    let text = goes_round(&project);
    assert!(text.contains("constraint one_slug UNIQUE (slug)"), "{text}");
}

/// A database that another program made in SQLite's own ways: names of types that mean nothing to it, none
/// at all, rows without a key, dates as text and as numbers.
#[test]
fn what_others_made_in_sqlite_is_proposed() {
    let project = Project::new(Engine::Sqlite);
    let file = project.write(".truststream/data.db", "");
    rusqlite::Connection::open(&file).unwrap().execute_batch(include_str!("foreign.sql")).unwrap();
    let shown = project.run(&["db", "pull", "--dry-run"]).done();
    for expected in [
        "id bigint generated by default as identity",
        "born date",
        "joined timestamp without time zone default current_timestamp",
        "met text",
        "vip boolean default false",
        "balance numeric",
        "bare text",
        "number bigint",
        "measure double precision",
        "photo bytea",
        "tags jsonb",
        "primary key (order_no, line)",
        "foreign key (customer) references public.customers (id) on delete cascade",
    ] {
        assert!(shown.out.contains(expected), "{expected}: {}", shown.out);
    }
    assert!(!shown.out.contains("words_"), "{}", shown.out);
    for expected in [
        "note: customers.met: declared date, but holds integer and text values: proposed as text\n",
        "note: customers.mixed: declared without a type, but holds integer and text values: proposed as text\n",
        "note: index sqlite_autoindex_customers_1 of customers: compares without case in SQLite, and won't here\n",
        "note: loose: it has no primary key; a switch can't follow its rows without one\n",
        "note: orders.total: left out: its expression is SQLite's; write it anew\n",
        "note: orders: checks are left out: write them anew if they hold in PostgreSQL's words\n",
        "note: trigger stamp: left out: it is SQLite's; write it anew\n",
        "note: view large: left out: its query is SQLite's; write it anew\n",
        "note: virtual table words: left out: it is SQLite's; write it anew\n",
    ] {
        assert!(shown.err.contains(expected), "{expected}: {}", shown.err);
    }
    // What is proposed is a schema, and takes the rows.
    let pulled = project.run(&["db", "pull", "initial"]).done();
    assert!(
        pulled.out.contains("apply it to a new backend") && !pulled.out.contains("repair"),
        "{}",
        pulled.out
    );
    let path = only(&project.path("migrations"), "_initial.sql");
    let next = Project::new(Engine::Sqlite);
    next.migration("1_initial.sql", &fs::read_to_string(path).unwrap());
    next.run(&["migration", "up"]).done();
    let rows = "id,name,email,born,met,vip,balance,number,measure\n1,Ada,ada@x,1815-12-10,-5000000,true,12.5,42,1.5\n";
    let rows = next.write("customers.csv", rows);
    next.run(&["db", "import", "customers", rows.to_str().unwrap()]).done();
}
