//! Bodies that come too slowly: a client can't hold a request open for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

/// Bytes a second that a body must bring on average, once it had time to begin.
const SLOWEST: u64 = 1024;

/// Whether a request's body came too slowly; known once the request is answered.
#[derive(Clone, Default)]
pub(crate) struct Patience(Arc<AtomicBool>);

impl Patience {
    /// The request with a body that ends in an error if it pauses for `pause`, or drips.
    pub(crate) fn watch<B>(&self, request: Request<B>, pause: Duration) -> Request<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        request.map(|body| {
            if body.is_end_stream() {
                return Body::empty();
            }
            let coming = Coming {
                body: Body::new(body).into_data_stream(),
                pause,
                begun: Instant::now(),
                received: 0,
                lost: Arc::clone(&self.0),
            };
            Body::from_stream(stream::unfold(Some(coming), async |coming| coming?.next().await))
        })
    }

    /// The answer to a request that was too slow, in place of the one it got.
    pub(crate) fn answer(&self) -> Option<Response> {
        if !self.0.load(Ordering::Relaxed) {
            return None;
        }
        let body = r#"{"code":"57014","details":null,"hint":null,"message":"the body came too slowly"}"#;
        let headers =
            [(header::CONTENT_TYPE, "application/json; charset=utf-8"), (header::CONNECTION, "close")];
        Some((StatusCode::REQUEST_TIMEOUT, headers, body).into_response())
    }
}

struct Coming {
    body: BodyDataStream,
    pause: Duration,
    begun: Instant,
    received: u64,
    lost: Arc<AtomicBool>,
}

impl Coming {
    async fn next(mut self) -> Option<(Result<Bytes, axum::Error>, Option<Self>)> {
        let earned = Duration::from_secs(self.received / SLOWEST);
        let until = (Instant::now() + self.pause).min(self.begun + self.pause + earned);
        match timeout_at(until, self.body.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(bytes))) => {
                self.received += bytes.len() as u64;
                Some((Ok(bytes), Some(self)))
            }
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Err(late) => {
                self.lost.store(true, Ordering::Relaxed);
                Some((Err(axum::Error::new(late)), None))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a body of parts, each after a pause, is received.
    async fn received(parts: Vec<(u64, &'static [u8])>) -> (Option<Bytes>, Option<StatusCode>) {
        let parts = stream::iter(parts).then(async |(after, part)| {
            tokio::time::sleep(Duration::from_millis(after)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(part))
        });
        let patience = Patience::default();
        let watched = patience.watch(Request::new(Body::from_stream(parts)), Duration::from_millis(500));
        let bytes = axum::body::to_bytes(watched.into_body(), usize::MAX).await.ok();
        (bytes, patience.answer().map(|response| response.status()))
    }

    #[tokio::test(start_paused = true)]
    async fn slow_bodies_are_waited_for_only_so_long() {
        let whole = received(vec![(50, b"a"), (20, b"b")]).await;
        assert_eq!(whole, (Some(Bytes::from_static(b"ab")), None));
        let late = (None, Some(StatusCode::REQUEST_TIMEOUT));
        assert_eq!(received(vec![(1, b"a"), (1000, b"b")]).await, late);
        let dripping = (0..10).map(|_| (120, &b"a"[..])).collect();
        assert_eq!(received(dripping).await, late);
        let steady: Vec<_> = (0..10).map(|_| (120, &[0; 10 * 1024][..])).collect();
        assert_eq!(received(steady).await.1, None);
    }
}
