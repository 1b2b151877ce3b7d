use truststream_kernel::{ErrorKind, Outcome};

use super::*;
use crate::fake::{Fake, admin, read, write};
use crate::{RetryConfig, RetryLayer, fold};

async fn ask(faults: &Faults, fake: &Fake) -> Result<()> {
    faults.wrap(fake.stack()).call(&Context::system(), &write()).await
}

#[tokio::test]
async fn an_error_strikes_before_anything_is_done_and_ends_when_it_is_removed() {
    let (faults, fake) = (Faults::default(), Fake::default());
    let id = faults.add(Fault::error(ErrorKind::Conflict).on("fake.write"));
    let error = ask(&faults, &fake).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "40001"));
    assert_eq!((error.outcome(), fake.calls()), (Outcome::NotApplied, 0));
    assert_eq!((faults.struck(id), faults.remove(id), faults.remove(id)), (Some(1), Some(1), None));
    ask(&faults, &fake).await.unwrap();
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn of_a_write_whose_connection_is_lost_nobody_knows_whether_it_was_applied() {
    for (applied, calls) in [(Applied::Never, 0), (Applied::Always, 1)] {
        let (faults, fake) = (Faults::default(), Fake::default());
        faults.add(Fault::connection_lost(applied));
        let error = ask(&faults, &fake).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
        assert_eq!(fake.calls(), calls);
    }
    let (faults, fake) = (Faults::seeded(1), Fake::default());
    faults.add(Fault::connection_lost(Applied::Either));
    for _ in 0..100 {
        ask(&faults, &fake).await.unwrap_err();
    }
    assert!((30..=70).contains(&fake.calls()), "{} of 100 were applied", fake.calls());
}

#[tokio::test]
async fn what_the_operation_reports_itself_comes_first() {
    let (faults, fake) = (Faults::default(), Fake::failing(1, || Error::invalid_input("no")));
    faults.add(Fault::connection_lost(Applied::Always));
    assert_eq!(ask(&faults, &fake).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn the_same_seed_strikes_the_same_operations() {
    let run = async |seed| {
        let (faults, fake) = (Faults::seeded(seed), Fake::default());
        faults.add(Fault::error(ErrorKind::Unavailable).rate(0.3));
        let mut failed = Vec::new();
        for call in 0..200 {
            if ask(&faults, &fake).await.is_err() {
                failed.push(call);
            }
        }
        failed
    };
    let first = run(7).await;
    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
    assert!((40..=80).contains(&first.len()), "{} of 200 at a rate of 0.3", first.len());
}

#[tokio::test]
async fn it_strikes_as_often_as_it_may() {
    let (faults, fake) = (Faults::default(), Fake::default());
    faults.add(Fault::error(ErrorKind::Unavailable).times(2));
    let mut failed = 0;
    for _ in 0..5 {
        failed += u32::from(ask(&faults, &fake).await.is_err());
    }
    assert_eq!((failed, fake.calls()), (2, 3));
}

#[tokio::test]
async fn administration_is_only_struck_by_its_name() {
    let (faults, fake) = (Faults::default(), Fake::default());
    let stack = faults.wrap(fake.stack());
    let all = faults.add(Fault::error(ErrorKind::Internal));
    stack.call(&Context::system(), &admin()).await.unwrap();
    stack.call(&Context::system(), &read()).await.unwrap_err();
    faults.remove(all);
    faults.add(Fault::error(ErrorKind::Internal).on("other.read").on("admin"));
    stack.call(&Context::system(), &read()).await.unwrap();
    stack.call(&Context::system(), &admin()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn latencies_add_up_and_jitter_stays_in_its_bounds() {
    let (faults, fake) = (Faults::seeded(3), Fake::default());
    faults.add(Fault::latency(Duration::from_millis(100)));
    faults.add(Fault::latency(Duration::from_millis(10)).jitter(Duration::from_millis(50)));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let start = tokio::time::Instant::now();
        ask(&faults, &fake).await.unwrap();
        let took = start.elapsed();
        assert!((110..=161).contains(&took.as_millis()), "{took:?}");
        seen.insert(took);
    }
    assert!(seen.len() > 5, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn retries_bear_what_may_be_repeated() {
    let (faults, fake) = (Faults::default(), Fake::default());
    faults.add(Fault::error(ErrorKind::Unavailable).times(2));
    let retry = RetryLayer::new(RetryConfig::default());
    let stack = fold(&fake.stack(), &[&retry, &faults]);
    stack.call(&Context::system(), &write()).await.unwrap();
    faults.add(Fault::connection_lost(Applied::Always).times(1));
    let error = stack.call(&Context::system(), &write()).await.unwrap_err();
    assert_eq!((error.outcome(), fake.calls()), (Outcome::Unknown, 2));
}

#[test]
fn a_step_fails_in_batches_only_and_nothing_of_them_is_applied() {
    let faults = Faults::default();
    faults.add(Fault::error(ErrorKind::Constraint).at_step(2));
    let info = |name| OpInfo { name, ..write().info() };
    assert!(faults.strike("database", &info("insert")).is_none());
    let (error, applied) =
        faults.strike("database", &info("batch")).and_then(|strike| strike.failure).unwrap();
    assert_eq!((error.kind(), error.step(), applied), (ErrorKind::Constraint, Some(2), false));
}

#[test]
fn faults_are_read_from_a_configuration() {
    let text = r#"{"seed": 4, "rules": [
        {"operations": ["insert"], "error": "connection_lost", "applied": "either", "rate": 0.5},
        {"latency": "20ms", "jitter": "5ms", "times": 3}, {"error": "rate_limited"}]}"#;
    let config: FaultsConfig = serde_json::from_str(text).unwrap();
    let lost = Fault::connection_lost(Applied::Either).on("insert").rate(0.5);
    let late = Fault::latency(Duration::from_millis(20)).jitter(Duration::from_millis(5)).times(3);
    assert_eq!(config.rules, [lost, late, Fault::error(ErrorKind::RateLimited)]);
    let wrong = serde_json::from_str::<Fault>(r#"{"error": "boom"}"#).unwrap_err().to_string();
    assert!(
        wrong.contains("no kind of error is named `boom`; expected connection_lost or one of"),
        "{wrong}"
    );
}
