use std::time::{Duration, Instant};

use super::*;
use crate::fake::{Fake, admin, read, write};

fn breaker(open: Duration) -> Arc<Breaker> {
    let config = BreakerConfig { failures: 3, open, ..BreakerConfig::default() };
    Arc::new(Breaker::new("main", "fake", config))
}

async fn ask(breaker: &Arc<Breaker>, fake: &Fake, times: usize) -> Vec<bool> {
    let stack = BreakerLayer::new(Arc::clone(breaker), &[]).wrap(fake.stack());
    let mut answers = Vec::new();
    for _ in 0..times {
        answers.push(stack.call(&Context::system(), &read()).await.is_ok());
    }
    answers
}

#[tokio::test]
async fn a_provider_that_is_down_is_left_alone_until_one_call_finds_it_back() {
    // What is asked while it is open has to be asked before another call may try: where the machine stood
    // still for so long, it is asked again of one that is open for longer.
    let mut open = Duration::from_millis(50);
    while !is_left_alone(open).await {
        assert!(open < Duration::from_secs(30), "there was never time to ask while it was open");
        open *= 6;
    }
}

/// Whether there was time to ask while it was open.
async fn is_left_alone(open: Duration) -> bool {
    let breaker = breaker(open);
    let fake = Fake::failing(4, || Error::unavailable("gone"));
    let began = Instant::now();
    let answers = ask(&breaker, &fake, 10).await;
    let state = (fake.calls(), breaker.state());
    if began.elapsed() >= open {
        return false;
    }
    assert_eq!((answers, state), (vec![false; 10], (3, BreakerState::Open)));
    assert!(breaker.down_for().is_some());
    tokio::time::sleep(open + Duration::from_millis(10)).await;
    let began = Instant::now();
    let (answers, calls) = (ask(&breaker, &fake, 5).await, fake.calls());
    if began.elapsed() >= open {
        return false;
    }
    assert_eq!((answers, calls), (vec![false; 5], 4), "the one that tried found it down");
    tokio::time::sleep(open + Duration::from_millis(10)).await;
    assert_eq!(ask(&breaker, &fake, 5).await, [true; 5]);
    let status = breaker.status();
    assert_eq!((status.state, status.failures, status.down_since_ms), (BreakerState::Closed, 0, None));
    assert!(status.answered_ms.is_some());
    let states: Vec<_> = status.history.iter().map(|transition| transition.to).collect();
    assert_eq!(states, [BreakerState::Open, BreakerState::Closed]);
    assert_eq!(status.history[0].reason, "3 failures in a row, the last: gone");
    true
}

#[tokio::test]
async fn what_it_refuses_was_not_applied_and_says_when_to_come_back() {
    let breaker = breaker(Duration::from_secs(3600));
    (0..3).for_each(|_| breaker.failed("gone"));
    let fake = Fake::default();
    let stack = BreakerLayer::new(Arc::clone(&breaker), &[]).wrap(fake.stack());
    let error = stack.call(&Context::system(), &write()).await.unwrap_err();
    assert_eq!(error.outcome(), truststream_kernel::Outcome::NotApplied);
    let truststream_kernel::Retry::Later(Some(wait)) = error.retry() else { panic!("{error:?}") };
    assert!(wait > Duration::from_secs(3000) && wait <= Duration::from_secs(3600), "{wait:?}");
    assert_eq!(fake.calls(), 0);
    stack.call(&Context::system(), &admin()).await.unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed, "administration found it back");
}

#[tokio::test]
async fn errors_of_those_who_ask_don_t_open_it() {
    let breaker = breaker(Duration::from_secs(60));
    for make in [|| Error::permission_denied("no"), || Error::timeout("took long"), || Error::internal("x")] {
        ask(&breaker, &Fake::failing(30, make), 30).await;
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn many_failures_among_answers_open_it_too() {
    let config = BreakerConfig { failures: 0, least_calls: 10, ..BreakerConfig::default() };
    let breaker = Breaker::new("main", "fake", config);
    for _ in 0..4 {
        breaker.succeeded();
        breaker.failed("gone");
    }
    assert_eq!(breaker.state(), BreakerState::Closed, "too few calls to say");
    breaker.succeeded();
    breaker.failed("gone");
    assert_eq!(breaker.state(), BreakerState::Open);
    assert!(breaker.status().history[0].reason.starts_with("5 of 10 calls failed"));
}

#[test]
fn a_window_that_is_over_does_not_count() {
    let config = BreakerConfig { failures: 0, least_calls: 2, window: Duration::ZERO, ..Default::default() };
    let breaker = Breaker::new("main", "fake", config);
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(1));
        breaker.failed("gone");
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test]
async fn what_is_answered_from_memory_tells_nothing() {
    let breaker = breaker(Duration::from_secs(60));
    let stack = BreakerLayer::new(Arc::clone(&breaker), &["read"]).wrap(Fake::default().stack());
    for _ in 0..3 {
        stack.call(&Context::system(), &read()).await.unwrap();
        breaker.failed("gone");
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    stack.call(&Context::system(), &read()).await.unwrap();
    assert_eq!(breaker.state(), BreakerState::Open);
}
