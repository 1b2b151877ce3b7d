//! Requests that nobody waits for any more: what the server does for them is ended.

use futures::TryStreamExt;
use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::Result;
use uuid::Uuid;

/// A request as the server knows it; if it is dropped before it is over, it is ended there.
#[derive(Debug)]
pub(crate) struct Watch {
    client: Client,
    comment: String,
    over: bool,
}

impl Watch {
    pub(crate) fn new(client: &Client) -> Self {
        Watch { client: client.clone(), comment: format!("truststream {}", Uuid::new_v4()), over: false }
    }

    /// What each of its commands says of itself.
    pub(crate) fn comment(&self) -> Bson {
        Bson::String(self.comment.clone())
    }

    /// Nothing of it is left to end.
    pub(crate) fn over(&mut self) {
        self.over = true;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.over {
            return;
        }
        let (client, comment) = (self.client.clone(), std::mem::take(&mut self.comment));
        runtime.spawn(async move {
            // A server that lists no operations sees for itself that the connection is gone.
            if let Err(error) = end(&client, &comment).await {
                tracing::debug!(%error, "a cancelled request may still be running on the server");
            }
        });
    }
}

/// Ends the operations that say so of themselves; everybody may end their own.
async fn end(client: &Client, comment: &str) -> Result<()> {
    let admin = client.database("admin");
    let stages = [
        doc! { "$currentOp": { "idleSessions": false } },
        doc! { "$match": { "command.comment": comment } },
        doc! { "$project": { "opid": 1 } },
    ];
    let running: Vec<Document> = admin.aggregate(stages).await?.try_collect().await?;
    for one in running {
        if let Some(opid) = one.get("opid") {
            admin.run_command(doc! { "killOp": 1, "op": opid.clone() }).await?;
        }
    }
    Ok(())
}
