//! A backend that is lost, its mirror that takes its place, and the way back by a switch.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use truststream::{Config, Status, TrustStream};
use truststream_conformance::postgres_server::PostgresServer;

/// After so long without an answer the mirror takes over.
const AFTER: Duration = Duration::from_millis(1500);

const SCHEMA: &str = "create table entries (id bigint primary key, body text not null);
insert into entries select n, 'first' from generate_series(1, 500) n;";

/// The columns that are read.
#[derive(Deserialize)]
struct Entry {
    id: i64,
}

/// A project on a server of its own, mirrored to SQLite. A server that is gone says so at once; one that
/// takes its time is not gone.
async fn project(server: &PostgresServer, mirror: &str) -> (TrustStream, TempDir) {
    let spare = "[backend.spare.database]\nprovider = \"sqlite\"\npath = \"spare.db\"\n";
    project_to(server, "spare", &format!("{mirror}\n{spare}")).await
}

async fn project_to(server: &PostgresServer, to: &str, rest: &str) -> (TrustStream, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[auth]\njwt_secret = \"a secret of at least thirty-two characters\"\n\
         [health]\ninterval = \"300ms\"\ntimeout = \"120s\"\nlatency = \"120s\"\n\
         [health.breaker]\nfailures = 3\nopen = \"10s\"\n\
         [switch]\nhold = \"120s\"\nmax_pause = \"60s\"\n\
         [backend.main.database]\nprovider = \"postgres\"\nurl = \"{}\"\n\
         [backend.main.mirror]\nto = \"{to}\"\n{rest}\n",
        server.new_database().unwrap()
    );
    std::fs::write(folder.path().join("configuration"), &text).unwrap();
    let db = TrustStream::open_with(Config::from_text(folder.path(), &text).unwrap()).await.unwrap();
    db.migrate("1_entries.sql", SCHEMA).await.unwrap();
    (db, folder)
}

/// Waits until the status is as it should be.
async fn until(db: &TrustStream, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
    let began = Instant::now();
    loop {
        let status = db.switch().status().await;
        if is_so(&status) {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{what}: {status:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_mirrored(status: &Status, to: &str) -> bool {
    status.mirror.as_ref().is_some_and(|mirror| mirror.status.to == to && mirror.status.is_fit())
}

/// Keys of the rows that only a lost backend had.
async fn kept(db: &TrustStream) -> BTreeSet<i64> {
    let lost = db.failovers().lost().await.unwrap();
    let keys =
        lost.iter().flat_map(|of| &of.rows).filter_map(|row| row.key.strip_prefix("id=")?.parse().ok());
    keys.collect()
}

async fn ids(db: &TrustStream) -> BTreeSet<i64> {
    let rows: Vec<Entry> = db.from("entries").select("id").fetch().await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

/// What clients do and see.
#[derive(Default)]
struct Traffic {
    next: AtomicI64,
    over: AtomicBool,
    /// When each was sent.
    acknowledged: Mutex<Vec<(Instant, i64)>>,
    refused: AtomicU64,
    reads: AtomicU64,
    failed_reads: Mutex<Vec<String>>,
}

impl Traffic {
    fn start(db: &TrustStream) -> (Arc<Self>, Vec<tokio::task::JoinHandle<()>>) {
        let traffic = Arc::new(Traffic { next: AtomicI64::new(1000), ..Traffic::default() });
        let mut tasks = Vec::new();
        for _ in 0..4 {
            tasks.push(tokio::spawn(Arc::clone(&traffic).write(db.clone())));
        }
        tasks.push(tokio::spawn(Arc::clone(&traffic).read(db.clone())));
        (traffic, tasks)
    }

    async fn write(self: Arc<Self>, db: TrustStream) {
        while !self.over.load(Ordering::SeqCst) {
            let (id, sent) = (self.next.fetch_add(1, Ordering::SeqCst), Instant::now());
            match db.from("entries").insert(&json!({ "id": id, "body": "written" })).await {
                Ok(_) => self.acknowledged.lock().unwrap().push((sent, id)),
                Err(_) => drop(self.refused.fetch_add(1, Ordering::SeqCst)),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn read(self: Arc<Self>, db: TrustStream) {
        while !self.over.load(Ordering::SeqCst) {
            match db.from("entries").select("id").eq("id", 1).count().await {
                Ok(count) => {
                    assert_eq!(count, 1);
                    self.reads.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) => self.failed_reads.lock().unwrap().push(error.to_string()),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_lost_is_replaced_by_its_mirror_and_comes_back_by_a_switch() {
    let mut server = PostgresServer::start(&["synchronous_commit=on"]).unwrap();
    let (db, _folder) = project(&server, "failover = \"1500ms\"").await;
    until(&db, "the mirror is in sync", |status| is_mirrored(status, "spare")).await;
    let (traffic, tasks) = Traffic::start(&db);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let crashed = Instant::now();
    server.crash().unwrap();
    let gone = Instant::now();
    let status = until(&db, "the mirror serves", |status| status.route.owner == "spare").await;
    let took = crashed.elapsed();
    assert!(took >= AFTER, "it took {took:?}");
    let failover = status.failover.unwrap();
    let serves = || traffic.acknowledged.lock().unwrap().iter().filter(|(sent, _)| *sent > gone).count();
    until(&db, "writes go on", |_| serves() > 10).await;
    traffic.over.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*traffic.failed_reads.lock().unwrap(), Vec::<String>::new(), "reads go on from the mirror");
    let acknowledged = traffic.acknowledged.lock().unwrap().clone();
    let there = ids(&db).await;
    let lost: Vec<_> = acknowledged.iter().filter(|(_, id)| !there.contains(id)).collect();
    println!(
        "failed over {took:?} after the crash, in {:.1} ms; {} writes acknowledged, {} refused, {} reads; \
         lost {}, bound {:?}",
        failover.took_ms,
        acknowledged.len(),
        traffic.refused.load(Ordering::SeqCst),
        traffic.reads.load(Ordering::SeqCst),
        lost.len(),
        failover.loss
    );
    assert!(lost.len() as u64 <= failover.loss.writes, "{lost:?} of {:?}", failover.loss);
    assert!(lost.iter().all(|(sent, _)| *sent < gone), "{lost:?}");

    server.restart().unwrap();
    let status = until(&db, "what was lost follows", |status| is_mirrored(status, "main")).await;
    let returned = status.failover.unwrap().returned.unwrap();
    assert!(returned.changes >= lost.len() as u64, "{returned:?}");
    assert_eq!(status.switch.map(|switch| switch.id), None, "no switch was needed for that");
    let kept: BTreeSet<i64> = kept(&db).await;
    assert!(lost.iter().all(|(_, id)| kept.contains(id)), "{lost:?} of {kept:?}");

    db.switch().start("main").await.unwrap();
    let record = db.switch().finished().await.unwrap();
    assert_eq!((record.report.rows, db.switch().active()), (0, "main".to_owned()), "nothing is copied again");
    assert_eq!(ids(&db).await, there);
    db.from("entries").upsert(&json!({ "id": 1, "body": "again" })).await.unwrap();
    db.switch().finalize().await.unwrap();
    until(&db, "the mirror goes on", |status| is_mirrored(status, "spare")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_goes_on_after_a_restart_and_takes_over_at_a_start() {
    let mut server = PostgresServer::start(&["synchronous_commit=on"]).unwrap();
    let (db, folder) = project(&server, "failover = \"1500ms\"").await;
    let status = until(&db, "the mirror is in sync", |status| is_mirrored(status, "spare")).await;
    let number = |status: &Status| status.mirror.as_ref().map(|mirror| mirror.status.id);
    let configuration = folder.path().join("configuration");
    let text = std::fs::read_to_string(&configuration).unwrap();
    db.close().await;
    drop(db);

    let reopen = || TrustStream::open_with(Config::from_text(folder.path(), &text).unwrap());
    let db = reopen().await.unwrap();
    db.from("entries").insert(&json!({ "id": 501, "body": "x" })).await.unwrap();
    let caught_up = |status: &Status| {
        let mirror = status.mirror.as_ref().map(|mirror| &mirror.status);
        is_mirrored(status, "spare")
            && mirror.is_some_and(|mirror| mirror.changes > 0 && mirror.behind_ms == 0)
    };
    let again = until(&db, "the change is there", caught_up).await;
    assert_eq!(number(&again), number(&status), "it is the same, not one made anew");
    db.close().await;
    drop(db);

    server.crash().unwrap();
    let began = Instant::now();
    let db = reopen().await.unwrap();
    assert!(began.elapsed() >= AFTER);
    assert_eq!((db.switch().active().as_str(), ids(&db).await.len()), ("spare", 501));
    server.restart().unwrap();
    until(&db, "what was lost follows", |status| is_mirrored(status, "main")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_to_take_over_the_mirror_only_answers_reads() {
    let mut server = PostgresServer::start(&["synchronous_commit=on"]).unwrap();
    let (db, _folder) = project(&server, "").await;
    until(&db, "the mirror is in sync", |status| is_mirrored(status, "spare")).await;
    server.crash().unwrap();
    assert_eq!(ids(&db).await.len(), 500);
    let error = db.from("entries").insert(&json!({ "id": 501, "body": "x" })).await.unwrap_err();
    assert_eq!(error.kind(), truststream::ErrorKind::Unavailable);
    tokio::time::sleep(AFTER + Duration::from_secs(1)).await;
    let status = db.switch().status().await;
    assert_eq!((status.route.owner.as_str(), status.failover.is_some()), ("main", false));
    server.restart().unwrap();
    until(&db, "it is found back", |status| {
        status.backends.iter().flat_map(|backend| &backend.services).all(|service| service.healthy)
    })
    .await;
    db.from("entries").insert(&json!({ "id": 501, "body": "x" })).await.unwrap();
    assert_eq!(ids(&db).await.len(), 501);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_was_not_compared_never_serves() {
    let mut server = PostgresServer::start(&["synchronous_commit=on"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let spare = format!("provider = \"sqlite\"\npath = \"{}\"\n", folder.path().join("other.db").display());
    let auth = "[auth]\njwt_secret = \"a secret of at least thirty-two characters\"\n";
    let text = format!("{auth}[backend.main.database]\n{spare}");
    let other = TrustStream::open_with(Config::from_text(folder.path(), &text).unwrap()).await.unwrap();
    other.migrate("1_entries.sql", SCHEMA).await.unwrap();
    other.close().await;
    drop(other);

    let mirror = format!("failover = \"300ms\"\n[backend.other.database]\n{spare}");
    let (db, _folder) = project_to(&server, "other", &mirror).await;
    let noted = |status: &Status| {
        let note = status.mirror.as_ref().and_then(|mirror| mirror.status.note.clone());
        note.is_some_and(|note| note.contains("holds rows that no mirror put there"))
    };
    until(&db, "the rows in the way are told", noted).await;
    server.crash().unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let is_ill = |status: &Status| {
        status.backends.iter().flat_map(|backend| &backend.services).any(|service| !service.healthy)
    };
    let status = until(&db, "the loss is seen", is_ill).await;
    assert_eq!((status.route.owner.as_str(), status.failover.is_some()), ("main", false));
    assert!(db.from("entries").select("id").count().await.is_err(), "nor does it answer reads");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_lost_backend_had_is_kept_until_it_is_applied_or_dropped() {
    let mut server = PostgresServer::start(&["synchronous_commit=on"]).unwrap();
    let (db, folder) = project(&server, "").await;
    until(&db, "the mirror is in sync", |status| is_mirrored(status, "spare")).await;
    let foreseen = db.failovers().foresee().await.unwrap();
    assert_eq!((foreseen.from.as_str(), foreseen.to.as_str()), ("main", "spare"));
    server.crash().unwrap();
    let report = db.failovers().start().await.unwrap();
    assert_eq!((report.id, db.switch().active().as_str()), (1, "spare"));
    db.from("entries").update(&json!({ "body": "ours" })).eq("id", 2).await.unwrap();
    let error = db.failovers().drop_lost(1).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_011", "nothing is kept yet");
    db.close().await;
    drop(db);

    // What the mirror can't have: nobody follows meanwhile.
    server.restart().unwrap();
    let alone = "insert into entries values (9001, 'alone'); delete from entries where id = 3; \
                 update entries set body = 'theirs' where id in (1, 2)";
    server.sql("test_0", alone).unwrap();
    let text = std::fs::read_to_string(folder.path().join("configuration")).unwrap();
    let db = TrustStream::open_with(Config::from_text(folder.path(), &text).unwrap()).await.unwrap();
    until(&db, "what was lost follows", |status| is_mirrored(status, "main")).await;
    assert_eq!(kept(&db).await, BTreeSet::from([1, 2, 3, 9001]));
    assert!(!ids(&db).await.contains(&9001));

    let done = db.failovers().apply_lost(1, false).await.unwrap();
    assert_eq!((done.applied, done.changed_since), (3, vec!["public.entries id=2".to_owned()]));
    let there = ids(&db).await;
    assert!(there.contains(&9001) && !there.contains(&3));
    assert_eq!(kept(&db).await, BTreeSet::from([2]), "what was changed since is kept on");
    assert_eq!(db.failovers().drop_lost(1).await.unwrap(), 1);
    assert_eq!(db.failovers().lost().await.unwrap(), []);
    until(&db, "the other one has it", |status| {
        status.mirror.as_ref().is_some_and(|mirror| mirror.status.changes >= 3)
    })
    .await;
    assert_eq!(
        server.sql("test_0", "select count(*) from entries where id in (3, 9001)").unwrap().trim(),
        "1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_with_a_column_that_the_mirror_lacks_is_not_brought_there_without_it() {
    let server = PostgresServer::start(&["synchronous_commit=on"]).unwrap();
    let spare = format!(
        "[backend.spare.database]\nprovider = \"postgres\"\nurl = \"{}\"",
        server.new_database().unwrap()
    );
    let (db, _folder) = project_to(&server, "spare", &spare).await;
    until(&db, "the mirror is in sync", |status| is_mirrored(status, "spare")).await;
    let (there, main) = ("test_0", "test_1");
    let more = "alter table entries add column more text; insert into entries values (9001, 'x', 'more')";
    server.sql(main, more).unwrap();
    let told = |status: &Status| {
        let note = status.mirror.as_ref().and_then(|mirror| mirror.status.note.clone());
        note.is_some_and(|note| {
            note.contains("`main` has a column that `spare` lacks: more of public.entries")
        })
    };
    until(&db, "it is told", told).await;
    let brought = "select count(*) from entries where id = 9001";
    assert_eq!(server.sql(there, brought).unwrap().trim(), "0");
    assert!(db.failovers().foresee().await.unwrap().loss.ms > 0, "a failover would lose it, and says so");

    server.sql(there, "alter table entries add column more text").unwrap();
    let began = Instant::now();
    while server.sql(there, "select more from entries where id = 9001").unwrap().trim() != "more" {
        assert!(began.elapsed() < Duration::from_secs(120), "it goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
