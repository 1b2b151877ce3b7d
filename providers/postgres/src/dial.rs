//! Connections for state that is kept beside the data.

use std::time::Duration;

use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use truststream_kernel::{Result, Secret};

use crate::error::unreachable;
use crate::tls::Url;

/// What a connection receives. Polled, it does the connection's work.
pub type Messages = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// How long the network may be silent about what was sent.
const SILENCE: Duration = Duration::from_secs(5);

/// Connects to a database, encrypted as its URL says. The caller polls the messages.
///
/// # Errors
/// `Configuration` for a URL that is none, `Unavailable` when the server can't be reached.
pub async fn connect(url: &Secret) -> Result<(Client, Messages)> {
    let url = Url::parse(url.expose())?;
    let (encryption, mut config) = (url.encryption()?, url.config);
    if config.get_application_name().is_none() {
        config.application_name("truststream");
    }
    config.tcp_user_timeout(SILENCE).keepalives_idle(SILENCE);
    config.connect(encryption).await.map_err(unreachable)
}
