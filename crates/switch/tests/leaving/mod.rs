//! A gateway that is closed is one of several no more.

use std::time::{Duration, Instant};

use crate::gradual::gateways::{close, fleet_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_was_closed_does_not_come_back() {
    let ([first, second], _) = fleet_of("create table notes (id int primary key)").await;
    close(std::slice::from_ref(&first)).await;
    // It would come back with its next beats, which are less than three seconds apart.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(7) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let members = second.steering().members();
        assert!(members.iter().all(|member| member.own), "{members:?}");
    }
    // Nothing was in flight in it: no other lets a write wait for it.
    assert_eq!(second.steering().members().len(), 1);
    close(std::slice::from_ref(&second)).await;
}
