//! `truststream db import` and `db export`.

use std::fs;

use crate::support::{ENGINES, Engine, Project};

const SCHEMA: &str =
    "create table people (id bigint primary key, name text not null, born date, score numeric);";

fn project(engine: crate::support::Engine) -> Project {
    let project = Project::new(engine);
    project.migration("1_people.sql", SCHEMA);
    project.run(&["migration", "up"]).done();
    project
}

/// Rows with everything that a format can lose: quotes, lines, empty and null, digits. Null is `NULL`, as
/// PostgREST has it.
const ROWS: &str = "id,name,born,score
1,\"a \"\"quoted\"\", name\",2000-02-29,12345678901234567890.10
2,\"two
lines\",NULL,NULL
3,,1970-01-01,-0.5
";

#[test]
fn rows_come_out_as_they_went_in() {
    for engine in ENGINES {
        let project = project(engine);
        let file = project.write("people.csv", ROWS);
        let read = project.run(&["db", "import", "people", file.to_str().unwrap()]).done();
        assert_eq!(read.out, "3 rows read, 3 written\n");
        let out = project.path("out.csv");
        let written =
            project.run(&["db", "export", "people", out.to_str().unwrap(), "--query", "order=id"]).done();
        assert_eq!((written.out.as_str(), written.err.as_str()), ("", "3 rows written\n"));
        assert_eq!(fs::read_to_string(&out).unwrap().replace("\r\n", "\n"), ROWS, "{engine:?}");

        // The same rows by the other format, into another table of the same shape.
        let lines = project.path("people.ndjson");
        project.run(&["db", "export", "people", lines.to_str().unwrap(), "--query", "order=id"]).done();
        assert_eq!(fs::read_to_string(&lines).unwrap().lines().count(), 3);
        project.migration("2_again.sql", &SCHEMA.replace("people", "again"));
        project.run(&["migration", "up"]).done();
        let again = project.run(&["db", "import", "again", lines.to_str().unwrap(), "--json"]).done().json();
        assert_eq!(again, serde_json::json!({ "read": 3, "written": 3 }));
        let told = project.run(&["db", "export", "again", "--query", "order=id"]).done();
        assert_eq!(told.out.replace("\r\n", "\n"), ROWS, "{engine:?}");
        let some = project
            .run(&["db", "export", "again", "--query", "select=name&id=eq.3", "--format", "ndjson"])
            .done();
        assert_eq!(some.out, "{\"name\":\"\"}\n");
    }
}

#[test]
fn a_row_that_is_wrong_is_named_and_may_take_all_with_it() {
    for engine in ENGINES {
        let project = project(engine);
        let file = project.write("wrong.csv", "id,name,born\n1,one,2000-01-01\n2,two,soon\n");
        let atomic = project.run(&["db", "import", "people", file.to_str().unwrap(), "--atomic"]);
        assert_eq!(atomic.code, 1);
        assert!(atomic.err.contains("line 3"), "{}", atomic.err);
        assert_eq!(project.run(&["db", "export", "people", "--query", "select=id"]).done().out, "");

        let file = project.write("people.csv", "id,name\n1,one\n");
        let file = file.to_str().unwrap();
        project.run(&["db", "import", "people", file]).done();
        assert_eq!(project.run(&["db", "import", "people", file]).code, 1);
        let kept = project.run(&["db", "import", "people", file, "--existing", "keep"]).done().out;
        assert_eq!(kept, "1 rows read, 0 written\n");
    }
}

/// What a terminal is shown, and what a file gets.
#[test]
fn an_import_shows_how_far_it_is_on_a_terminal_only() {
    let project = project(Engine::Sqlite);
    let mut rows = "id,name\n".to_owned();
    (0..5_000).for_each(|id| rows.push_str(&format!("{id},name of {id}\n")));
    let file = project.write("people.csv", &rows);
    let watched = project.on_terminal(&["db", "import", "people", file.to_str().unwrap()]);
    assert!(watched.contains("5,000 rows read, 5,000 written"), "{watched}");
    assert!(watched.contains('\u{2501}') && watched.contains("rows read, "), "no bar: {watched}");
    let plain =
        project.run(&["db", "import", "people", file.to_str().unwrap(), "--existing", "replace"]).done();
    assert_eq!(plain.out, "5,000 rows read, 5,000 written\n");
    assert!(!plain.err.contains('\u{1b}') && !plain.err.contains('\u{2501}'), "{}", plain.err);
}

#[test]
fn an_export_that_fails_leaves_the_file_as_it_was() {
    let project = project(Engine::Sqlite);
    let rows = project.write("rows.ndjson", "{\"id\":1,\"name\":\"one\"}\n{\"id\":2,\"name\":\"NULL\"}\n");
    project.run(&["db", "import", "people", rows.to_str().unwrap()]).done();
    let file = project.write("people.csv", "as it was\n");
    for table in ["nobody", "people"] {
        let failed = project.run(&["db", "export", table, file.to_str().unwrap()]);
        assert_eq!((failed.code, fs::read_to_string(&file).unwrap().as_str()), (1, "as it was\n"));
        assert!(!project.path("people.csv.part").exists());
    }
    project.run(&["db", "export", "people", file.to_str().unwrap(), "--query", "id=eq.1"]).done();
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
    assert!(!project.path("people.csv.part").exists());
}

#[test]
fn an_export_that_nobody_reads_ends_quietly() {
    let project = project(Engine::Sqlite);
    let rows = project.write("rows.ndjson", "{\"id\":1,\"name\":\"one\"}\n");
    project.run(&["db", "import", "people", rows.to_str().unwrap()]).done();
    for format in ["csv", "ndjson"] {
        let unread = project.unread(&["db", "export", "people", "--format", format]);
        assert_eq!((unread.code, unread.err.as_str()), (0, ""));
    }
}
