//! Connections: encrypted, cancelled, waited for, lost and made again.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use truststream_kernel::{Context, ErrorKind};
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{Begin, DatabaseDriver, Migrate, Ping, Raw};

use crate::support::{PATIENCE, client, database, is_cancelled, runs, start, until};

fn raw(sql: &str) -> Raw {
    Raw { sql: sql.to_owned(), parameters: vec![], read_only: true }
}

async fn body(driver: &PostgresDriver, sql: &str) -> serde_json::Value {
    let page = driver.raw(&Context::system(), &raw(sql)).await.unwrap();
    serde_json::from_slice(&page.body).unwrap()
}

fn openssl(folder: &Path, line: &str) {
    let output = Command::new("openssl").args(line.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a certificate of it for `localhost` in the server's folder.
fn certificates(folder: &Path, data: &Path) {
    let name = "req -newkey rsa:2048 -nodes -subj";
    openssl(folder, &format!("{name} /CN=authority -x509 -days 2 -keyout ca.key -out ca.pem"));
    openssl(folder, &format!("{name} /CN=other -x509 -days 2 -keyout other.key -out other.pem"));
    openssl(folder, &format!("{name} /CN=localhost -keyout server.key -out server.csr"));
    std::fs::write(folder.join("ext"), "subjectAltName=DNS:localhost").unwrap();
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.crt",
    );
    for file in ["server.key", "server.crt"] {
        let to = data.join(file);
        std::fs::copy(folder.join(file), &to).unwrap();
        assert!(Command::new("chown").arg("--reference").arg(data).arg(&to).status().unwrap().success());
        assert!(Command::new("chmod").arg("600").arg(&to).status().unwrap().success());
    }
}

#[tokio::test]
async fn connections_are_encrypted_as_sslmode_says() {
    let server = start();
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path(), &server.data());
    let encrypted = async |url: String| {
        let driver = PostgresDriver::connect(Config::new(url)).await?;
        let rows = body(&driver, "select ssl from pg_stat_ssl where pid = pg_backend_pid()").await;
        Ok::<_, truststream_kernel::Error>(rows == json!([{ "ssl": true }]))
    };
    assert!(!encrypted(server.url()).await.unwrap(), "a server without TLS is preferred without");
    let refused = encrypted(format!("{}?sslmode=require", server.url())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);

    client(&server.url()).await.batch_execute("alter system set ssl = on").await.unwrap();
    server.restart();
    let (by_name, by_address) = (server.url().replace("127.0.0.1", "localhost"), server.url());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (ca, other) = (file("ca.pem"), file("other.pem"));
    assert!(encrypted(by_address.clone()).await.unwrap());
    assert!(!encrypted(format!("{by_address}?sslmode=disable")).await.unwrap());
    assert!(encrypted(format!("{by_address}?sslmode=require")).await.unwrap());
    assert!(encrypted(format!("{by_address}?sslmode=verify-ca&sslrootcert={ca}")).await.unwrap());
    assert!(encrypted(format!("{by_name}?sslmode=verify-full&sslrootcert={ca}")).await.unwrap());
    for refused in [
        format!("{by_address}?sslmode=verify-full&sslrootcert={ca}"),
        format!("{by_name}?sslmode=verify-full&sslrootcert={other}"),
        format!("{by_name}?sslmode=require&sslrootcert={other}"),
        format!("{by_name}?sslmode=verify-ca"),
    ] {
        assert_eq!(encrypted(refused.clone()).await.unwrap_err().kind(), ErrorKind::Unavailable, "{refused}");
    }
}

#[tokio::test]
async fn a_statement_whose_caller_is_gone_is_cancelled() {
    let url = database().await;
    let watcher = client(&url).await;
    let driver = PostgresDriver::connect(Config::new(&*url)).await.unwrap();
    let (cx, slow) = (Context::system(), raw("select 'left behind', pg_sleep(3600)"));
    is_cancelled(&watcher, "left behind", Box::pin(driver.raw(&cx, &slow))).await;
}

#[tokio::test]
async fn requests_wait_in_turn_and_not_for_ever() {
    let mut config = Config::new(database().await);
    config.pool.max = 1;
    config.pool.wait_ms = 300;
    // Nobody else uses the connection.
    config.schema_check_s = 0;
    let driver = PostgresDriver::connect(config).await.unwrap();
    let cx = Context::system();
    let open = driver.begin(&cx, &Begin { isolation: None, read_only: true }).await.unwrap();
    let began = Instant::now();
    let error = driver.raw(&cx, &raw("select 1 as one")).await.unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(300), "it waits");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "PGRST003"));
    assert!(error.hint().unwrap().contains("again"), "{error:?}");
    open.rollback().await.unwrap();
    driver.raw(&cx, &raw("select 1 as one")).await.unwrap();
}

#[tokio::test]
async fn a_timeout_ends_requests_and_nothing_else() {
    let url = database().await;
    let limited = "do $$ begin
        execute format('alter database %I set statement_timeout = ''5s''', current_database());
    end $$";
    client(&url).await.batch_execute(limited).await.unwrap();
    for configured in [Some(5_000), None] {
        let config = Config { statement_timeout_ms: configured, ..Config::new(&*url) };
        let driver = PostgresDriver::connect(config).await.unwrap();
        let (cx, later) = (Context::system(), Context::system().within(PATIENCE));
        let slow = raw("select pg_sleep(3600)");
        let op = Migrate { name: "1.sql".into(), sql: "select pg_sleep(7)".into(), dry_run: true };
        let (one, other, migrated) =
            tokio::join!(driver.raw(&cx, &slow), driver.raw(&later, &slow), driver.migrate(&cx, &op));
        for error in [one.unwrap_err(), other.unwrap_err()] {
            assert_eq!(error.code(), "57014", "{configured:?}: {error:?}");
        }
        migrated.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_again_is_found_again() {
    let server = start();
    let driver = PostgresDriver::connect(Config::new(server.url())).await.unwrap();
    assert_eq!(body(&driver, "select 1 as one").await, json!([{ "one": 1 }]));
    let under_way = {
        let driver = driver.clone();
        tokio::spawn(async move { driver.raw(&Context::system(), &raw("select pg_sleep(3600)")).await })
    };
    let watcher = client(&server.url()).await;
    until("it runs", async || runs(&watcher, "pg_sleep(3600)").await).await;
    tokio::task::block_in_place(|| server.restart());
    let lost = under_way.await.unwrap().unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Unavailable, "{lost:?}");
    driver.ping(&Context::system(), &Ping).await.unwrap();
    assert_eq!(body(&driver, "select 1 as one").await, json!([{ "one": 1 }]));
}
