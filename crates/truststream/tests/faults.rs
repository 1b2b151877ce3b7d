//! A backend in memory, and what goes wrong on it on purpose.

use std::time::Duration;

use futures::StreamExt;
use serde_json::json;
use truststream::{Applied, ErrorKind, Fault, Outcome, TrustStream};

use crate::support::SCHEMA;

async fn project() -> TrustStream {
    let db = TrustStream::in_memory().await.unwrap();
    db.migrate("1_tracks.sql", SCHEMA).await.unwrap();
    db
}

#[tokio::test(flavor = "multi_thread")]
async fn all_services_live_in_memory() {
    let db = project().await;
    db.auth().sign_up("ada@example.com", "correct horse").await.unwrap();
    let session = db.auth().sign_in_with_password("ada@example.com", "correct horse").await.unwrap();
    let ada = db.as_user(&session).await.unwrap();
    ada.from("notes").insert(&json!({ "id": 1, "owner": session.user.id, "body": "mine" })).await.unwrap();
    assert_eq!(ada.from("notes").select("id").count().await.unwrap(), 1);
    assert_eq!(db.as_role("anon").from("tracks").select("id").count().await.unwrap_err().code(), "42501");
    assert_eq!(project().await.from("notes").select("id").count().await.unwrap(), 0);
    assert!(!std::path::Path::new(".truststream").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_bear_what_was_not_applied_and_tell_of_what_may_have_been() {
    let db = project().await;
    let busy = db.faults().add(Fault::error(ErrorKind::Unavailable).on("database.insert").times(2));
    db.from("artists").insert(&json!({ "id": 3, "name": "Bill Evans" })).await.unwrap();
    assert_eq!(db.faults().remove(busy), Some(2));
    db.faults().add(Fault::connection_lost(Applied::Always).on("insert").times(1));
    let error = db.from("artists").insert(&json!({ "id": 4, "name": "Alice Coltrane" })).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    assert_eq!(db.from("artists").select("id").eq("id", 4).count().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_are_struck_by_their_own_names() {
    let db = project().await;
    db.faults().add(Fault::error(ErrorKind::PermissionDenied).on("auth.sign_up"));
    let error = db.auth().sign_up("ada@example.com", "correct horse").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    db.faults().clear();
    db.auth().sign_up("ada@example.com", "correct horse").await.unwrap();
}

#[tokio::test]
async fn a_project_that_was_closed_is_free_whatever_was_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("truststream.toml");
    let slow = "[layers.faults]\nallow_in_production = true\n\
                rules = [{ operations = [\"database.ping\"], latency = \"1h\" }]\n";
    let secret = "[auth]\njwt_secret = \"a secret of at least thirty-two characters\"\n";
    std::fs::write(&file, format!("{secret}[health]\ntimeout = \"1h\"\n{slow}")).unwrap();
    let db = TrustStream::open(&file).await.unwrap();
    db.migrate("1_tracks.sql", SCHEMA).await.unwrap();
    let mut changes = db.realtime().changes::<serde_json::Value>("tracks", None).await.unwrap();
    // A probe, and the feed that the subscription follows, are asked for by now.
    tokio::time::sleep(Duration::from_millis(50)).await;
    db.close().await;
    drop(db);
    TrustStream::open(&file).await.unwrap();
    assert!(changes.next().await.is_none());
}
