//! Parts that move while several gateways serve: what one of them has seen, the others have not.

use super::super::gateways::{close, fleet_of, knows};
use super::*;

fn tables_of(record: &Record, part: &str) -> Vec<String> {
    let found = record.report.parts.iter().find(|report| report.name == part);
    found.iter().flat_map(|report| &report.tables).map(|table| table.name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_move_there_and_back_under_writes_through_every_gateway() {
    let (gateways, _) = fleet_of(SCHEMA).await;
    let writers = [(0, 1_000), (1, 1_000_000)].map(|(one, first)| Writers::start_at(&gateways[one], first));
    let [leader, other] = &gateways;
    // Long enough for each part to be read meanwhile.
    start(leader, true, 1_000).await;
    ready(other).await;
    // Whoever is asked.
    moves(other, "ledger", true).await;
    moves(leader, "authors", true).await;
    moves(other, "ledger", false).await;
    for gateway in &gateways {
        knows(gateway, &[("authors", true), ("ledger", false), ("orders", false)]).await;
    }
    other.steering().move_part(None).await.unwrap();
    let record = committed(other).await;
    for part in &record.report.parts {
        let reads = part.reads.as_ref().unwrap();
        assert!(are_compared(reads, 1), "{}: {reads:?}", part.name);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    other.steering().back().await.unwrap();
    let [one, two] = writers;
    let (mut told, more) = (one.stop().await, two.stop().await);
    for (table, rows) in more {
        told.entry(table).or_default().extend(rows);
    }
    for gateway in &gateways {
        for (table, wanted) in &told {
            assert_eq!(&read(gateway, table).await, wanted, "{table}");
        }
    }
    no_strays(leader).await;
    close(&gateways).await;
}

/// Whether a part is being cut over, or has been, as far as a gateway knows. It knows before that is done.
fn leaves(gateway: &Runtime, part: &str) -> bool {
    let route = gateway.route();
    let mut parts = route.division.iter().flat_map(|division| &division.parts);
    parts.any(|one| one.name == part && (one.fenced || one.moved))
}

/// Writes through one gateway and reads through the other at once, until the part leaves; returns how often.
async fn write_here_read_there(here: Arc<Runtime>, there: Arc<Runtime>, first: i64) -> i64 {
    for id in first.. {
        insert(&here, "orders", id, 0).await.unwrap();
        count(&here, "orders", id, id).await.unwrap();
        let seen = read(&there, "orders").await.get(&id).copied();
        if leaves(&here, "orders") {
            return id - first;
        }
        assert_eq!(seen, Some(id), "written through one gateway, read through the other");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    unreachable!("numbers do not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_through_one_gateway_is_read_through_the_other_while_reads_move() {
    let (gateways, _) = fleet_of(SCHEMA).await;
    let [leader, other] = &gateways;
    start(leader, true, 400).await;
    ready(other).await;
    let reads_of = async |part: &str| {
        let parts = latest(leader).await.report.parts;
        parts.into_iter().find(|report| report.name == part).unwrap().reads.unwrap()
    };
    let (began, mut first) = (Instant::now(), 1);
    loop {
        let client = write_here_read_there(Arc::clone(leader), Arc::clone(other), first);
        let client = tokio::spawn(client);
        moves(leader, "orders", true).await;
        let (written, reads) = (client.await.unwrap(), reads_of("orders").await);
        // Served by the gateway that does not lead.
        if are_compared(&reads, 1) && reads.served > 0 && written > 20 {
            break;
        }
        // On a busy machine it may have left before there was as much.
        assert!(began.elapsed() < PATIENCE, "{written} written, {reads:?}");
        moves(leader, "orders", false).await;
        for gateway in &gateways {
            knows(gateway, &[("authors", false), ("ledger", false), ("orders", false)]).await;
        }
        first += 10_000;
    }
    moves(other, "ledger", true).await;
    let reads = reads_of("ledger").await;
    assert_eq!((reads.served, reads.equal), (0, 0), "what was found before is not counted again");
    // Both are served the moved part by its new owner.
    for gateway in &gateways {
        knows(gateway, &[("authors", false), ("ledger", true), ("orders", true)]).await;
    }
    let wanted = read_of(leader, Some("cloud"), "orders").await;
    for gateway in &gateways {
        assert_eq!(read(gateway, "orders").await, wanted);
    }
    insert(other, "orders", 900_000, 1).await.unwrap();
    assert_eq!(read(leader, "orders").await.get(&900_000), Some(&1));
    close(&gateways).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_differs_is_found_by_the_gateway_that_does_not_lead() {
    let (gateways, cloud) = fleet_of(SCHEMA).await;
    let [leader, other] = &gateways;
    insert(leader, "orders", 7, 7).await.unwrap();
    // It ends with the first answer that differs.
    start(leader, true, 20_000).await;
    ready(other).await;
    let (direct, connection) = tokio_postgres::connect(&cloud, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    direct.batch_execute("update orders set total = 8 where id = 7").await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (other, stop) = (Arc::clone(other), Arc::clone(&stop));
        async move {
            while !stop.load(Ordering::SeqCst) {
                assert_eq!(read(&other, "orders").await, BTreeMap::from([(7, 7)]));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    leader.steering().move_part(Some("orders")).await.unwrap();
    let record = until(leader, "abort", |record| record.phase == Phase::Aborted).await;
    // Nobody is answered by the side that is emptied.
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::SeqCst);
    reader.await.unwrap();
    let failure = record.report.failure.unwrap();
    assert!(failure.contains("cloud answers a read otherwise: select public.orders"), "{failure}");
    close(&gateways).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_gateway_saw_written_together_moves_together() {
    let (gateways, _) = fleet_of(SCHEMA).await;
    let [leader, other] = &gateways;
    start(leader, true, 400).await;
    ready(other).await;
    // Only this one has seen it.
    other.database().send(orders_and_stock(1)).await.unwrap();
    leader.steering().move_part(Some("ledger")).await.unwrap();
    let record = until(leader, "ledger", |record| {
        record.report.parts.iter().any(|part| part.name == "ledger" && part.flips.len() == 1)
    })
    .await;
    assert_eq!(tables_of(&record, "ledger"), ["ledger", "stock", "orders"]);
    for (gateway, id) in [(leader, 2), (other, 3)] {
        gateway.database().send(orders_and_stock(id)).await.unwrap();
    }
    assert_eq!(read_of(leader, Some("cloud"), "stock").await, BTreeMap::from([(1, 1), (2, 1), (3, 1)]));
    leader.steering().abort().await.unwrap();
    assert_eq!(read(other, "orders").await, BTreeMap::from([(1, 1), (2, 1), (3, 1)]));
    close(&gateways).await;
}
