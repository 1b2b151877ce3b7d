//! A whole backend that is a remote project, as the runtime opens it.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use truststream_kernel::{Context, ErrorKind, Result};
use truststream_runtime::{Config, Runtime};
use truststream_services::auth::{Authenticate, SignInWithPassword, SignUp};
use truststream_services::database::{Insert, Migrate, Query, Select, TableName};
use truststream_services::storage::{BucketSettings, CreateBucket, ListBuckets};

use crate::support::{MEMORY, PATIENT, Remote, SECRET};

async fn open(remote: &Remote, services: &[&str], more: &str) -> Result<Arc<Runtime>> {
    let keys = &remote.keys;
    let (url, service) = (&keys.url, keys.service_key.expose());
    let anon = keys.anon_key.as_ref().map(|key| key.expose()).unwrap_or_default();
    let mut text = format!("{PATIENT}[auth]\njwt_secret = \"{SECRET}\"\n{more}\n");
    for service_name in services {
        text.push_str(&format!(
            "[backend.main.{service_name}]\nprovider = \"supabase\"\nurl = \"{url}\"\nservice_key = \"{service}\"\n\
             anon_key = \"{anon}\"\n"
        ));
    }
    let config = Config::from_text(Path::new(""), &text)?;
    config.check_providers()?;
    Runtime::open_in_memory(config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_services_of_a_backend_can_be_a_remote_project() {
    let remote = Remote::start(MEMORY).await;
    let sql = "create table notes (id int primary key, owner uuid not null);
        alter table notes enable row level security;
        create policy own on notes for all to authenticated using (owner = auth.uid()) with check (owner = auth.uid());";
    let migrate = Migrate { name: "1_notes.sql".into(), sql: sql.into(), dry_run: false };
    remote.inside.database().send(migrate).await.unwrap();
    let project = open(&remote, &["database", "auth", "storage"], "").await.unwrap();
    let (email, password) = (Some("ada@example.com".to_owned()), "correct horse");
    let sign_up = SignUp { email: email.clone(), password: Some(password.into()), ..SignUp::default() };
    project.auth().send(sign_up).await.unwrap();
    let sign_in = SignInWithPassword { email, password: password.into(), ..SignInWithPassword::default() };
    let session = project.auth().send(sign_in).await.unwrap();
    let ada = project.auth().send(Authenticate { token: session.access_token }).await.unwrap();
    let notes = TableName::public("notes");
    let own = project.database().with(Context::of(ada));
    let row = json!({ "id": 1, "owner": session.user.id });
    own.send(Insert::new(notes.clone(), row.to_string())).await.unwrap();
    assert_eq!(own.send(Select::new(notes.clone(), Query::all())).await.unwrap().rows, 1);
    let anonymous = project.database().with(Context::role("anon"));
    assert_eq!(anonymous.send(Select::new(notes, Query::all())).await.unwrap().rows, 0);
    let create = CreateBucket { name: "docs".into(), settings: BucketSettings::default() };
    project.storage().send(create).await.unwrap();
    assert_eq!(remote.inside.storage().send(ListBuckets).await.unwrap().len(), 1);
    let status = project.status().await;
    let services: Vec<_> = status.backends[0]
        .services
        .iter()
        .map(|service| (service.info.service, service.info.provider.as_str(), service.healthy))
        .collect();
    let remote = "supabase";
    assert_eq!(services, [("database", remote, true), ("storage", remote, true), ("auth", remote, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_can_not_live_in_a_remote_database() {
    let remote = Remote::start(MEMORY).await;
    let error = open(&remote, &["database"], "").await.err().unwrap();
    assert_eq!(error.code(), "BACKEND_002");
    assert_eq!(error.message(), "backend.main: supabase keeps no tables for auth and storage");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_alone_can_be_remote() {
    let remote = Remote::start(MEMORY).await;
    let project =
        open(&remote, &["storage"], "[backend.main.database]\nprovider = \"memory\"").await.unwrap();
    let create = CreateBucket { name: "docs".into(), settings: BucketSettings::default() };
    project.storage().send(create).await.unwrap();
    assert_eq!(remote.inside.storage().send(ListBuckets).await.unwrap()[0].name, "docs");
    let wrong = "[backend.other.storage]\nprovider = \"ftp\"";
    let error = open(&remote, &["storage"], wrong).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("expected one of fs, memory, s3, supabase"), "{error}");
}
