//! Two gateways that share a control store, two databases and folders of objects.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use truststream_conformance::postgres_server::PostgresServer;
use truststream_conformance::scratch;
use truststream_runtime::{Config, Runtime};
use truststream_services::database::Migrate;

use super::PATIENCE;
use crate::PATIENT;

/// The gateways, of which the first leads what it starts, and the URL of the database `cloud`.
pub async fn fleet_of(schema: &str) -> ([Arc<Runtime>; 2], String) {
    let shared = scratch::folder_of_the_run().unwrap();
    let [main, cloud] = [0, 1].map(|_| PostgresServer::of_the_run().new_database().unwrap());
    let backend = |name: &str, url: &str| {
        let objects = shared.join(name);
        format!(
            "[backend.{name}.database]\nprovider = \"postgres\"\nurl = \"{url}\"\n\
             [backend.{name}.storage]\nprovider = \"fs\"\nroot = {objects:?}\n"
        )
    };
    let backends = backend("main", &main) + &backend("cloud", &cloud);
    let first = open(&shared, "g0", &backends).await;
    let migrate = Migrate { name: "1.sql".into(), sql: schema.into(), dry_run: false };
    first.database().send(migrate).await.unwrap();
    ([first, open(&shared, "g1", &backends).await], cloud)
}

async fn open(shared: &Path, name: &str, backends: &str) -> Arc<Runtime> {
    let project = shared.join(name);
    std::fs::create_dir(&project).unwrap();
    let control = shared.join("control.db");
    let text = format!(
        "active = \"main\"\n[auth]\njwt_secret = \"a-secret-of-at-least-thirty-two-characters\"\n\
         {PATIENT}[control]\npath = {control:?}\nname = \"{name}\"\nlease = \"15s\"\n{backends}"
    );
    Runtime::open(Config::from_text(&project, &text).unwrap()).await.unwrap()
}

pub async fn close(gateways: &[Arc<Runtime>]) {
    for gateway in gateways {
        gateway.close(PATIENCE).await;
    }
}

/// Waits until a gateway has put into force which parts have moved.
pub async fn knows(gateway: &Runtime, wanted: &[(&str, bool)]) {
    let began = Instant::now();
    loop {
        let route = gateway.route();
        let parts = route.division.iter().flat_map(|division| &division.parts);
        if parts.map(|part| (&*part.name, part.moved)).eq(wanted.iter().copied()) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{:?}", route.division);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
