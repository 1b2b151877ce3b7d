//! Writes at the gate.

use truststream_kernel::Outcome;

use super::*;
use crate::machine::Hold;

fn gate() -> Arc<Gate> {
    Gate::new(Route::first("main"), Held { time: Duration::from_millis(200), count: 1 })
}

#[tokio::test(start_paused = true)]
async fn a_fence_waits_for_writes_in_flight_and_holds_new_ones() {
    let gate = gate();
    let in_flight = gate.admit(Effect::Write).await.unwrap();
    gate.adopt(gate.route().fence(Hold::of(Duration::MAX)));
    assert!(tokio::time::timeout(Duration::from_millis(20), gate.drained()).await.is_err());

    let held = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.admit(Effect::Write).await.map(|pass| pass.route().owner.clone()) }
    });
    while gate.writes.lock().waiting == 0 {
        tokio::task::yield_now().await;
    }
    drop(in_flight);
    gate.drained().await;
    assert!(gate.admit(Effect::Read).await.is_ok());
    let end = truststream_services::database::Position::Sequence(1);
    gate.adopt(gate.route().hand_over("cloud", end.clone(), end));
    assert_eq!(held.await.unwrap().unwrap(), "cloud");
    assert_eq!(gate.take_held().0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_held_too_long_is_refused_without_effect() {
    let gate = gate();
    gate.adopt(gate.route().fence(Hold::of(Duration::MAX)));
    let error = gate.admit(Effect::Write).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert_eq!(error.outcome(), truststream_kernel::Outcome::NotApplied);
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_writes_wait_and_those_in_flight_are_broken_off() {
    let gate = gate();
    gate.begin_anew(Route::first("main"), Instant::now() + Duration::from_millis(50));
    let pass = gate.admit(Effect::Write).await.unwrap();
    let error = pass.within(std::future::pending::<Result<()>>()).await.unwrap_err();
    assert_eq!((error.code(), error.outcome()), ("BACKEND_015", Outcome::Unknown));
    assert_eq!(gate.admit(Effect::Write).await.err().unwrap().kind(), ErrorKind::Fenced);
    assert!(gate.admit(Effect::Read).await.is_ok());
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.admit(Effect::Write).await.is_ok() }
    });
    while gate.writes.lock().waiting == 0 {
        tokio::task::yield_now().await;
    }
    gate.begin_anew(Route::first("main"), Instant::now() + Duration::from_secs(5));
    assert!(waiting.await.unwrap());
    let error = pass.within(async { Ok(()) }).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_015", "it was admitted under the lease before");
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_goes_on_as_long_as_the_lease_is_renewed() {
    let gate = gate();
    gate.begin_anew(Route::first("main"), Instant::now() + Duration::from_millis(60));
    let pass = gate.admit(Effect::Write).await.unwrap();
    let work = async {
        tokio::time::sleep(Duration::from_millis(120)).await;
        Ok(7)
    };
    let renewal = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        gate.renew(Instant::now() + Duration::from_secs(5));
    };
    let (done, ()) = tokio::join!(pass.within(work), renewal);
    assert_eq!(done.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_backend_did_is_counted_and_not_acknowledged() {
    let gate = gate();
    let (before, read) = (gate.admit(Effect::Write).await.unwrap(), gate.admit(Effect::Read).await.unwrap());
    before.acknowledge().unwrap();
    let end = truststream_services::database::Position::Sequence(1);
    gate.adopt(gate.route().hand_over("spare", end.clone(), end));
    let error = before.acknowledge().unwrap_err();
    assert_eq!((error.code(), error.outcome()), ("BACKEND_021", Outcome::Unknown));
    read.acknowledge().unwrap();
    assert_eq!(gate.acknowledged(), 2, "whoever asks after the change of route knows of both");
}

#[tokio::test(start_paused = true)]
async fn a_route_that_comes_late_changes_nothing() {
    let gate = gate();
    let (open, fenced) = (gate.route(), gate.route().fence(Hold::of(Duration::MAX)));
    gate.adopt(fenced.lift());
    gate.adopt(fenced);
    assert_eq!((gate.route().epoch, gate.route().fenced), (open.epoch + 2, false));
}
