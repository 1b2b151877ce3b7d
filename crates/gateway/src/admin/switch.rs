//! Switches by the operator's API.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use truststream_kernel::Result;
use truststream_switch::{Progress, Record, Strategy, Stray, StrayLog, TenantOptions, Verify};

use super::Admin;
use super::reply::{error, json};

/// What a switch is started with; what is absent is as the configuration says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    to: String,
    strategy: Option<Strategy>,
    chunk: Option<usize>,
    max_pause_ms: Option<u64>,
    hold_ms: Option<u64>,
    verify: Option<Verify>,
    repair: Option<bool>,
    throttle: Option<u8>,
    max_latency_ms: Option<u64>,
    max_slowdown: Option<u16>,
    rollback_window_ms: Option<u64>,
    stray: Option<Stray>,
    shadow: Option<u8>,
    read_step_ms: Option<u64>,
    by_hand: Option<bool>,
    tenants: Option<String>,
    tenant_claim: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct To {
    to: String,
}

/// A part of a switch.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfPart {
    part: Option<String>,
}

/// Two backends to compare.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compared {
    source: String,
    target: String,
    verify: Option<Verify>,
    repair: Option<bool>,
}

/// The latest switch, how far it is, and what was written directly to
/// the backend that served before.
#[derive(Serialize)]
struct Shown {
    record: Option<Record>,
    progress: Option<Progress>,
    strays: Option<StrayLog>,
}

pub(super) async fn show(State(admin): State<Admin>) -> Response {
    let switcher = admin.runtime.switcher();
    let progress = admin.runtime.steering().progress().await;
    let shown = async {
        let (record, strays) = (switcher.latest().await?, switcher.strays().await?);
        Ok(Shown { record, progress, strays })
    };
    answer(StatusCode::OK, shown.await)
}

pub(super) async fn plan(State(admin): State<Admin>, Query(to): Query<To>) -> Response {
    answer(StatusCode::OK, admin.runtime.switcher().plan(&to.to).await)
}

pub(super) async fn rehearse(State(admin): State<Admin>, Query(to): Query<To>) -> Response {
    // To its end even if the caller goes away: what it copied has to be removed again.
    let work = async move { admin.runtime.steering().rehearse(&to.to).await };
    let broke_off =
        |error| Err(truststream_kernel::Error::internal("the rehearsal broke off").with_source(error));
    answer(StatusCode::OK, tokio::spawn(work).await.unwrap_or_else(broke_off))
}

pub(super) async fn start(State(admin): State<Admin>, Json(start): Json<Start>) -> Response {
    let mut options = admin.runtime.switch_options();
    options.chunk = start.chunk.unwrap_or(options.chunk).max(1);
    options.max_pause_ms = start.max_pause_ms.unwrap_or(options.max_pause_ms);
    options.verify = start.verify.unwrap_or(options.verify);
    options.repair = start.repair.unwrap_or(options.repair);
    options.strategy = start.strategy.unwrap_or(options.strategy);
    options.hold_ms = start.hold_ms.or(options.hold_ms);
    options.throttle = start.throttle.unwrap_or(options.throttle);
    options.max_latency_ms = start.max_latency_ms.or(options.max_latency_ms);
    options.max_slowdown = start.max_slowdown.unwrap_or(options.max_slowdown);
    options.rollback_window_ms = start.rollback_window_ms.or(options.rollback_window_ms);
    options.stray = start.stray.unwrap_or(options.stray);
    options.reads.sample = start.shadow.unwrap_or(options.reads.sample);
    options.reads.step_ms = start.read_step_ms.unwrap_or(options.reads.step_ms);
    options.by_hand = start.by_hand.unwrap_or(options.by_hand);
    let claim = start.tenant_claim;
    options.tenants = start.tenants.map(|column| TenantOptions { column, claim });
    answer(StatusCode::ACCEPTED, admin.runtime.steering().start(&start.to, options).await)
}

/// A part, or all that are left; it goes on by itself.
pub(super) async fn move_part(State(admin): State<Admin>, Query(of): Query<OfPart>) -> Response {
    answer(StatusCode::ACCEPTED, admin.runtime.steering().move_part(of.part.as_deref()).await)
}

/// Everything, or a part of a switch that has not committed.
pub(super) async fn back(State(admin): State<Admin>, Query(of): Query<OfPart>) -> Response {
    if let Some(part) = of.part {
        return answer(StatusCode::ACCEPTED, admin.runtime.steering().part_back(&part).await);
    }
    answer(
        StatusCode::OK,
        detached(admin, |admin| async move { admin.runtime.steering().back().await }).await,
    )
}

pub(super) async fn finalize(State(admin): State<Admin>) -> Response {
    answer(
        StatusCode::OK,
        detached(admin, |admin| async move { admin.runtime.steering().finalize().await }).await,
    )
}

pub(super) async fn verify(State(admin): State<Admin>, Json(compared): Json<Compared>) -> Response {
    let mut options = admin.runtime.switch_options();
    options.verify = compared.verify.unwrap_or_default();
    options.repair = compared.repair.unwrap_or_default();
    // To its end even if the caller goes away: the way back is stopped meanwhile.
    let work =
        async move { admin.runtime.steering().verify(&compared.source, &compared.target, &options).await };
    let broke_off =
        |error| Err(truststream_kernel::Error::internal("the comparison broke off").with_source(error));
    answer(StatusCode::OK, tokio::spawn(work).await.unwrap_or_else(broke_off))
}

pub(super) async fn pause(State(admin): State<Admin>) -> Response {
    answer(
        StatusCode::OK,
        detached(admin, |admin| async move { admin.runtime.steering().pause().await }).await,
    )
}

pub(super) async fn resume(State(admin): State<Admin>) -> Response {
    answer(StatusCode::ACCEPTED, admin.runtime.steering().resume().await)
}

pub(super) async fn abort(State(admin): State<Admin>) -> Response {
    answer(
        StatusCode::OK,
        detached(admin, |admin| async move { admin.runtime.steering().abort().await }).await,
    )
}

/// Runs to its end even if the caller goes away: a cut-over must not be broken off half-way.
async fn detached<F, Fut>(admin: Admin, work: F) -> Result<Record>
where
    F: FnOnce(Admin) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Record>> + Send + 'static,
{
    tokio::spawn(async move { work(admin).await }).await.unwrap_or_else(|error| {
        Err(truststream_kernel::Error::internal("the switch broke off").with_source(error))
    })
}

fn answer(status: StatusCode, result: Result<impl Serialize>) -> Response {
    match result {
        Ok(value) => json(status, &value),
        Err(failed) => error(&failed),
    }
}
