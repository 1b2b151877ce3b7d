use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value as Json, json};
use truststream::ErrorKind;
use truststream::auth::{SignOutScope, SignedUp, UserAttributes};
use truststream::realtime::{ChangeKind, Payload};
use truststream::storage::BucketSettings;
use truststream::switch::Phase;

use crate::support::{Backend, Track, database, on_every_backend, open, project, track};

on_every_backend!(
    users_see_what_their_policies_allow,
    operators_make_and_remove_users,
    files_are_kept_listed_moved_and_removed,
    changes_and_messages_arrive,
    a_switch_moves_everything_and_goes_back
);

const PATIENCE: Duration = Duration::from_secs(180);

async fn users_see_what_their_policies_allow(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let SignedUp::Session(ada) = db.auth().sign_up("ada@example.com", "correct horse").await.unwrap() else {
        panic!("addresses need no confirmation here");
    };
    db.auth().sign_up("eve@example.com", "battery staple").await.unwrap();
    let eve = db.auth().sign_in_with_password("eve@example.com", "battery staple").await.unwrap();
    let (as_ada, as_eve) = (db.as_user(&ada).await.unwrap(), db.as_user(&eve).await.unwrap());
    let note = json!({ "id": 1, "owner": ada.user.id, "body": "mine" });
    as_ada.from("notes").insert(&note).await.unwrap();
    assert_eq!(as_ada.from("notes").select("id").count().await.unwrap(), 1);
    assert_eq!(as_eve.from("notes").select("id").count().await.unwrap(), 0);
    let forged = json!({ "id": 2, "owner": ada.user.id, "body": "forged" });
    assert_eq!(as_eve.from("notes").insert(&forged).await.unwrap_err().code(), "42501");
    let refused = db.as_role("anon").from("tracks").select("id").json().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    assert_eq!(db.from("notes").select("id").count().await.unwrap(), 1);

    assert_eq!(as_ada.auth().get_user().await.unwrap().email, "ada@example.com");
    assert_eq!(db.auth().admin().list_users(1, 10).await.unwrap().total, 2);
    assert!(as_ada.auth().admin().list_users(1, 10).await.is_err());
    as_ada.auth().sign_out(SignOutScope::Global).await.unwrap();
    assert!(as_ada.auth().get_user().await.is_err());
    assert!(db.as_bearer("not.a.token").await.is_err());
}

async fn operators_make_and_remove_users(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let auth = db.auth();
    let admin = auth.admin();
    let kay = UserAttributes {
        email: Some("kay@example.com".to_owned()),
        password: Some("correct horse".into()),
        email_confirm: true,
        ..UserAttributes::default()
    };
    let made = admin.create_user(kay.clone()).await.unwrap();
    assert_eq!(admin.create_user(kay).await.unwrap_err().code(), "email_exists");
    let session = db.auth().sign_in_with_password("kay@example.com", "correct horse").await.unwrap();
    assert_eq!(session.user.id, made.id);
    let as_kay = db.as_user(&session).await.unwrap();
    assert!(as_kay.auth().admin().delete_user(&made.id).await.is_err(), "she is no operator");
    admin.delete_user(&made.id).await.unwrap();
    let gone = db.auth().sign_in_with_password("kay@example.com", "correct horse").await.unwrap_err();
    assert_eq!(gone.code(), "invalid_credentials");
}

async fn files_are_kept_listed_moved_and_removed(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let storage = db.storage();
    storage.create_bucket("covers", BucketSettings::default()).await.unwrap();
    let covers = storage.from("covers");
    covers.upload("1959/blue.txt", b"blue".as_slice()).content_type("text/plain").await.unwrap();
    assert_eq!(
        covers.upload("1959/blue.txt", b"x".as_slice()).await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(covers.read("1959/blue.txt", 100).await.unwrap(), "blue");
    assert_eq!(covers.info("1959/blue.txt").await.unwrap().metadata.mimetype, "text/plain");
    covers.copy("1959/blue.txt", "copy.txt").await.unwrap();
    covers.rename("copy.txt", "renamed.txt").await.unwrap();
    let names: Vec<_> = covers.list("").await.unwrap().into_iter().map(|listed| listed.name).collect();
    assert_eq!(names, ["1959", "renamed.txt"]);
    assert!(!covers.signed_download("renamed.txt", 60).await.unwrap().is_empty());
    assert!(!covers.signed_upload("later.txt", false).await.unwrap().is_empty());
    let stranger = db.as_role("anon").storage().from("covers").signed_upload("theirs.txt", false).await;
    assert_eq!(stranger.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(covers.remove(["renamed.txt", "nothing"]).await.unwrap().len(), 1);
    assert_eq!(covers.read("renamed.txt", 100).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn changes_and_messages_arrive(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let mut changes = db.realtime().changes::<Track>("tracks", Some("id=gt.10")).await.unwrap();
    db.from("tracks").insert(&[track(1, "unseen"), track(11, "seen")]).await.unwrap();
    db.from("tracks").delete().eq("id", 11).await.unwrap();
    let next = tokio::time::timeout(PATIENCE, changes.next()).await.unwrap().unwrap().unwrap();
    assert_eq!((next.kind, next.new), (ChangeKind::Insert, Some(track(11, "seen"))));
    let next = tokio::time::timeout(PATIENCE, changes.next()).await.unwrap().unwrap().unwrap();
    assert_eq!((next.kind, next.new, next.old.unwrap()["id"].as_i64()), (ChangeKind::Delete, None, Some(11)));

    let mut messages = db.realtime().messages("room").await.unwrap();
    db.realtime().send("room", "hello", &json!({ "n": 1 })).await.unwrap();
    let message = tokio::time::timeout(PATIENCE, messages.next()).await.unwrap().unwrap().unwrap();
    assert_eq!((message.event.as_str(), message.payload), ("hello", Payload::Json(r#"{"n":1}"#.to_owned())));
}

async fn a_switch_moves_everything_and_goes_back(backend: Backend) {
    let other = if backend == Backend::Sqlite { Backend::Postgres } else { Backend::Sqlite };
    let (db, _folder) = open(&[database(backend, "main"), database(other, "second")]).await;
    assert!(db.switch().plan("second").await.unwrap().problems.is_empty());
    db.switch().start("second").await.unwrap();
    let phases: Vec<_> =
        tokio::time::timeout(PATIENCE, db.switch().watch().map(|at| at.phase).collect()).await.unwrap();
    assert_eq!(phases.last(), Some(&Phase::Committed));
    assert_eq!(db.switch().finished().await.unwrap().phase, Phase::Committed);
    assert_eq!(db.switch().active(), "second");
    db.from("tracks").insert(&track(10, "written to the second")).await.unwrap();
    db.switch().back().await.unwrap();
    assert_eq!(db.switch().active(), "main");
    let row: Json = db.from("tracks").select("title").eq("id", 10).single().await.unwrap();
    assert_eq!(row["title"], "written to the second");
    db.close().await;
}
