//! An application that tests its own resilience: a payment must be booked exactly once although the
//! connection breaks after it was booked, and however often the database is busy.
//!
//! `cargo run -p truststream --example faults`

use std::time::Duration;

use serde_json::json;
use truststream::{Applied, ErrorKind, Fault, Outcome, Result, TrustStream};

const MIGRATION: &str = "create table payments (id text primary key, cents int not null check (cents > 0));";

/// What is under test. A write whose outcome is unknown is safe to repeat because the payment
/// carries its own key: the second attempt finds it there.
async fn pay(db: &TrustStream, id: &str, cents: i64) -> Result<()> {
    let payment = json!({ "id": id, "cents": cents });
    for attempt in 1.. {
        let Err(error) = db.from("payments").upsert(&payment).ignore_duplicates().await else { break };
        let unknown = error.outcome() == Outcome::Unknown;
        let busy = error.kind() == ErrorKind::Unavailable;
        if attempt == 5 || !(unknown || busy) {
            return Err(error);
        }
        println!("attempt {attempt} for {id}: {error}");
        tokio::time::sleep(Duration::from_millis(10 * attempt)).await;
    }
    Ok(())
}

async fn booked(db: &TrustStream) -> Result<u64> {
    db.from("payments").select("id").count().await
}

#[tokio::main]
async fn main() -> Result<()> {
    let db = TrustStream::in_memory().await?;
    db.migrate("1_payments.sql", MIGRATION).await?;

    println!("the reply is lost after the payment was booked");
    let lost = Fault::connection_lost(Applied::Always).on("database.insert").times(1);
    let lost = db.faults().add(lost);
    pay(&db, "rent", 90_000).await?;
    assert_eq!((booked(&db).await?, db.faults().remove(lost)), (1, Some(1)));

    println!("half of all writes fail, some before, some after they were applied");
    let lost = db.faults().add(Fault::connection_lost(Applied::Either).on("insert").rate(0.5));
    for day in 1..=20 {
        pay(&db, &format!("coffee-{day}"), 250).await?;
    }
    let broken = db.faults().remove(lost).unwrap_or_default();
    assert_eq!(booked(&db).await?, 21);
    println!("{broken} connections broke, every payment is booked once");

    println!("what can't succeed is not repeated");
    let refused = pay(&db, "refund", -1).await;
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::Constraint));
    db.close().await;
    Ok(())
}
