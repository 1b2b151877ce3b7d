//! Requests that are cut short: what the server does for them is ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use truststream_conformance::mongodb_server::MongoServer;
use truststream_kernel::Context;
use truststream_mongodb::MongoDriver;
use truststream_services::database::{DatabaseDriver, Insert, Migrate, Query, Select, TableName};

use crate::server::config;

/// How long what is asked of the server may take to get there.
const PATIENCE: Duration = Duration::from_secs(120);

/// Stands before a server: it notes what is asked, and keeps replies back while it is told to.
#[derive(Clone, Default)]
struct Between {
    asked: Arc<Mutex<Vec<u8>>>,
    holds: Arc<AtomicBool>,
}

impl Between {
    async fn start(server: &MongoServer) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = server.url();
        let there = url.trim_start_matches("mongodb://").split('/').next().unwrap().to_owned();
        let between = Between::default();
        let own = between.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&there).await.unwrap();
                own.clone().carry(client, server);
            }
        });
        (between, format!("mongodb://{address}/?directConnection=true"))
    }

    fn carry(self, client: TcpStream, server: TcpStream) {
        let ((mut from, mut back), (mut replies, mut to)) = (client.into_split(), server.into_split());
        let own = self.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count @ 1..) = from.read(&mut buffer).await {
                own.asked.lock().extend_from_slice(&buffer[..count]);
                if to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count @ 1..) = replies.read(&mut buffer).await {
                while self.holds.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                if back.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Waits until this was asked.
    async fn sees(&self, words: &str) {
        let seen = async {
            while !self.asked.lock().windows(words.len()).any(|part| part == words.as_bytes()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("never asked: {words}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_cut_short_is_ended_on_the_server() {
    let server = MongoServer::start().unwrap();
    let (between, url) = Between::start(&server).await;
    let driver = Arc::new(MongoDriver::open(config(url, server.new_database())).await.unwrap());
    let system = Context::system();
    let op = Migrate { name: "1".into(), sql: "create table t (id int primary key);".into(), dry_run: false };
    driver.migrate(&system, &op).await.unwrap();

    between.asked.lock().clear();
    between.holds.store(true, Ordering::SeqCst);
    let (one, cx) = (Arc::clone(&driver), system.clone());
    let reading =
        tokio::spawn(
            async move { one.select(&cx, &Select::new(TableName::public("t"), Query::all())).await },
        );
    between.sees("aggregate").await;
    reading.abort();
    assert!(reading.await.unwrap_err().is_cancelled());
    between.holds.store(false, Ordering::SeqCst);
    between.sees("$currentOp").await;

    // The connection that was given up is replaced before replies are kept back.
    let all = Select::new(TableName::public("t"), Query::all());
    driver.select(&system, &all).await.unwrap();
    between.asked.lock().clear();
    between.holds.store(true, Ordering::SeqCst);
    let (one, cx) = (Arc::clone(&driver), system.clone());
    let writing = tokio::spawn(async move {
        one.insert(&cx, &Insert::new(TableName::public("t"), r#"{"id":1}"#.to_owned())).await
    });
    between.sees("startTransaction").await;
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());
    between.holds.store(false, Ordering::SeqCst);
    between.sees("$currentOp").await;
    let left = driver.select(&system, &all).await.unwrap();
    assert_eq!(left.rows, 0, "a write that was cut short is not there");
}
