//! Tenants that move while several gateways serve.

use super::super::gateways::{close, fleet_of, knows};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn tenants_move_there_and_back_under_writes_through_every_gateway() {
    let (gateways, _) = fleet_of(SCHEMA).await;
    let [leader, other] = &gateways;
    start(leader).await;
    let members = [(leader, 1000), (other, 1_000_000)].map(|(one, first)| Members::start_at(one, first));
    // Whoever is asked.
    Box::pin(moves_under_reads(other, "acme")).await;
    moves(leader, "globex", true).await;
    for gateway in &gateways {
        knows(gateway, &[("tenant:acme", true), ("tenant:globex", true)]).await;
        gateway.database().send(Select::new(table("authors"), of("acme", None))).await.unwrap();
        let error = gateway.database().send(Select::new(table("authors"), Query::all())).await.unwrap_err();
        assert_eq!(error.code(), "BACKEND_018", "{error:?}");
    }
    other.database().send(author("acme", 2, "second")).await.unwrap();
    assert!(there(leader, "cloud", "acme").await.contains_key(&2));
    moves(other, "acme", false).await;
    leader.database().send(Delete::new(table("authors"), of("acme", Some(2)))).await.unwrap();
    other.steering().move_part(None).await.unwrap();
    committed(other).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    other.steering().back().await.unwrap();
    let [one, two] = members;
    let (mut told, more) = (one.stop().await, two.stop().await);
    for (org, rows) in more {
        told.entry(org).or_default().extend(rows);
    }
    for gateway in &gateways {
        for (org, wanted) in &told {
            let found = authors_of(gateway.database(), of(org, None)).await.unwrap();
            assert_eq!(&found, wanted, "{org}");
        }
    }
    no_strays(leader).await;
    close(&gateways).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_over_goes_on_with_the_tenants_as_they_stand() {
    let (gateways, _) = fleet_of(SCHEMA).await;
    let [leader, other] = &gateways;
    start(leader).await;
    moves(leader, "acme", true).await;
    leader.close(PATIENCE).await;
    let members = Members::start(other);
    // It leads from now on: one tenant returns, another one goes.
    moves(other, "acme", false).await;
    moves(other, "globex", true).await;
    assert!(there(other, "cloud", "globex").await.contains_key(&1));
    let record = other.steering().abort().await.unwrap();
    assert_eq!((record.phase, other.route().division.is_some()), (Phase::Aborted, false));
    members.finish(other).await;
    other.close(PATIENCE).await;
}
