//! Clients that go away, and databases that do, behind a gateway that listens.

use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use truststream_conformance::postgres_server::PostgresServer;
use truststream_services::database::{Migrate, Raw};

use crate::Listening;
use crate::native::tests::{Site, new_database, site};

const FUNCTIONS: &str = "
create table kept (id int primary key);
alter table kept enable row level security;
create policy all_may on kept to anon using (true) with check (true);
create function read_slowly(seconds float) returns text language sql stable
  as $$ select pg_sleep(seconds)::text || 'read' $$;
create table pause (seconds float not null);
insert into pause values (3600);
grant select on pause to anon;
create function read_after_a_pause() returns text language sql stable
  as $$ select pg_sleep(seconds)::text || 'read' from pause $$;
create function write_slowly(seconds float) returns void language sql
  as $$ insert into kept values (1); select pg_sleep(seconds) $$;
";

/// A gateway on a port of its own, until the test ends.
async fn serving(site: &Site) -> u16 {
    let migrate = Migrate { name: "2.sql".into(), sql: FUNCTIONS.into(), dry_run: false };
    site.runtime.database().send(migrate).await.unwrap();
    let listening = Listening::bind(0).await.unwrap();
    let port = listening.port();
    tokio::spawn(listening.serve(site.app.clone(), std::future::pending()));
    port
}

async fn sent(port: u16, line: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Head and body of a reply, once it is there.
async fn reply(mut stream: TcpStream) -> (String, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

async fn active(site: &Site, what: &str) -> u64 {
    let sql = format!(
        "select count(*) from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() \
         and datname = current_database() and query like '%{what}%'"
    );
    let page = site.runtime.database().send(Raw { sql, parameters: vec![], read_only: true }).await.unwrap();
    serde_json::from_slice::<Json>(&page.body).unwrap()[0]["count"].as_u64().unwrap()
}

async fn until_active(site: &Site, what: &str, wanted: u64) {
    let until = Instant::now() + Duration::from_secs(120);
    while active(site, what).await != wanted {
        assert!(Instant::now() < until, "{wanted} statements of {what} were expected on the server");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_takes_its_statement_along() {
    let site = site(&format!("provider = \"postgres\"\nurl = \"{}\"", new_database())).await;
    let port = serving(&site).await;
    let (reading, writing) = (
        sent(port, "GET /rest/v1/rpc/read_slowly?seconds=3600", "").await,
        sent(port, "POST /rest/v1/rpc/write_slowly", r#"{"seconds":3600}"#).await,
    );
    until_active(&site, "read_slowly", 1).await;
    until_active(&site, "write_slowly", 1).await;
    drop(reading);
    until_active(&site, "read_slowly", 0).await;
    drop(writing);
    until_active(&site, "write_slowly", 0).await;
    let (_, kept) = reply(sent(port, "GET /rest/v1/kept", "").await).await;
    assert_eq!(kept, "[]", "what was cancelled left nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_costs_the_writes_under_way_and_no_read() {
    let mut server = PostgresServer::start(&["synchronous_commit=on"]).unwrap();
    let url = server.new_database().unwrap();
    let retry = "[layers.retry]\nattempts = 5000\nlongest_wait = \"200ms\"";
    let site = site(&format!("provider = \"postgres\"\nurl = \"{url}\"\n{retry}")).await;
    let port = serving(&site).await;
    let (reading, writing) = (
        sent(port, "GET /rest/v1/rpc/read_after_a_pause", "").await,
        sent(port, "POST /rest/v1/rpc/write_slowly", r#"{"seconds":3600}"#).await,
    );
    until_active(&site, "read_after_a_pause", 1).await;
    until_active(&site, "write_slowly", 1).await;
    // The next time it need not last.
    let sql = "update pause set seconds = 0".to_owned();
    site.runtime.database().send(Raw { sql, parameters: vec![], read_only: false }).await.unwrap();
    let mut server = tokio::task::spawn_blocking(move || {
        server.crash().unwrap();
        server
    })
    .await
    .unwrap();
    // Whether it was kept nobody knows, so the gateway doesn't repeat it: the client may.
    let (head, body) = reply(writing).await;
    assert!(head.starts_with("http/1.1 503"), "{head} {body}");
    assert!(head.contains("retry-after: 1"), "{head}");
    let error: Json = serde_json::from_str(&body).unwrap();
    let code = error["code"].as_str().unwrap();
    assert!(["57P01", "57P02", "BACKEND_005"].contains(&code), "{body}");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("again")), "{body}");
    // A read is repeated until it is answered, and so is a write that never left.
    let inserting = sent(port, "POST /rest/v1/kept", r#"{"id":2}"#).await;
    let server = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(300));
        server.restart().unwrap();
        server
    });
    let (head, body) = reply(reading).await;
    assert!(head.starts_with("http/1.1 200"), "{head} {body}");
    let (head, body) = reply(inserting).await;
    assert!(head.starts_with("http/1.1 201"), "{head} {body}");
    let (_, kept) = reply(sent(port, "GET /rest/v1/kept", "").await).await;
    assert_eq!(kept, r#"[{"id":2}]"#);
    drop(server.await.unwrap());
}
