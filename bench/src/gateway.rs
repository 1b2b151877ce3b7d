//! The gateway in this very process, asked over one connection: what a profiler is put on, and what
//! [`count`](crate::count) counts. It is no measurement of time: the client is in it too.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use truststream::TrustStream;
use truststream_gateway::{ApiKeys, GatewayState, Identities, Listening, Services, Settings, app};

use crate::count;
use crate::data::{Dataset, READ_TABLE};
use crate::http::client::Connection;
use crate::http::dialect::Dialect;
use crate::http::scenario::{Ask, Scenario};
use crate::peer;

/// Rows that are there before anything is counted.
const ROWS: usize = 1_000;

/// Count the gateway's instructions and allocations a request.
#[derive(Args)]
pub struct Options {
    /// Only this scenario.
    #[arg(long)]
    only: Option<Scenario>,
    /// Send so many requests and say nothing: what a profiler is put on.
    #[arg(long, requires = "only")]
    units: Option<u64>,
}

pub async fn run(options: &Options) -> Result<()> {
    if let (Some(scenario), Some(units)) = (options.only, options.units) {
        return requests(scenario, units).await;
    }
    println!("| scenario | instructions | allocations |");
    println!("|---|---:|---:|");
    for scenario in Scenario::ALL {
        if options.only.is_some_and(|only| only != scenario) {
            continue;
        }
        let name = scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let unit = count::a_unit(&["gateway", "--only", &name])?;
        println!("| {} | {:.0} | {:.0} |", scenario.title(), unit.instructions, unit.allocations);
    }
    Ok(())
}

/// Serves a project of a temporary folder and sends a number of requests.
async fn requests(scenario: Scenario, units: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = Dataset::of(ROWS);
    let db = TrustStream::embedded(folder.path()).await?;
    db.migrate("1_agents.sql", &peer::migration()).await?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listening = Listening::bind(0).await?;
    let address = SocketAddr::from(([127, 0, 0, 1], listening.port()));
    let serving = tokio::spawn(listening.serve(router(&db)?, async {
        let _ = stopped.await;
    }));
    let dialect = Dialect::PostgRest { key: db.runtime().keys().api_key("anon")? };
    let mut connection = Connection::open(address).await?;
    let mut request = Vec::new();
    let rows = data.rows().iter().map(|row| Ask::Insert { table: READ_TABLE, row: row.clone() });
    let asks = rows.chain((0..units).map(|n| scenario.ask(n, &data)));
    for ask in asks {
        dialect.write(&ask, &mut request);
        let reply = connection.ask(&request).await?;
        ensure!((200..300).contains(&reply.status), "status {}", reply.status);
    }
    drop(connection);
    let _ = stop.send(());
    serving.await?;
    db.close().await;
    Ok(())
}

fn router(db: &TrustStream) -> Result<axum::Router> {
    let runtime = db.runtime();
    let services = Services {
        database: runtime.database().clone(),
        auth: runtime.auth().clone(),
        storage: runtime.storage().clone(),
        realtime: runtime.realtime().clone(),
    };
    let settings = Settings::read(runtime.config())?;
    let identities = Identities::new(services.auth.clone(), &settings.rest.anon_role, ApiKeys::default());
    Ok(app(GatewayState {
        services: Arc::new(services),
        identities: Arc::new(identities),
        settings: Arc::new(settings),
    }))
}
