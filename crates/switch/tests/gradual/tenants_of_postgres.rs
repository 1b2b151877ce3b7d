//! Tenants of a PostgreSQL database, whose policies and triggers are its own, on their way to SQLite.

use serde_json::json;
use truststream_conformance::postgres_server::PostgresServer;

use super::record::{committed, ready};
use super::tenants::{ORGS, SCHEMA, author, authors_of, member, moves, of, options, there};
use super::*;

/// A table with a trigger, which may make a row another tenant's.
const WITH_A_TRIGGER: &str = "
create table noted (org_id text, id bigint, body text, primary key (org_id, id));
create function shout() returns trigger language plpgsql as $$ begin new.body := upper(new.body); return new; end $$;
create trigger shout before insert on noted for each row execute function shout();
";

async fn from_postgres() -> Arc<Runtime> {
    let folder = truststream_conformance::scratch::folder_of_the_run().unwrap();
    let url = PostgresServer::of_the_run().new_database().unwrap();
    let text = format!(
        "active = \"main\"\n[auth]\njwt_secret = \"a-secret-of-at-least-thirty-two-characters\"\n{PATIENT}\
         [backend.main.database]\nprovider = \"postgres\"\nurl = \"{url}\"\n[backend.main.storage]\nprovider = \"memory\"\n\
         [backend.cloud.database]\nprovider = \"sqlite\"\npath = {:?}\n[backend.cloud.storage]\nprovider = \"memory\"\n",
        folder.join("from_postgres.db")
    );
    let runtime = Runtime::open_in_memory(Config::from_text(Path::new(""), &text).unwrap()).await.unwrap();
    let sql = format!("{SCHEMA}{WITH_A_TRIGGER}");
    runtime.database().send(Migrate { name: "1.sql".into(), sql, dry_run: false }).await.unwrap();
    runtime
}

#[tokio::test(flavor = "multi_thread")]
async fn its_policies_are_understood_and_what_has_triggers_stays() {
    let runtime = from_postgres().await;
    let orgs: Vec<_> = ORGS.iter().map(|org| json!({ "id": org, "plan": "free" })).collect();
    let database = runtime.database();
    database.send(Insert::new(TableName::public("orgs"), json!(orgs).to_string())).await.unwrap();
    for org in ORGS {
        database.send(author(org, 1, "first")).await.unwrap();
    }
    let options = options(&runtime, Some("app_metadata.org_id"));
    runtime.switcher().start("cloud", options).await.unwrap();
    ready(&runtime).await;
    let record = moves(&runtime, "acme", true).await;
    assert_eq!(record.report.parts[0].tables.len(), 3, "{:?}", record.report.parts[0].tables);
    for org in ORGS {
        let database = database.with(member(org));
        database.send(author(org, 2, "second")).await.unwrap();
        assert_eq!(authors_of(&database, Query::all()).await.unwrap().len(), 2, "{org}");
    }
    assert!(there(&runtime, "cloud", "acme").await.contains_key(&2));
    let noted = json!({ "org_id": "acme", "id": 1, "body": "hello" }).to_string();
    database.send(Insert::new(TableName::public("noted"), noted)).await.unwrap();
    let main = runtime.database_of(Some("main")).await.unwrap();
    let page = main.send(Select::new(TableName::public("noted"), Query::all())).await.unwrap();
    assert!(page.body.windows(5).any(|word| word == b"HELLO"), "it is of the rest");
    moves(&runtime, "acme", false).await;
    moves(&runtime, "globex", true).await;
    runtime.switcher().move_part(None).await.unwrap();
    committed(&runtime).await;
    for org in ORGS {
        assert_eq!(authors_of(database, of(org, None)).await.unwrap().len(), 2, "{org}");
    }
    runtime.close(PATIENCE).await;
}
