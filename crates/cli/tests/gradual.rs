//! `truststream switch` where parts are moved by hand: from SQLite to PostgreSQL, with the gateway killed
//! on the way.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::support::{Engine, Project, Ran, Serving, ask_as_service};

const SCHEMA: &str = "create table notes (id bigint primary key, value bigint not null);
create table orders (id bigint primary key, value bigint not null);
create table stock (id bigint primary key, value bigint not null);
grant all on notes to service_role;
grant all on orders to service_role;
grant all on stock to service_role;
";

const TABLES: [&str; 3] = ["notes", "orders", "stock"];

const PATIENCE: Duration = Duration::from_secs(180);

/// A gateway of a project that moves from SQLite to PostgreSQL, and what was written through it.
struct Shop {
    project: Project,
    far: Project,
    gateway: Option<(Serving, Json)>,
    next: i64,
}

impl Shop {
    fn new() -> Self {
        let (project, far) = (Project::new(Engine::Sqlite), Project::new(Engine::Postgres));
        project.also("cloud", &far);
        project.migration("20260101000000_shop.sql", SCHEMA);
        let gateway = Some(project.develop());
        Shop { project, far, gateway, next: 1 }
    }

    /// Ends the gateway without a warning and starts it again.
    fn is_killed(&mut self) {
        self.gateway = None;
        self.gateway = Some(self.project.develop());
    }

    fn send(&self, line: &str, body: &Json) -> (u16, Json) {
        let (_, told) = self.gateway.as_ref().unwrap();
        ask_as_service(told, line, body)
    }

    /// A new row of each table, wherever it is served.
    fn write(&mut self) {
        for table in TABLES {
            let row = json!({ "id": self.next, "value": self.next });
            let (status, answer) = self.send(&format!("POST /rest/v1/{table}"), &row);
            assert_eq!(status, 201, "{table}: {answer}");
        }
        self.next += 1;
        self.reads_all();
    }

    /// Everything that was written is there, once.
    fn reads_all(&self) {
        let wanted: Vec<Json> = (1..self.next).map(|id| json!({ "id": id, "value": id })).collect();
        for table in TABLES {
            let (status, rows) = self.send(&format!("GET /rest/v1/{table}?order=id"), &Json::Null);
            assert_eq!((status, rows), (200, json!(wanted)), "{table}");
        }
    }

    fn far(&self, table: &str) -> i64 {
        self.far.sql(&format!("select count(*) from {table}")).trim().parse().unwrap()
    }

    fn switch(&self, arguments: &[&str]) -> Ran {
        self.project.run(&[&["switch"], arguments].concat())
    }

    /// Starts, and waits until parts may be moved.
    fn start(&self) {
        let by_hand = ["--strategy", "gradual", "--by-hand", "--read-step", "20"];
        let started = self.switch(&[&["start", "cloud"][..], &by_hand[..]].concat()).done();
        assert!(started.out.contains("main → cloud, ready"), "{}", started.out);
        assert!(started.out.contains("  now       lag "), "{}", started.out);
        self.stand(&[false, false, false]);
    }

    /// Which parts have moved, as people are told.
    #[track_caller]
    fn stand(&self, moved: &[bool; 3]) {
        let told = self.switch(&["status"]).done().out;
        for (table, moved) in TABLES.iter().zip(moved) {
            let line = told.lines().find(|line| line.split_whitespace().next() == Some(table));
            let words: Vec<_> =
                line.unwrap_or_else(|| panic!("{table} in {told}")).split_whitespace().collect();
            assert_eq!(words[1], if *moved { "moved" } else { "not" }, "{table} in {told}");
        }
    }

    /// Waits until the gateway that was started again goes on with the switch.
    fn goes_on(&self) {
        let began = Instant::now();
        while self.switch(&["move", "nothing"]).err.contains("no switch goes part by part") {
            assert!(began.elapsed() < PATIENCE, "it does not go on");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn parts_are_moved_by_hand_and_a_killed_gateway_goes_on_with_them() {
    let mut shop = Shop::new();
    shop.write();
    shop.start();
    shop.switch(&["move", "stock"]).done();
    shop.stand(&[false, false, true]);
    shop.write();
    assert_eq!(shop.far("stock"), 2, "it is served there");

    let unknown = shop.switch(&["move", "nothing"]);
    assert!(unknown.code != 0 && unknown.err.contains("there is no part `nothing`"), "{}", unknown.err);
    assert!(unknown.err.contains("notes, orders, stock"), "{}", unknown.err);
    let again = shop.switch(&["move", "stock"]);
    assert!(again.code != 0 && again.err.contains("there already"), "{}", again.err);
    let row = json!({ "id": 900, "value": 900 });
    let insert = |path: &str| json!({ "method": "POST", "path": path, "body": row });
    let both = json!({ "requests": [insert("/orders"), insert("/stock")] });
    let (status, answer) = shop.send("POST /truststream/v1/atomic", &both);
    assert!(status >= 400 && answer.to_string().contains("BACKEND_018"), "{status} {answer}");
    shop.reads_all();

    shop.is_killed();
    shop.reads_all();
    shop.goes_on();
    shop.stand(&[false, false, true]);
    shop.write();
    shop.switch(&["move", "orders"]).done();
    shop.switch(&["back", "stock"]).done();
    shop.stand(&[false, true, false]);
    shop.write();

    shop.switch(&["pause"]).done();
    shop.write();
    let refused = shop.switch(&["back", "orders"]);
    assert!(refused.code != 0 && refused.err.contains("no switch goes part by part"), "{}", refused.err);
    shop.is_killed();
    shop.write();
    let paused = shop.switch(&["status"]).done().out;
    assert!(paused.contains("ready, paused"), "{paused}");
    let aborted = shop.switch(&["abort"]).done().out;
    assert!(aborted.contains("main → cloud, aborted"), "{aborted}");
    shop.write();
    let left = "select count(*) from information_schema.tables where table_schema = 'public'";
    assert_eq!(shop.far.sql(left).trim(), "0");
}

#[test]
fn what_is_left_follows_when_all_is_asked_for_and_returns_as_a_whole() {
    let mut shop = Shop::new();
    shop.write();
    shop.start();
    shop.switch(&["move", "notes"]).done();
    shop.write();
    let all = shop.switch(&["move", "all"]).done().out;
    assert!(all.contains("main → cloud, committed"), "{all}");
    shop.write();
    assert_eq!(TABLES.map(|table| shop.far(table)), [3; 3]);
    let part = shop.switch(&["back", "notes"]);
    assert!(part.code != 0 && part.err.contains("no switch goes part by part"), "{}", part.err);
    let back = shop.switch(&["back"]).done().out;
    assert!(back.contains("rolled back"), "{back}");
    shop.write();
    shop.switch(&["finalize"]).done();
    shop.reads_all();
}
