//! Listening and serving.

use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use truststream_kernel::Error;

use crate::patience::Patience;
use crate::targets::Lenient;

/// How long requests in flight may take to finish at shutdown.
const FINISH: Duration = Duration::from_secs(10);
/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(30);

/// How long a body may pause.
const BODY: Duration = Duration::from_secs(30);

/// Sockets on 127.0.0.1 and, where the machine has it, ::1.
pub struct Listening {
    listeners: Vec<TcpListener>,
    port: u16,
}

/// The client's address, as an extension of each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

impl Listening {
    /// Binds both loopback addresses; port 0 takes a free one.
    ///
    /// # Errors
    /// `Configuration` when the port is taken.
    pub async fn bind(port: u16) -> truststream_kernel::Result<Self> {
        let taken = |error: std::io::Error| {
            Error::configuration(format!("port {port} can't be used: {error}"))
                .with_hint("stop what uses it, or choose another with --port (`--port 0` takes a free one)")
                .with_source(error)
        };
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(taken)?;
        let port = v4.local_addr().map_err(taken)?.port();
        let mut listeners = vec![v4];
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(v6) => listeners.push(v6),
            Err(error) => tracing::debug!(?error, "not listening on ::1"),
        }
        Ok(Listening { listeners, port })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves until `stop` completes; then requests in flight are finished.
    pub async fn serve(self, app: Router, stop: impl Future<Output = ()> + Send + 'static) {
        let (stopping, stopped) = tokio::sync::watch::channel(());
        let tasks: Vec<_> = self
            .listeners
            .into_iter()
            .map(|listener| tokio::spawn(accept(listener, app.clone(), stopped.clone())))
            .collect();
        drop(stopped);
        stop.await;
        drop(stopping);
        for task in tasks {
            // A task that panicked has been reported by the panic itself.
            let _ = task.await;
        }
    }
}

async fn accept(listener: TcpListener, app: Router, mut stopped: tokio::sync::watch::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connection(stream, peer, &app, &graceful),
                // Out of file descriptors, most likely: others will be closed in a moment.
                Err(error) => {
                    tracing::warn!(?error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    if tokio::time::timeout(FINISH, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests still in flight were broken off");
    }
}

/// A reply whatever happens: a defect in the answering of one request is that request's alone.
async fn whole(answer: impl Future<Output = Result<Response, Infallible>>) -> Result<Response, Infallible> {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        // The panic itself has been reported by its hook.
        let body = r#"{"code":"XX000","details":null,"hint":null,"message":"internal error"}"#;
        let json = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
        Ok((StatusCode::INTERNAL_SERVER_ERROR, json, body).into_response())
    })
}

fn connection(stream: TcpStream, peer: SocketAddr, app: &Router, graceful: &GracefulShutdown) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(?error, "nodelay could not be set");
    }
    let app = TowerToHyperService::new(app.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let patience = Patience::default();
        let answering = whole(app.call(patience.watch(request, BODY)));
        async move {
            let answered = answering.await;
            patience.answer().map_or(answered, Ok)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(Lenient::new(stream)), service).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(?error, "a connection ended with an error");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_one_request_s_alone_and_stopping_lets_requests_finish() {
        async fn broken() -> &'static str {
            panic!("a defect")
        }
        let (begin, mut begun) = tokio::sync::watch::channel(false);
        let slow = move || {
            begin.send_replace(true);
            async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                "finished"
            }
        };
        let app = Router::new()
            .route("/slow", axum::routing::get(slow))
            .route("/broken", axum::routing::get(broken));
        // A port that nobody else gets when it is free again.
        let port = truststream_conformance::port::free_port().unwrap();
        let listening = Listening::bind(port).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(listening.serve(app, async move {
            let _ = stopped.await;
        }));
        let broken = ask(port, "/broken").await;
        assert!(broken.starts_with("HTTP/1.1 500"), "{broken}");
        assert!(broken.contains("internal error") && !broken.contains("a defect"), "{broken}");
        let slow = tokio::spawn(ask(port, "/slow"));
        begun.wait_for(|begun| *begun).await.unwrap();
        stop.send(()).unwrap();
        assert!(slow.await.unwrap().ends_with("finished"));
        serving.await.unwrap();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err());
    }

    async fn ask(port: u16, path: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    }
}
