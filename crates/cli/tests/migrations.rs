//! `truststream migration`.

use serde_json::json;

use crate::support::{ENGINES, Project, only};

const FIRST: &str =
    "create table artists (id bigint generated always as identity primary key, name text not null);
insert into artists (name) values ('Nina'), ('Miles');
";
const SECOND: &str = "-- when they were born\nalter table artists add column born date;\n";

/// A project with two migrations, none of which is applied.
fn project(engine: crate::support::Engine) -> Project {
    let project = Project::new(engine);
    project.migration("20260101000000_artists.sql", FIRST);
    project.migration("20260102000000_born.sql", SECOND);
    project
}

fn standings(project: &Project) -> Vec<(String, String)> {
    let told = project.run(&["migration", "status", "--json"]).done().json();
    let one = |migration: &serde_json::Value| {
        let text = |name: &str| migration[name].as_str().unwrap().to_owned();
        (text("version"), text("status"))
    };
    told["migrations"].as_array().unwrap().iter().map(one).collect()
}

#[track_caller]
fn stands(project: &Project, expected: &[(&str, &str)]) {
    let found = standings(project);
    let found: Vec<_> = found.iter().map(|(version, status)| (version.as_str(), status.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_new_migration_is_named_by_the_time() {
    let project = Project::new(crate::support::Engine::Sqlite);
    let ran = project.run(&["migration", "new", "add_albums"]).done();
    let path = only(&project.path("migrations"), "_add_albums.sql");
    let version =
        path.file_name().unwrap().to_str().unwrap().strip_suffix("_add_albums.sql").unwrap().to_owned();
    assert!(version.len() == 14 && version.bytes().all(|byte| byte.is_ascii_digit()), "{version}");
    assert_eq!(
        ran.out,
        format!(
            "wrote PROJECT/migrations/{version}_add_albums.sql; fill it in, then run `truststream migration up`\n"
        )
    );
    let refused = project.run(&["migration", "new", "../albums"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("use letters, digits, _ and -"), "{}", refused.err);
}

#[test]
fn what_is_pending_is_shown_checked_and_applied() {
    for engine in ENGINES {
        let project = project(engine);
        let status = project.run(&["migration", "status"]).done().out;
        assert_eq!(
            status,
            "  migration                   status\n  20260101000000_artists.sql  pending\n  20260102000000_born.sql     pending\n"
        );
        let dry = project.run(&["migration", "up", "--dry-run"]).done().out;
        assert_eq!(
            dry,
            "pending 20260101000000_artists.sql\npending 20260102000000_born.sql\nnothing applied: a dry run\n"
        );
        let one = project.run(&["migration", "up", "--to", "20260101000000"]).done().out;
        assert_eq!(one, "applied 20260101000000_artists.sql\n1 applied\n");
        stands(&project, &[("20260101000000", "applied"), ("20260102000000", "pending")]);
        let rest = project.run(&["migration", "up", "--json"]).done().json();
        assert_eq!(
            rest,
            json!({ "pending": ["20260102000000_born.sql"], "applied": ["20260102000000_born.sql"] })
        );
        assert_eq!(project.run(&["migration", "up"]).done().out, "nothing to apply\n");
        let unknown = project.run(&["migration", "up", "--to", "7"]);
        assert_eq!((unknown.code, unknown.out.as_str()), (2, ""));
    }
}

#[test]
fn a_migration_that_fails_leaves_nothing_and_names_its_line() {
    for engine in ENGINES {
        let project = project(engine);
        project.migration(
            "20260103000000_wrong.sql",
            "create table kept (id int primary key);\n\ninsert into artists (name) values (null);\n",
        );
        let ran = project.run(&["migration", "up"]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        let place = "PROJECT/migrations/20260103000000_wrong.sql";
        assert!(ran.err.contains(place) && ran.err.contains("line 3"), "{}", ran.err);
        stands(
            &project,
            &[("20260101000000", "applied"), ("20260102000000", "applied"), ("20260103000000", "pending")],
        );
        let types = project.run(&["gen", "types", "--from", "backend"]).done().out;
        assert!(types.contains("artists: {") && !types.contains("kept: {"), "{types}");
    }
}

#[test]
fn what_was_edited_stops_and_says_what_to_do() {
    for engine in ENGINES {
        let project = project(engine);
        project.run(&["migration", "up"]).done();
        let path = project.migration("20260102000000_born.sql", &SECOND.replace('\n', "\r\n"));
        stands(&project, &[("20260101000000", "applied"), ("20260102000000", "applied")]);

        project.migration("20260102000000_born.sql", "alter table artists add column born text;\n");
        project.migration("20260103000000_died.sql", "alter table artists add column died date;\n");
        let ran = project.run(&["migration", "up"]);
        assert_eq!(ran.code, 1);
        let expected = "error: PROJECT/migrations/20260102000000_born.sql:1: was changed after it was applied [BACKEND_003]
  applied: alter table artists add column born date
  now: alter table artists add column born text
hint: put it back as it was and write the change as a new migration; if the database already is as the file says, record that: truststream migration repair --status applied 20260102000000
";
        assert_eq!(ran.err, expected);
        stands(
            &project,
            &[("20260101000000", "applied"), ("20260102000000", "changed"), ("20260103000000", "pending")],
        );

        project.run(&["migration", "repair", "--status", "applied", "20260102000000"]).done();
        project.run(&["migration", "up"]).done();
        std::fs::remove_file(path).unwrap();
        stands(
            &project,
            &[("20260101000000", "applied"), ("20260102000000", "missing"), ("20260103000000", "applied")],
        );
        let gone = project.run(&["migration", "repair", "--status", "reverted", "20260102000000"]).done().out;
        assert_eq!(gone, "20260102000000_born.sql is recorded as reverted\n");
        stands(&project, &[("20260101000000", "applied"), ("20260103000000", "applied")]);
    }
}

#[test]
fn what_is_taken_back_is_derived_or_as_its_file_says() {
    for engine in ENGINES {
        let project = project(engine);
        project.run(&["migration", "up"]).done();
        let shown = project.run(&["migration", "down"]);
        assert_eq!(shown.code, 2);
        assert!(
            shown.out.contains(
                "-- loses the values of public.artists.born\nalter table public.artists drop column born;"
            ),
            "{}",
            shown.out
        );
        stands(&project, &[("20260101000000", "applied"), ("20260102000000", "applied")]);
        let ran = project.run(&["migration", "down", "--yes"]).done().out;
        assert!(ran.ends_with("1 taken back\n"), "{ran}");
        stands(&project, &[("20260101000000", "applied"), ("20260102000000", "pending")]);

        // Applied again, and taken back by a file that keeps what a derived statement would lose.
        project.run(&["migration", "up"]).done();
        project
            .migration("20260102000000_born.down.sql", "alter table artists rename column born to was_born;");
        let ran = project.run(&["migration", "down"]).done().out;
        assert!(ran.starts_with("-- 20260102000000_born.sql, from its .down.sql\n"), "{ran}");
        let types = project.run(&["gen", "types", "--from", "backend"]).done().out;
        assert!(types.contains("was_born: string | null"), "{types}");

        // A statement that leaves rows behind is no part of a schema.
        let all = project.run(&["migration", "down", "--yes", "--json"]);
        assert_eq!(all.code, 0, "{}", all.err);
        stands(&project, &[("20260101000000", "pending"), ("20260102000000", "pending")]);
    }
}

#[test]
fn all_of_it_works_while_a_gateway_runs() {
    for engine in ENGINES {
        let project = project(engine);
        let _serving = project.serve();
        project.run(&["migration", "up"]).done();
        stands(&project, &[("20260101000000", "applied"), ("20260102000000", "applied")]);
        assert_eq!(project.run(&["db", "diff"]).done().err, "no difference\n");
        project.run(&["migration", "down", "--yes"]).done();
        let types = project.run(&["gen", "types"]).done().out;
        assert!(types.contains("name: string") && !types.contains("born"), "{types}");
    }
}
