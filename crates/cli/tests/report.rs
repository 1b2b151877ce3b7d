//! `truststream report portability`.

use serde_json::Value as Json;

use crate::support::{Engine, Project};

const SCHEMA: &str = "create type mood as enum ('calm', 'wild');
create table artists (id bigint primary key, name text not null, mood mood);
alter table artists enable row level security;
create policy everybody on artists for select using (true);
create view names as select name from artists;
alter publication supabase_realtime add table artists;
create function loud(n text) returns void language plpgsql as $$ begin execute 'select ' || n; end $$;
create table tagged (id int primary key, tag hstore);
";

#[test]
fn each_engine_says_what_it_makes_of_the_project() {
    let project = Project::new(Engine::Sqlite);
    project.migration("1_schema.sql", SCHEMA);
    // A remote project, where it is built in, is told as PostgreSQL is.
    let told = project.run(&["report", "portability"]).done().out.replace("postgres, supabase", "postgres");
    let lines: Vec<&str> = told.lines().collect();
    let row = |name: &str| -> Vec<&str> {
        let row =
            lines.iter().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{told}"));
        row.split_whitespace().collect()
    };
    assert_eq!(
        row("engine"),
        ["engine", "tables", "views", "columns", "types", "policies", "functions", "statements"]
    );
    assert_eq!(row("postgres"), ["postgres", "2", "1", "5", "1", "1", "1", "1"]);
    assert!(told.contains("\npostgres: everything runs natively\n"), "{told}");
    // What is kept in files and what is in memory only is one engine.
    assert!(told.contains("\nsqlite, memory\n"), "{told}");
    for expected in [
        "! public.loud(text) (PROJECT/migrations/1_schema.sql:7): ",
        "! public.tagged.tag (PROJECT/migrations/1_schema.sql:8): column \"tag\": type hstore lives on PostgreSQL only",
        "~ 1 policy: planned into every statement",
        "~ 1 statement: not kept: realtime follows every table",
    ] {
        assert!(told.contains(expected), "{expected} in\n{told}");
    }
    assert!(told.contains("no gateway runs for this project"), "{told}");
}

#[test]
fn one_engine_is_told_in_full() {
    let project = Project::new(Engine::Sqlite);
    project.migration("1_schema.sql", SCHEMA);
    let told = project.run(&["report", "portability", "--to", "sqlite"]).done().out;
    assert!(
        told.contains("~ \"everybody\" on public.artists (PROJECT/migrations/1_schema.sql:4): planned"),
        "{told}"
    );
    assert!(!told.contains("postgres"), "{told}");
    let told = project.run(&["report", "portability", "--to", "sqlite", "--json"]).done().json();
    let finding = |name: &str| -> Json {
        let all = told["engines"][0]["findings"].as_array().unwrap();
        all.iter().find(|finding| finding["name"] == name).unwrap_or_else(|| panic!("{told}")).clone()
    };
    assert_eq!(
        (&finding("public.loud(text)")["hosting"], &finding("public.loud(text)")["place"]["line"]),
        (&"impossible".into(), &7.into())
    );
    assert_eq!(finding("public.artists.mood")["hosting"], "emulated");
    let unknown = project.run(&["report", "portability", "--to", "oracle"]);
    assert!(
        unknown.code == 2 && unknown.err.contains("there are sqlite, postgres, memory"),
        "{}",
        unknown.err
    );
}

#[test]
fn output_that_nobody_reads_to_its_end_is_no_failure() {
    let project = Project::new(Engine::Sqlite);
    let ran = project.unread(&["config", "check"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}
