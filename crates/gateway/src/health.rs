//! For those who watch a process: whether it lives, whether it can answer, what it counts.
//!
//! `/livez` and `/readyz` are for whoever sends requests here and say no more than that. `/metrics` is
//! answered on loopback names only, as the operator's API is.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use truststream_kernel::{Error, Result};
use truststream_runtime::{Readiness, Runtime};

use crate::admin::names_loopback;

/// Bounds of the buckets that times are counted in, in seconds.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How often what was recorded is put in order, whether or not anybody reads it.
const UPKEEP: Duration = Duration::from_secs(5);

/// What this process counts and times, in Prometheus' text form.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Begins to count. Whatever is to be counted must come later.
    ///
    /// # Errors
    /// `Internal` when something else in this process counts already.
    pub fn install() -> Result<Metrics> {
        static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
        if let Some(handle) = INSTALLED.get() {
            return Ok(Metrics(handle.clone()));
        }
        let failed = |error: String| Error::internal(format!("metrics can't be recorded: {error}"));
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS);
        let recorder = builder.map_err(|error| failed(error.to_string()))?.build_recorder();
        let handle = INSTALLED.get_or_init(|| recorder.handle()).clone();
        metrics::set_global_recorder(recorder).map_err(|error| failed(error.to_string()))?;
        Ok(Metrics(handle))
    }
}

#[derive(Clone)]
struct Watched {
    runtime: Arc<Runtime>,
    metrics: Metrics,
}

/// `/livez`, `/healthz`, `/readyz` and `/metrics`.
pub fn router(runtime: Arc<Runtime>, metrics: Metrics) -> Router {
    let (handle, alive) = (metrics.0.clone(), Arc::downgrade(&runtime));
    tokio::spawn(async move {
        while alive.strong_count() > 0 {
            tokio::time::sleep(UPKEEP).await;
            handle.run_upkeep();
        }
    });
    Router::new()
        .route("/livez", get(live))
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(show))
        .with_state(Watched { runtime, metrics })
}

async fn live() -> Response {
    answer(StatusCode::OK, "ok")
}

async fn ready(State(watched): State<Watched>) -> Response {
    match watched.runtime.readiness() {
        Readiness::Ready => answer(StatusCode::OK, "ready"),
        Readiness::Reads => answer(StatusCode::OK, "reads"),
        Readiness::Down => answer(StatusCode::SERVICE_UNAVAILABLE, "down"),
    }
}

async fn show(State(watched): State<Watched>, headers: HeaderMap) -> Response {
    if !names_loopback(&headers) {
        return answer(StatusCode::FORBIDDEN, "metrics are answered on loopback names only");
    }
    watched.runtime.measure().await;
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (text, watched.metrics.0.render()).into_response()
}

fn answer(status: StatusCode, word: &str) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (status, json, format!(r#"{{"status":"{word}"}}"#)).into_response()
}
