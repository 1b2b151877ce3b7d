//! The operator's API: what the commands ask a running gateway.

use serde_json::{Value as Json, json};

use crate::support::{ENGINES, Engine, Project, Serving, ask};

/// The admin API of a gateway.
struct Admin {
    host: String,
    token: String,
}

impl Admin {
    fn of(serving: &Serving) -> Admin {
        let told = serving.told();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        Admin { host: text("url").trim_start_matches("http://").to_owned(), token: text("admin_token") }
    }

    /// Status and body of an answer.
    fn send(&self, line: &str, headers: &str, body: &str) -> (u16, Json) {
        ask(&self.host, line, headers, body.as_bytes())
    }

    fn ask(&self, line: &str, body: &Json) -> (u16, Json) {
        let headers = format!("host: {}\r\nauthorization: Bearer {}\r\n", self.host, self.token);
        self.send(line, &headers, &body.to_string())
    }

    #[track_caller]
    fn schema(&self, operation: &str, body: Json) -> Json {
        let (status, answer) = self.ask(&format!("POST /admin/v1/schema/{operation}"), &body);
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    }
}

#[test]
fn only_its_operator_on_this_machine_is_answered() {
    let project = Project::new(Engine::Sqlite);
    let serving = project.serve();
    let admin = Admin::of(&serving);
    let own = format!("host: {}\r\n", admin.host);
    let token = format!("authorization: Bearer {}\r\n", admin.token);
    for path in ["/admin/v1/catalog", "/admin/v1/queries", "/admin/v1/schema/migrations"] {
        let line = format!("{} {path}", if path.contains("schema") { "POST" } else { "GET" });
        for (headers, expected) in [
            (own.clone(), 401),
            (format!("{own}authorization: Bearer {}\r\n", "0".repeat(64)), 401),
            (format!("host: evil.example\r\n{token}"), 403),
            (format!("{own}{token}"), 200),
        ] {
            assert_eq!(admin.send(&line, &headers, "{}").0, expected, "{line} {headers}");
        }
    }
}

#[test]
fn schemas_are_changed_and_told() {
    for engine in ENGINES {
        let project = Project::new(engine);
        let serving = project.serve();
        let admin = Admin::of(&serving);
        let migration = json!({ "name": "1_t.sql", "sql": "create table t (id int primary key)" });
        let dry = json!({ "name": "1_t.sql", "sql": migration["sql"], "dry_run": true });
        let names = || {
            let known = admin.schema("migrations", json!({}));
            let known: Vec<String> = known
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["name"].as_str().unwrap().to_owned())
                .collect();
            known.into_iter().filter(|name| name.ends_with(".sql")).collect::<Vec<_>>()
        };
        assert_eq!(admin.schema("migrate", dry.clone()), "applied");
        assert_eq!(names(), Vec::<String>::new());
        let wet = json!({ "name": "1_t.sql", "sql": migration["sql"], "dry_run": false });
        assert_eq!(admin.schema("migrate", wet.clone()), "applied");
        assert_eq!(admin.schema("migrate", wet), "unchanged");
        assert_eq!(names(), ["1_t.sql"]);
        let tables = |catalog: &Json| -> Vec<String> {
            let tables = catalog["tables"].as_array().unwrap().iter().map(|entry| &entry[0]);
            tables
                .filter(|name| name["schema"] == "public")
                .map(|name| name["name"].as_str().unwrap().to_owned())
                .collect()
        };
        let (status, catalog) = admin.ask("GET /admin/v1/catalog", &Json::Null);
        assert_eq!((status, tables(&catalog)), (200, vec!["t".to_owned()]));
        assert_eq!(tables(&admin.schema("introspect", json!({}))["catalog"]), ["t"]);
        let other = json!({ "migrations": [{ "name": "1.sql", "sql": "create table u (id int)" }] });
        assert_eq!(tables(&admin.schema("rehearse", other)["catalog"]), ["u"]);
        let revert = json!({ "name": "1_t.sql", "sql": "drop table t", "dry_run": false });
        admin.schema("revert", revert);
        assert_eq!(names(), Vec::<String>::new());
        admin.schema("adopt", migration);
        assert_eq!(names(), ["1_t.sql"]);
    }
}

#[test]
fn what_is_wrong_is_told_in_words() {
    let project = Project::new(Engine::Sqlite);
    let serving = project.serve();
    let admin = Admin::of(&serving);
    let review = json!({ "migrations": [{ "name": "1.sql", "sql": "create table a (id int);\ncreate table t (c hstore);" }] });
    let problems = admin.schema("review", review);
    assert_eq!((&problems[0]["line"], problems.as_array().unwrap().len()), (&json!(2), 1));
    assert!(
        problems[0]["reason"].as_str().unwrap().contains("type hstore lives on PostgreSQL only"),
        "{problems}"
    );
    let empty = json!({});
    for (line, body, status, word) in [
        ("POST /admin/v1/schema/destroy", &empty, 404, "destroy"),
        ("POST /admin/v1/schema/migrate", &empty, 400, "name"),
        ("POST /admin/v1/schema/migrations?backend=nobody", &empty, 404, "nobody"),
        ("GET /admin/v1/catalog?backend=nobody", &Json::Null, 404, "nobody"),
        ("GET /admin/v1/catalog?backnd=main", &Json::Null, 400, ""),
    ] {
        let (found, answer) = admin.ask(line, body);
        assert_eq!(found, status, "{line}: {answer}");
        assert!(answer.to_string().contains(word), "{line}: {answer}");
    }
}

#[test]
fn queries_are_remembered_by_their_shape_alone() {
    for engine in ENGINES {
        let project = Project::new(engine);
        project.migration(
            "1_t.sql",
            "create table t (id int primary key, title text); grant select on t to anon;",
        );
        project.run(&["migration", "up"]).done();
        let serving = project.serve();
        let admin = Admin::of(&serving);
        let own = format!("host: {}\r\n", admin.host);
        for secret in ["one-secret", "another-secret"] {
            let line = format!("GET /rest/v1/t?select=mine:title&title=ilike.*{secret}*&limit=3");
            assert_eq!(admin.send(&line, &own, "").0, 200);
        }
        let (status, told) = admin.ask("GET /admin/v1/queries", &Json::Null);
        assert_eq!(status, 200);
        let of_t = |query: &&Json| query["shape"].as_str().unwrap().starts_with("select public.t:");
        let queries: Vec<&Json> = told["queries"].as_array().unwrap().iter().filter(of_t).collect();
        assert_eq!(queries.len(), 1, "{told}");
        assert_eq!(
            (&queries[0]["shape"], &queries[0]["count"]),
            (&json!("select public.t: title where title.ilike limit"), &json!(2))
        );
        assert!(!told.to_string().contains("secret") && !told.to_string().contains("mine"), "{told}");
        let report = project.run(&["report", "portability"]).done().out;
        assert!(report.contains("queries") && !report.contains("no queries were observed"), "{report}");
    }
}
