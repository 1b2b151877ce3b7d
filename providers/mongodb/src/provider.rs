//! MongoDB as a provider of the Database service.

use std::sync::Arc;

use truststream_kernel::{Driven, Features, Provider, Result, Stack};
use truststream_services::database::{Catalog, DatabaseOp, DatabaseReply, DatabaseService};

use crate::review::review;
use crate::weigh::weigh;
use crate::{Config, MongoDriver};

impl Provider<DatabaseService> for Config {
    fn declares() -> Features {
        MongoDriver::declares()
    }

    fn offline(op: &DatabaseOp) -> Option<Result<DatabaseReply>> {
        match op {
            DatabaseOp::Review(op) => {
                Some(Ok(DatabaseReply::Review(review(&Catalog::default(), &op.migrations))))
            }
            DatabaseOp::Weigh(_) => Some(Ok(DatabaseReply::Weigh(weigh()))),
            _ => None,
        }
    }

    fn place(&self) -> String {
        // Everything up to the last `@` may hold a password.
        let url = self.url.expose();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let hosts = rest.rsplit_once('@').map_or(rest, |(_, hosts)| hosts);
        hosts.split(['/', '?']).next().unwrap_or_default().to_owned()
    }

    async fn connect(self) -> Result<Stack<DatabaseService>> {
        Ok(Arc::new(Driven(MongoDriver::open(self).await?)))
    }
}
