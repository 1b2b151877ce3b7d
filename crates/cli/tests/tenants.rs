//! `truststream switch` where tenants are the parts, from SQLite to PostgreSQL, with the gateway killed on
//! the way.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::support::{Engine, Project, Ran, Serving, ask_as_service};

const SCHEMA: &str =
    "create table notes (org_id uuid, id bigint, body text not null, primary key (org_id, id));
grant all on notes to service_role;
";

const ACME: &str = "00000000-0000-4000-8000-00000000ac3e";
const GLOBEX: &str = "00000000-0000-4000-8000-000000610be8";

const GRADUAL: [&str; 4] = ["--strategy", "gradual", "--read-step", "20"];

const PATIENCE: Duration = Duration::from_secs(180);

/// A gateway of two organisations that move from SQLite to PostgreSQL.
struct Orgs {
    project: Project,
    far: Project,
    gateway: Option<(Serving, Json)>,
}

impl Orgs {
    fn new() -> Self {
        let (project, far) = (Project::new(Engine::Sqlite), Project::new(Engine::Postgres));
        project.also("cloud", &far);
        project.migration("20260101000000_notes.sql", SCHEMA);
        let gateway = Some(project.develop());
        Orgs { project, far, gateway }
    }

    /// Ends the gateway without a warning and starts it again.
    fn is_started_again(&mut self) {
        self.gateway = None;
        self.gateway = Some(self.project.develop());
    }

    /// The same, and waits until it goes on with the switch.
    fn is_killed(&mut self) {
        self.is_started_again();
        let began = Instant::now();
        while self.switch(&["move", "nothing"]).err.contains("no switch goes part by part") {
            assert!(began.elapsed() < PATIENCE, "it does not go on");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn send(&self, line: &str, body: &Json) -> (u16, Json) {
        let (_, told) = self.gateway.as_ref().unwrap();
        ask_as_service(told, line, body)
    }

    /// A note of each, which is read at once.
    fn write(&self, id: i64) {
        for org in [ACME, GLOBEX] {
            let row = json!({ "org_id": org, "id": id, "body": "hello" });
            let (status, answer) = self.send("POST /rest/v1/notes", &row);
            assert_eq!(status, 201, "{org}: {answer}");
            let one = format!("GET /rest/v1/notes?org_id=eq.{org}&id=eq.{id}");
            let (status, rows) = self.send(&one, &Json::Null);
            assert_eq!((status, rows), (200, json!([row])), "{org}");
        }
    }

    /// How many notes of an organisation are served.
    #[track_caller]
    fn count(&self, org: &str) -> usize {
        let (status, rows) = self.send(&format!("GET /rest/v1/notes?org_id=eq.{org}"), &Json::Null);
        assert_eq!(status, 200, "{rows}");
        rows.as_array().unwrap().len()
    }

    fn far_has(&self, org: &str) -> String {
        self.far.sql(&format!("select count(*) from notes where org_id = '{org}'")).trim().to_owned()
    }

    fn switch(&self, arguments: &[&str]) -> Ran {
        self.project.run(&[&["switch"], arguments].concat())
    }

    /// Whether a tenant has moved, as people are told.
    #[track_caller]
    fn stands(&self, org: &str, has_moved: bool) {
        let status = self.switch(&["status"]).done().out;
        let line = status.lines().find(|line| line.contains(&format!("tenant:{org}")));
        let word = line.and_then(|line| line.split_whitespace().nth(1));
        assert_eq!(word, Some(if has_moved { "moved" } else { "not" }), "{status}");
    }
}

#[test]
fn a_tenant_moves_returns_and_the_others_follow() {
    let orgs = Orgs::new();
    let acme = format!("tenant:{ACME}");
    orgs.write(1);
    let unknown = orgs.switch(&[&["start", "cloud", "--tenants", "tenant"][..], &GRADUAL].concat());
    assert!(unknown.code != 0 && unknown.err.contains("no table has a column tenant"), "{}", unknown.err);
    let started = orgs.switch(&[&["start", "cloud", "--tenants", "org_id"][..], &GRADUAL].concat()).done();
    assert!(started.out.contains("main → cloud, ready"), "{}", started.out);
    let moved = orgs.switch(&["move", &acme]).done().out;
    let line = moved.lines().find(|line| line.contains(&acme)).unwrap_or_else(|| panic!("{moved}"));
    assert!(line.contains("moved") && !moved.contains(GLOBEX), "{moved}");
    orgs.write(2);
    let (status, answer) = orgs.send("GET /rest/v1/notes", &Json::Null);
    assert!(status >= 400 && answer["code"] == "BACKEND_018", "{status} {answer}");
    assert!(answer["hint"].as_str().unwrap().contains("name one tenant"), "{answer}");
    assert_eq!(orgs.send(&format!("GET /rest/v1/notes?org_id=in.({GLOBEX})"), &Json::Null).0, 200);
    let wrong = orgs.switch(&["move", "tenant:ACME"]);
    assert!(wrong.code != 0 && wrong.err.contains("there is no part"), "{}", wrong.err);

    orgs.switch(&["back", &acme]).done();
    orgs.write(3);
    assert_eq!(orgs.send("GET /rest/v1/notes", &Json::Null).0, 200, "one side serves all again");
    orgs.stands(ACME, false);
    let all = orgs.switch(&["move", "all"]).done().out;
    assert!(all.contains("main → cloud, committed"), "{all}");
    orgs.write(4);
    assert_eq!([ACME, GLOBEX].map(|org| orgs.far_has(org)), ["4", "4"]);
    let back = orgs.switch(&["back"]).done().out;
    assert!(back.contains("rolled back"), "{back}");
    orgs.write(5);
}

#[test]
fn a_killed_gateway_goes_on_with_the_tenants_as_they_stand() {
    let mut orgs = Orgs::new();
    let (acme, globex) = (format!("tenant:{ACME}"), format!("tenant:{GLOBEX}"));
    orgs.write(1);
    orgs.switch(&[&["start", "cloud", "--tenants", "org_id"][..], &GRADUAL].concat()).done();
    orgs.switch(&["move", &acme]).done();
    orgs.write(2);
    orgs.is_killed();
    orgs.stands(ACME, true);
    orgs.write(3);
    assert_eq!([ACME, GLOBEX].map(|org| orgs.count(org)), [3, 3]);
    assert_eq!(orgs.far_has(ACME), "3", "it is served there");
    let (status, answer) = orgs.send("GET /rest/v1/notes", &Json::Null);
    assert!(status >= 400 && answer["code"] == "BACKEND_018", "{status} {answer}");

    orgs.switch(&["move", &globex]).done();
    orgs.switch(&["back", &acme]).done();
    orgs.write(4);
    orgs.is_killed();
    orgs.stands(ACME, false);
    orgs.stands(GLOBEX, true);
    orgs.write(5);
    let given_up = orgs.switch(&["abort"]).done().out;
    assert!(given_up.contains("aborted"), "{given_up}");
    orgs.write(6);
    assert_eq!(orgs.send("GET /rest/v1/notes", &Json::Null).1.as_array().unwrap().len(), 12);
    orgs.is_started_again();
    orgs.write(7);
}
