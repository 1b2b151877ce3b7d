//! Notices changes of the schema: the database tells of them (`notify pgrst, 'reload schema'`), or
//! its catalogs are found to differ, now and then and when a request names what is not known.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tokio_postgres::{AsyncMessage, Client};
use truststream_kernel::{Error, Result};

use crate::connector::Connector;
use crate::driver::{PostgresDriver, Shared};
use crate::error::failed;

/// How long to wait before connecting again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often to look whether the driver is still there.
const PRESENT: Duration = Duration::from_secs(10);
/// What comes within this time is one change.
const SETTLE: Duration = Duration::from_millis(50);
/// How often requests that name what is not known may have the catalogs looked at.
const ON_REQUEST: Duration = Duration::from_millis(500);

const FINGERPRINT: &str = include_str!("introspect/fingerprint.sql");

impl PostgresDriver {
    /// Watches until the driver is gone.
    pub(crate) fn watch(&self) -> Result<()> {
        let config = &self.shared.config;
        let url = match (&config.direct_url, config.pooler) {
            (Some(direct), _) => Some(direct),
            (None, None) => Some(&config.url),
            // A pooler would hand the connection that listens to another client.
            (None, Some(_)) => None,
        };
        if let Some(url) = url {
            let connector = Connector::new(url, config, None)?;
            tokio::spawn(listen(Arc::downgrade(&self.shared), connector));
        }
        if config.schema_check_s > 0 {
            let every = Duration::from_secs(config.schema_check_s);
            tokio::spawn(look(Arc::downgrade(&self.shared), every));
        }
        Ok(())
    }

    /// Whether the catalogs differ from what was read; if so they are read again.
    pub(crate) async fn catch_up(&self) -> Result<bool> {
        let found = self.mark().await?;
        let same = self.schema().fingerprint == found;
        if !same {
            self.reload().await?;
        }
        Ok(!same)
    }

    /// The catalogs as they are now.
    pub(crate) async fn mark(&self) -> Result<Option<String>> {
        let connection = self.shared.transactions.connections().lease().await?;
        let found = fingerprint(&connection).await?;
        connection.give_back();
        Ok(found)
    }

    /// Whether a request is worth another attempt: it failed for something that is not known, and the
    /// schema has changed meanwhile.
    pub(crate) async fn knows_more_than(&self, error: &Error) -> bool {
        let names_unknown = matches!(
            error.code(),
            "PGRST200"
                | "PGRST202"
                | "PGRST204"
                | "PGRST205"
                | "42P01"
                | "42703"
                | "42883"
                | "42704"
                | "42846"
        );
        if !names_unknown || !self.shared.looks.due(ON_REQUEST) {
            return false;
        }
        self.catch_up().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the schema could not be looked at");
            false
        })
    }
}

/// The catalogs as [`PostgresDriver::catch_up`] compares them.
pub(crate) async fn fingerprint(client: &Client) -> Result<Option<String>> {
    let rows = client.query_typed(FINGERPRINT, &[]).await.map_err(failed)?;
    rows.first().map(|row| row.try_get(0).map_err(failed)).transpose()
}

async fn look(shared: Weak<Shared>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = (PostgresDriver { shared }).catch_up().await {
            tracing::debug!(%error, "the schema could not be looked at");
        }
    }
}

async fn listen(shared: Weak<Shared>, connector: Connector) {
    while shared.strong_count() > 0 {
        if let Ok((client, mut connection)) = connector.listening().await {
            let messages = stream::poll_fn(move |cx| connection.poll_message(cx));
            let listening = async {
                if let Err(error) = client.batch_execute("listen pgrst").await {
                    tracing::debug!(%error, "changes of the schema can't be listened for");
                }
                while shared.strong_count() > 0 && !client.is_closed() {
                    tokio::time::sleep(PRESENT).await;
                }
            };
            let following = std::pin::pin!(follow(&shared, messages));
            futures::future::select(std::pin::pin!(listening), following).await;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn follow(
    shared: &Weak<Shared>,
    messages: impl Stream<Item = Result<AsyncMessage, tokio_postgres::Error>>,
) {
    let mut messages = std::pin::pin!(messages);
    while let Some(Ok(message)) = messages.next().await {
        if !asks_to_reload(&message) {
            continue;
        }
        // A migration tells once a statement.
        while let Ok(Some(Ok(_))) = tokio::time::timeout(SETTLE, messages.next()).await {}
        let Some(shared) = shared.upgrade() else { return };
        let driver = PostgresDriver { shared };
        // Nobody misses it if the driver was let go meanwhile, perhaps with its database.
        if let Err(error) = driver.reload().await
            && Arc::strong_count(&driver.shared) > 1
        {
            tracing::warn!(%error, "the schema could not be read again");
        }
    }
}

fn asks_to_reload(message: &AsyncMessage) -> bool {
    let AsyncMessage::Notification(notification) = message else { return false };
    matches!(notification.payload(), "" | "reload schema" | "reload config")
}
