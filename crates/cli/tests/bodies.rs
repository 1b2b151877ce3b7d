//! Large bodies through the real binary: its memory does not grow with them, and nothing of them is left.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::support::{ENGINES, Engine, Project, Serving, ask};

const ITEMS: &str = "create table items (id bigint primary key, name text not null, note text);\n\
     create function length_of(note text) returns bigint language sql as $$ select length(note) $$;\n\
     grant all on items to service_role;\n";
/// Bytes of a large body.
const LARGE: usize = 20_000_000;
/// What a large body may cost, in KiB: less than it has itself, by far.
const COST: u64 = 12_000;

struct Gateway {
    project: Project,
    serving: Serving,
    host: String,
    key: String,
}

impl Gateway {
    fn new(engine: Engine) -> Self {
        let project = Project::new(engine);
        project.migration("20260101000000_items.sql", ITEMS);
        let (serving, told) = project.develop();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let (host, key) =
            (text("api_url").trim_start_matches("http://").to_owned(), text("service_role_key"));
        Gateway { project, serving, host, key }
    }

    fn head(&self, line: &str, content_type: &str, length: usize) -> String {
        format!(
            "{line} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n",
            self.host, self.key
        )
    }

    fn ask(&self, line: &str, content_type: &str, body: &[u8]) -> (u16, Json) {
        let (host, key) = (&self.host, &self.key);
        let headers =
            format!("host: {host}\r\nauthorization: Bearer {key}\r\ncontent-type: {content_type}\r\n");
        ask(host, line, &headers, body)
    }

    fn count(&self) -> u64 {
        self.ask("GET /rest/v1/items?select=count", "application/json", b"").1[0]["count"].as_u64().unwrap()
    }

    fn memory(&self, what: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.serving.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Files without a name that it holds open.
    fn temporary_files(&self) -> usize {
        let files = fs::read_dir(format!("/proc/{}/fd", self.serving.id())).unwrap();
        let targets = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
        let temporary = std::env::temp_dir();
        targets
            .filter(|target| {
                target.starts_with(&temporary) && target.to_string_lossy().ends_with("(deleted)")
            })
            .count()
    }

    /// Waits until it holds so many of them: it lets go of one a moment after it has answered.
    #[track_caller]
    fn comes_to_hold(&self, files: usize) {
        let began = Instant::now();
        while self.temporary_files() != files {
            assert!(began.elapsed() < Duration::from_secs(120), "there are not {files} files");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a body, and tells by how many KiB the process was larger for it than before.
    #[track_caller]
    fn cost(&self, line: &str, content_type: &str, body: &[u8], expected: u16) -> u64 {
        fs::write(format!("/proc/{}/clear_refs", self.serving.id()), "5").unwrap();
        let before = self.memory("VmRSS:");
        let (status, answer) = self.ask(line, content_type, body);
        assert_eq!(status, expected, "{line}: {answer}");
        self.memory("VmHWM:").saturating_sub(before)
    }

    /// The most memory of its own that a read took, in KiB: pages of the file, which each of SQLite's readers
    /// maps for itself, are none.
    fn own_cost(&self, line: &str) -> (u64, Json) {
        let (before, over) = (self.memory("RssAnon:"), AtomicBool::new(false));
        let until = Instant::now() + Duration::from_secs(120);
        std::thread::scope(|scope| {
            let most = scope.spawn(|| {
                let mut most = before;
                while !over.load(Ordering::SeqCst) && Instant::now() < until {
                    most = most.max(self.memory("RssAnon:"));
                    std::thread::sleep(Duration::from_millis(1));
                }
                most
            });
            let (status, answer) = self.ask(line, "", b"");
            over.store(true, Ordering::SeqCst);
            assert_eq!(status, 200, "{line}: {answer}");
            (most.join().unwrap() - before, answer)
        })
    }
}

fn rows(first: usize, bytes: usize) -> Vec<u8> {
    let row = |id| format!(r#"{{"id":{id},"name":"item {id}","note":"{}"}}"#, "n".repeat(1_000));
    let rows: Vec<String> = (first..first + bytes / 1_050).map(row).collect();
    format!("[{}]", rows.join(",")).into_bytes()
}

fn lines(first: usize, bytes: usize) -> Vec<u8> {
    let line = |id| format!("{id},\"item {id}\",{}\n", "n".repeat(1_000));
    ("id,name,note\n".to_owned() + &(first..first + bytes / 1_030).map(line).collect::<String>()).into_bytes()
}

#[test]
fn memory_does_not_grow_with_what_is_written() {
    for engine in ENGINES {
        let gateway = Gateway::new(engine);
        // Whatever is needed the first time is not the body's.
        gateway.cost("POST /rest/v1/items", "application/json", &rows(0, 1_100_000), 201);
        gateway.cost("POST /rest/v1/items", "text/csv", &lines(10_000, 1_100_000), 201);
        let written = gateway.count();
        let (json, csv) = (rows(100_000, LARGE), lines(200_000, LARGE));
        let of_json = gateway.cost("POST /rest/v1/items", "application/json", &json, 201);
        let of_csv = gateway.cost("POST /rest/v1/items", "text/csv", &csv, 201);
        assert_eq!(gateway.count() - written, (LARGE / 1_050 + LARGE / 1_030) as u64);
        assert!(of_json < COST && of_csv < COST, "{engine:?}: {of_json} and {of_csv} KiB");
        gateway.comes_to_hold(0);
    }
}

#[test]
fn memory_does_not_grow_with_one_value_that_postgresql_gets() {
    let gateway = Gateway::new(Engine::Postgres);
    let note = json!({ "note": "n".repeat(LARGE) }).to_string();
    let call = "POST /rest/v1/rpc/length_of?columns=note";
    let small = json!({ "note": "n".repeat(1_100_000) }).to_string();
    gateway.cost(call, "application/json", small.as_bytes(), 200);
    gateway.cost("POST /rest/v1/items", "application/json", br#"{"id":1,"name":"one"}"#, 201);
    let of_call = gateway.cost(call, "application/json", note.as_bytes(), 200);
    let of_change = gateway.cost("PATCH /rest/v1/items?id=eq.1", "application/json", note.as_bytes(), 204);
    let row = json!({ "id": 1, "name": "one", "note": "m".repeat(LARGE) }).to_string();
    let of_put = gateway.cost("PUT /rest/v1/items?id=eq.1", "application/json", row.as_bytes(), 204);
    assert!(of_call < COST && of_change < COST && of_put < COST, "{of_call}, {of_change}, {of_put} KiB");
    let kept = gateway.project.sql("select length(note) || left(note, 1) from items");
    assert_eq!(kept.trim(), format!("{LARGE}m"));
}

#[test]
fn memory_does_not_grow_with_what_is_read() {
    for engine in ENGINES {
        let gateway = Gateway::new(engine);
        gateway.cost("POST /rest/v1/items", "application/json", &rows(0, LARGE), 201);
        // Four times as much as there is: 80 MB.
        let list = "GET /rest/v1/items?select=id,a:note,b:note,c:note,d:note&order=id";
        gateway.cost("GET /rest/v1/items?id=lt.2000", "", b"", 200);
        let (cost, rows) = gateway.own_cost(list);
        assert!(cost < COST, "{engine:?}: {cost} KiB");
        assert_eq!(rows.as_array().unwrap().len(), LARGE / 1_050);
        gateway.comes_to_hold(0);
    }
}

/// A client that asks and then does not read has its reply waiting in the database or in a file.
#[test]
fn memory_does_not_grow_with_what_nobody_reads() {
    for engine in ENGINES {
        let gateway = Gateway::new(engine);
        gateway.cost("POST /rest/v1/items", "application/json", &rows(0, LARGE), 201);
        gateway.cost("GET /rest/v1/items?id=lt.2000", "", b"", 200);
        let list = "GET /rest/v1/items?select=id,a:note,b:note,c:note,d:note&order=id";
        let before = gateway.memory("RssAnon:");
        let mut stream = TcpStream::connect(&gateway.host).unwrap();
        stream.write_all(gateway.head(list, "application/json", 0).as_bytes()).unwrap();
        let mut begun = [0; 15];
        stream.read_exact(&mut begun).unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200 OK");
        for _ in 0..50 {
            let cost = gateway.memory("RssAnon:").saturating_sub(before);
            assert!(cost < COST, "{engine:?}: {cost} KiB");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.len() > 3 * LARGE && rest.ends_with(b"}]"), "{} bytes", rest.len());
        gateway.comes_to_hold(0);
    }
}

#[test]
fn nothing_is_left_of_large_bodies_that_are_wrong() {
    for engine in ENGINES {
        let gateway = Gateway::new(engine);
        let mut broken = rows(0, 3_000_000);
        broken.pop();
        let (status, answer) = gateway.ask("POST /rest/v1/items", "application/json", &broken);
        assert_eq!((status, answer["code"].as_str()), (400, Some("PGRST102")), "{answer}");
        let mut uneven = lines(0, 3_000_000);
        uneven.extend_from_slice(b"1,2\n");
        let (status, answer) = gateway.ask("POST /rest/v1/items", "text/csv", &uneven);
        assert_eq!((status, answer["code"].as_str()), (400, Some("PGRST102")), "{answer}");
        let mut twice = rows(0, 3_000_000);
        twice.pop();
        twice.extend_from_slice(br#",{"id":0,"name":"again","note":null}]"#);
        let (status, answer) = gateway.ask("POST /rest/v1/items", "application/json", &twice);
        assert_eq!((status, answer["code"].as_str()), (409, Some("23505")), "{answer}");
        let mut stream = TcpStream::connect(&gateway.host).unwrap();
        let head = gateway.head("POST /rest/v1/items", "application/json", (64 << 20) + 1);
        stream.write_all(head.as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 413");
        assert_eq!(gateway.count(), 0);
        gateway.comes_to_hold(0);
    }
}

#[test]
fn nothing_is_left_of_a_body_that_breaks_off() {
    let gateway = Gateway::new(Engine::Sqlite);
    let body = rows(0, 6_000_000);
    let mut stream = TcpStream::connect(&gateway.host).unwrap();
    stream.write_all(gateway.head("POST /rest/v1/items", "application/json", body.len()).as_bytes()).unwrap();
    stream.write_all(&body[..5_000_000]).unwrap();
    gateway.comes_to_hold(1);
    drop(stream);
    gateway.comes_to_hold(0);
    assert_eq!(gateway.count(), 0);
}
