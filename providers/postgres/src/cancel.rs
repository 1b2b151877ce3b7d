//! Asking the server to stop a statement.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, Config, Error as PgError};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long the server may take to hear of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for it and waits until it was heard.
pub(crate) async fn cancel(token: CancelToken, config: &Config, encryption: MakeRustlsConnect) {
    match tokio::time::timeout(PATIENCE, ask(token, config, encryption)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a statement could not be cancelled"),
        Err(_) => tracing::debug!("nobody heard that a statement is to be cancelled"),
    }
}

async fn ask(token: CancelToken, config: &Config, mut encryption: MakeRustlsConnect) -> Result<(), PgError> {
    // Of several servers the token alone knows which one it is.
    let ([Host::Tcp(host)], ports) = (config.get_hosts(), config.get_ports()) else {
        return token.cancel_query(encryption).await;
    };
    let port = ports.first().copied().unwrap_or(5432);
    let Ok(stream) = TcpStream::connect((host.as_str(), port)).await else {
        return token.cancel_query(encryption).await;
    };
    match MakeTlsConnect::<Heard>::make_tls_connect(&mut encryption, host) {
        Ok(encryption) => token.cancel_query_raw(Heard(stream), encryption).await,
        Err(_) => token.cancel_query(encryption).await,
    }
}

/// A stream that is closed once the other side has closed it. The server does so when it has read the
/// request; pgbouncer forgets a request whose sender doesn't wait for that.
struct Heard(TcpStream);

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (mut bytes, mut read) = ([0; 64], 1);
        while read > 0 {
            let mut into = ReadBuf::new(&mut bytes);
            read = match ready!(Pin::new(&mut self.0).poll_read(cx, &mut into)) {
                Ok(()) => into.filled().len(),
                Err(_) => 0,
            };
        }
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
