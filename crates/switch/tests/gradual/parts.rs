//! Parts that move one after the other, while everybody writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;
use truststream_kernel::Result;
use truststream_runtime::Runtime;
use truststream_services::database::{
    Arguments, Batch, Begin, Capture, ChangeKind, Changes, Insert, Invoke, Migrate, Query, Select, Step,
    TableName, Update,
};
use truststream_switch::{Options, PartPhase, Phase, ReadOptions, Record, Strategy};

use super::record::{self, are_compared, committed, flips, latest, no_strays, ready, until};
use super::{PATIENCE, of, project_of};

mod fleet;

const SCHEMA: &str = "
create table authors (id bigint primary key, name text not null);
create table books (id bigint primary key, author bigint not null references authors (id), title text not null);
create table orders (id bigint primary key, total bigint not null);
create table stock (id bigint primary key, count bigint not null);
create table ledger (id bigint primary key, amount bigint not null);
create function take(item bigint) returns void language sql as $$
  update stock set count = count - 1 where id = item;
  insert into ledger (id, amount) values (item, 1);
$$;
";

/// Tables that somebody writes to all the time.
const WRITTEN: [&str; 3] = ["authors", "orders", "stock"];

/// Clients that insert and count up, and what they were told.
struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<(&'static str, JoinHandle<BTreeMap<i64, i64>>)>,
    longest: Arc<Mutex<Duration>>,
}

/// What there is of each table.
type Tables = BTreeMap<&'static str, BTreeMap<i64, i64>>;

impl Writers {
    fn start(runtime: &Arc<Runtime>) -> Self {
        Writers::start_at(runtime, 1000)
    }

    /// Their rows are numbered from here on.
    fn start_at(runtime: &Arc<Runtime>, first: i64) -> Self {
        let (stop, longest) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Duration>>::default());
        let write = |table: &'static str| {
            let (runtime, stop, longest) = (Arc::clone(runtime), Arc::clone(&stop), Arc::clone(&longest));
            (table, tokio::spawn(write(runtime, (table, first), stop, longest)))
        };
        let tasks = WRITTEN.into_iter().map(write).collect();
        Writers { stop, tasks, longest }
    }

    /// Stops, and tells what was acknowledged.
    async fn stop(self) -> Tables {
        self.stop.store(true, Ordering::SeqCst);
        let mut told = Tables::new();
        for (table, task) in self.tasks {
            let of_table = task.await.unwrap();
            assert!(of_table.len() > 20, "{table}: {}", of_table.len());
            told.insert(table, of_table);
        }
        told
    }

    /// Stops, and finds everything that was acknowledged, once, where it is served.
    async fn finish(self, runtime: &Runtime) -> Duration {
        let longest = Arc::clone(&self.longest);
        for (table, wanted) in self.stop().await {
            assert_eq!(read(runtime, table).await, wanted, "{table}");
        }
        *longest.lock()
    }
}

async fn write(
    runtime: Arc<Runtime>,
    (table, first): (&'static str, i64),
    stop: Arc<AtomicBool>,
    longest: Arc<Mutex<Duration>>,
) -> BTreeMap<i64, i64> {
    let mut told = BTreeMap::new();
    for id in first.. {
        if stop.load(Ordering::SeqCst) && told.len() > 20 {
            break;
        }
        let began = Instant::now();
        insert(&runtime, table, id, 0).await.unwrap();
        count(&runtime, table, id, 7).await.unwrap();
        let took = began.elapsed();
        told.insert(id, 7);
        {
            let mut longest = longest.lock();
            *longest = took.max(*longest);
        }
        // What was written is read at once, wherever it is answered.
        let page =
            runtime.database().send(Select::new(TableName::public(table), of(id as u64))).await.unwrap();
        assert_eq!(page.rows, 1, "{table} {id}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    told
}

fn column(table: &str) -> &'static str {
    match table {
        "authors" => "name",
        "orders" => "total",
        "ledger" => "amount",
        _ => "count",
    }
}

fn row(table: &str, id: i64, value: i64) -> Json {
    let value = if table == "authors" { json!(value.to_string()) } else { json!(value) };
    json!({ "id": id, column(table): value })
}

async fn insert(runtime: &Runtime, table: &str, id: i64, value: i64) -> Result<()> {
    let insert = Insert::new(TableName::public(table), row(table, id, value).to_string());
    runtime.database().send(insert).await.map(drop)
}

/// A row of each, in one transaction.
fn orders_and_stock(id: i64) -> Batch {
    let insert = |table: &str| Insert::new(TableName::public(table), row(table, id, 1).to_string());
    Batch::new(Vec::from(["orders", "stock"].map(|table| Step::from(insert(table)))))
}

async fn count(runtime: &Runtime, table: &str, id: i64, value: i64) -> Result<()> {
    let mut set = row(table, id, value);
    set.as_object_mut().unwrap().remove("id");
    let update = Update::new(TableName::public(table), set.to_string(), of(id as u64));
    runtime.database().send(update).await.map(drop)
}

async fn read(runtime: &Runtime, table: &str) -> BTreeMap<i64, i64> {
    read_of(runtime, None, table).await
}

async fn read_of(runtime: &Runtime, backend: Option<&str>, table: &str) -> BTreeMap<i64, i64> {
    let database = runtime.database_of(backend).await.unwrap();
    let page = database.send(Select::new(TableName::public(table), Query::all())).await.unwrap();
    let rows: Vec<Json> = serde_json::from_slice(&page.body).unwrap();
    let value = |row: &Json| match &row[column(table)] {
        Json::String(text) => text.parse().unwrap(),
        other => other.as_i64().unwrap(),
    };
    rows.iter().map(|row| (row["id"].as_i64().unwrap(), value(row))).collect()
}

async fn begin(by_hand: bool) -> Arc<Runtime> {
    let (runtime, _) = project_of(SCHEMA).await;
    start(&runtime, by_hand, 400).await;
    runtime
}

async fn start(runtime: &Runtime, by_hand: bool, step_ms: u64) {
    let reads = ReadOptions { sample: 100, comparisons: 5, step_ms };
    let options = Options { strategy: Strategy::Gradual, reads, by_hand, ..runtime.switch_options() };
    runtime.steering().start("cloud", options).await.unwrap();
}

async fn moves(runtime: &Runtime, part: &str, there: bool) {
    let before = flips(&latest(runtime).await, part).len();
    if there {
        runtime.steering().move_part(Some(part)).await.unwrap();
    } else {
        runtime.steering().part_back(part).await.unwrap();
    }
    let record = until(runtime, part, |record| flips(record, part).len() > before).await;
    assert_eq!(record::part(&record, part).unwrap().phase == PartPhase::Moved, there);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_move_one_after_the_other_and_nothing_is_lost() {
    let runtime = begin(false).await;
    let writers = Writers::start(&runtime);
    let mut step_ms = 400;
    loop {
        let record = committed(&runtime).await;
        let parts: Vec<_> = record.report.parts.iter().map(|part| (&*part.name, part.tables.len())).collect();
        assert_eq!(parts, [("authors", 2), ("orders", 1), ("stock", 2)]);
        let mut enough = true;
        for part in &record.report.parts {
            assert_eq!((part.phase, part.flips.len()), (PartPhase::Moved, 1), "{}", part.name);
            enough &= are_compared(part.reads.as_ref().unwrap(), 5);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        runtime.switcher().back().await.unwrap();
        assert_eq!(runtime.route().owner, "main");
        if enough {
            break;
        }
        // A busy machine needs more time for as many.
        assert!(step_ms < 10_000, "{:?}", record.report);
        step_ms *= 4;
        runtime.switcher().finalize().await.unwrap();
        start(&runtime, false, step_ms).await;
    }
    let longest = writers.finish(&runtime).await;
    println!("longest write {longest:?}");
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_comes_back_while_others_stay_and_giving_up_brings_all_back() {
    let runtime = begin(true).await;
    let writers = Writers::start(&runtime);
    ready(&runtime).await;
    moves(&runtime, "stock", true).await;
    moves(&runtime, "authors", true).await;
    insert(&runtime, "stock", 1, 5).await.unwrap();
    insert(&runtime, "orders", 1, 5).await.unwrap();
    assert_eq!(read_of(&runtime, Some("cloud"), "stock").await.get(&1), Some(&5));
    assert_eq!(read_of(&runtime, Some("main"), "orders").await.get(&1), Some(&5));
    // The function belongs to the part of its tables.
    let take = Invoke {
        function: TableName::public("take"),
        arguments: Arguments::Json(json!({ "item": 1 }).to_string().into()),
        query: Query::all(),
        read_only: false,
        count: None,
        format: Default::default(),
        transaction: Default::default(),
    };
    runtime.database().send(take).await.unwrap();
    assert_eq!(read_of(&runtime, Some("cloud"), "ledger").await, BTreeMap::from([(1, 1)]));
    moves(&runtime, "stock", false).await;
    assert_eq!(read_of(&runtime, Some("main"), "stock").await.get(&1), Some(&4));
    count(&runtime, "stock", 1, 9).await.unwrap();
    assert_eq!(read_of(&runtime, Some("main"), "stock").await.get(&1), Some(&9));
    moves(&runtime, "stock", true).await;
    assert_eq!(read_of(&runtime, Some("cloud"), "stock").await.get(&1), Some(&9));
    count(&runtime, "stock", 1, 11).await.unwrap();
    let record = runtime.switcher().abort().await.unwrap();
    assert_eq!(record.phase, Phase::Aborted);
    assert_eq!((runtime.route().owner.as_str(), runtime.route().division.is_some()), ("main", false));
    assert_eq!(read(&runtime, "stock").await.get(&1), Some(&11));
    // What was inserted by hand is not what the writers wrote.
    for (table, id) in [("stock", 1), ("orders", 1)] {
        let delete = truststream_services::database::Delete::new(TableName::public(table), of(id));
        runtime.database().send(delete).await.unwrap();
    }
    writers.finish(&runtime).await;
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_crosses_two_backends_is_refused_in_words_and_changes_nothing() {
    let runtime = begin(true).await;
    ready(&runtime).await;
    let insert = |table: &str, id: i64| Insert::new(TableName::public(table), row(table, id, 1).to_string());
    let both = || orders_and_stock(50);
    moves(&runtime, "stock", true).await;
    let error = runtime.database().send(both()).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_018", "{error:?}");
    assert!(error.message().contains("orders") && error.message().contains("stock"), "{error:?}");
    let mut transaction = runtime.database().send(Begin::default()).await.unwrap();
    let cx = truststream_kernel::Context::system();
    transaction.step(&cx, &Step::from(insert("orders", 51))).await.unwrap();
    let error = transaction.step(&cx, &Step::from(insert("stock", 51))).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_018", "{error:?}");
    drop(transaction);
    let mut transaction = runtime.database().send(Begin::default()).await.unwrap();
    transaction.step(&cx, &Step::from(insert("stock", 52))).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(read_of(&runtime, Some("cloud"), "stock").await, BTreeMap::from([(52, 1)]));
    let migrate = Migrate {
        name: "2.sql".into(),
        sql: "create table late (id bigint primary key)".into(),
        dry_run: false,
    };
    assert_eq!(runtime.database().send(migrate.clone()).await.unwrap_err().code(), "BACKEND_011");
    assert_eq!(runtime.switcher().move_part(Some("nothing")).await.unwrap_err().code(), "BACKEND_011");
    moves(&runtime, "stock", false).await;
    runtime.database().send(both()).await.unwrap();
    runtime.switcher().abort().await.unwrap();
    assert_eq!(read(&runtime, "orders").await, BTreeMap::from([(50, 1)]), "nothing of what was refused");
    assert_eq!(read(&runtime, "stock").await, BTreeMap::from([(50, 1), (52, 1)]));
    runtime.database().send(migrate).await.unwrap();
    runtime.close(PATIENCE).await;
}

/// Follows the feed of the project as a subscriber does, whatever serves.
async fn subscriber(
    runtime: &Arc<Runtime>,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<Vec<(String, ChangeKind, i64)>> {
    let (database, stop) = (runtime.database().clone(), Arc::clone(stop));
    let tables = WRITTEN.iter().map(|table| TableName::public(*table)).collect();
    let mut at = database.send(Capture { consumer: "test".into(), tables }).await.unwrap();
    tokio::spawn(async move {
        let mut seen = Vec::new();
        let mut last_looks = 20;
        while last_looks > 0 {
            let is_over = stop.load(Ordering::SeqCst);
            let ask = Changes { after: Some(at), limit: 100, wait: Duration::from_millis(50) };
            let batch = database.send(ask).await.unwrap();
            last_looks -= u32::from(is_over && batch.changes.is_empty());
            for change in batch.changes {
                let row = change.new.as_ref().or(change.old.as_ref()).unwrap();
                let id = row.get("id").unwrap().to_text().unwrap().parse().unwrap();
                seen.push((change.table.name.clone(), change.kind, id));
            }
            at = batch.position;
        }
        seen
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_of_a_part_see_every_change_once_and_in_order() {
    let runtime = begin(true).await;
    let stop = Arc::new(AtomicBool::new(false));
    let reader = subscriber(&runtime, &stop).await;
    let writers = Writers::start(&runtime);
    ready(&runtime).await;
    for (part, there) in [("orders", true), ("stock", true), ("orders", false), ("orders", true)] {
        moves(&runtime, part, there).await;
    }
    runtime.switcher().move_part(None).await.unwrap();
    until(&runtime, "commit", |record| record.phase == Phase::Committed).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    writers.finish(&runtime).await;
    stop.store(true, Ordering::SeqCst);
    let seen = reader.await.unwrap();
    for table in WRITTEN {
        let of_table: Vec<_> =
            seen.iter().filter(|(name, ..)| name == table).map(|(_, kind, id)| (*kind, *id)).collect();
        let wanted: Vec<_> = read(&runtime, table)
            .await
            .keys()
            .flat_map(|id| [(ChangeKind::Insert, *id), (ChangeKind::Update, *id)])
            .collect();
        assert_eq!(of_table, wanted, "{table}");
    }
    runtime.close(PATIENCE).await;
}
