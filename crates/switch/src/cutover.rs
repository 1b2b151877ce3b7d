//! Changing the owner of the route, with no write lost and none refused.
//!
//! Fence, drain, read the end, apply up to it, arm the way back, open: in that order. Each of these
//! steps out of order is a known way to lose writes (docs/switching.md).

use std::time::{Duration, Instant};

use truststream_kernel::{Error, Outcome, Result};
use truststream_services::database::{Changes, Position, Prepare};

use crate::Route;
use crate::follow::Follower;
use crate::record::{Flip, now_ms};
use crate::routes::Routes;

/// How often a cut-over that would pause writes too long is tried again.
const ATTEMPTS: u32 = 20;

/// Makes the follower's target the owner of the route. Returns what happened and the position of
/// the new owner's feed from which on its own changes follow.
///
/// # Errors
/// When catching up never ends inside `max_pause`, or a step fails: the fence is lifted then, and
/// the old owner serves as before.
pub(crate) async fn cut_over(
    routes: &Routes,
    follower: &mut Follower,
    max_pause: Duration,
) -> Result<(Flip, Position)> {
    let mut delay = Duration::from_millis(50);
    for attempt in 1..=ATTEMPTS {
        follower.catch_up().await.map_err(before_commit)?;
        match try_once(routes, follower, max_pause).await? {
            Some((mut flip, start)) => {
                flip.attempts = attempt;
                return Ok((flip, start));
            }
            None => {
                tracing::warn!(
                    attempt,
                    "catching up did not end inside the longest pause; trying again later"
                );
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(Duration::from_secs(5));
            }
        }
    }
    Err(Error::timeout(format!("writes could not be held for less than {} ms", max_pause.as_millis()))
        .with_hint("start the switch when there is less to write, or allow a longer pause with --max-pause"))
}

async fn try_once(
    routes: &Routes,
    follower: &mut Follower,
    max_pause: Duration,
) -> Result<Option<(Flip, Position)>> {
    let gate = routes.gate();
    let open = gate.route();
    gate.take_held();
    let fenced = open.fence(u64::MAX);
    routes.change(fenced.clone()).await.map_err(before_commit)?;
    let began = Instant::now();
    let drained = tokio::time::timeout(max_pause, drain(routes, follower)).await;
    let (end, start) = match drained {
        Ok(Ok(positions)) => positions,
        other => {
            routes.change(fenced.lift()).await.map_err(before_commit)?;
            return match other {
                Ok(Err(error)) => Err(before_commit(error)),
                _ => Ok(None),
            };
        }
    };
    let to = follower.target.name.clone();
    hand_over(routes, &fenced, &to, end, start.clone()).await?;
    let pause_ms = began.elapsed().as_secs_f64() * 1000.0;
    let (held, _) = gate.take_held();
    let flip = Flip { from: open.owner.clone(), to, at_ms: now_ms(), pause_ms, held, attempts: 1 };
    Ok(Some((flip, start)))
}

/// Whatever an operation on the way left unknown: the route has not changed.
fn before_commit(error: Error) -> Error {
    error.with_outcome(Outcome::NotApplied)
}

/// Changes the owner. This is the commit: when the store fails in it, what it holds decides.
///
/// # Errors
/// With the old owner open again; or, where the store does not answer at all, with the outcome
/// `Unknown` and writes still held: nobody may serve before it is known who does.
async fn hand_over(routes: &Routes, fenced: &Route, to: &str, end: Position, start: Position) -> Result<()> {
    let next = fenced.hand_over(to, end, start);
    let Err(error) = routes.change(next.clone()).await else { return Ok(()) };
    match routes.stored().await {
        Ok(stored) if stored == next => {
            tracing::warn!(?error, "the new route was stored although the store failed");
            routes.adopt(next)
        }
        Ok(stored) if stored == *fenced => {
            routes.change(fenced.lift()).await.map_err(before_commit)?;
            Err(before_commit(error))
        }
        _ => {
            tracing::error!(?error, "whether the new route is stored can't be told; writes stay held");
            Err(error.with_outcome(Outcome::Unknown))
        }
    }
}

/// Brings the target to the very end of the fenced source's feed. Returns that end and the place in
/// the target's feed where its own changes will begin.
async fn drain(routes: &Routes, follower: &mut Follower) -> Result<(Position, Position)> {
    routes.gate().drained().await;
    let end = end_of(&follower.source.database).await?;
    follower.catch_up().await?;
    follower.target.database.send(Prepare::Identities).await?;
    let start = end_of(&follower.target.database).await?;
    Ok((end, start))
}

async fn end_of(database: &truststream_services::database::Database) -> Result<Position> {
    let ask = Changes { after: None, limit: 0, wait: Duration::ZERO };
    Ok(database.send(ask).await?.position)
}
