//! Reads the schema again when the database says that it changed (`notify pgrst, 'reload schema'`).

use std::sync::Weak;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tokio_postgres::AsyncMessage;

use crate::driver::{PostgresDriver, Shared};

/// How long to wait before connecting again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often to look whether the driver is still there.
const LOOK: Duration = Duration::from_secs(10);

/// Listens until the driver is gone.
pub(crate) async fn keep_schema(shared: Weak<Shared>) {
    while let Some(driver) = shared.upgrade() {
        let connected = driver.transactions.connections().listening().await;
        drop(driver);
        if let Ok((client, mut connection)) = connected {
            let messages = stream::poll_fn(move |cx| connection.poll_message(cx));
            let listening = async {
                if let Err(error) = client.batch_execute("listen pgrst").await {
                    tracing::debug!(%error, "changes of the schema can't be listened for");
                }
                while shared.strong_count() > 0 && !client.is_closed() {
                    tokio::time::sleep(LOOK).await;
                }
            };
            futures::future::select(std::pin::pin!(listening), std::pin::pin!(follow(&shared, messages)))
                .await;
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
        let AsyncMessage::Notification(notification) = message else { continue };
        if !matches!(notification.payload(), "" | "reload schema") {
            continue;
        }
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = (PostgresDriver { shared }).reload().await {
            tracing::warn!(%error, "the schema could not be read again");
        }
    }
}
