//! Users of a project, by its keys only.

use std::sync::Arc;

use serde_json::json;
use truststream_kernel::{Context, Driven, ErrorKind, Handle};
use truststream_services::auth::{
    AdminCreateUser, AdminDeleteUser, AdminGetUser, AdminListUsers, AdminUpdateUser, Auth, Authenticate,
    GetUser, PublicKeys, Refresh, Session, Settings, SignInWithPassword, SignOut, SignUp, SignedUp,
    UpdateUser, UserAttributes,
};
use truststream_services::database::{Database, Migrate, Query, Select, TableName};
use truststream_supabase::{Config, RemoteAuth, RemoteDatabase};

use crate::support::{MEMORY, Remote};

fn auth(config: &Config) -> Auth {
    Handle::new(Arc::new(Driven(RemoteAuth::new(config).unwrap())), Context::system())
}

async fn ada(auth: &Auth) -> Session {
    let sign_up = SignUp {
        email: Some("ada@example.com".into()),
        password: Some("correct horse".into()),
        data: json!({ "nick": "A" }).as_object().cloned().unwrap(),
        ..SignUp::default()
    };
    match auth.send(sign_up).await.unwrap() {
        SignedUp::Session(session) => session,
        SignedUp::Unconfirmed(user) => panic!("{user:?} needs no confirmation here"),
    }
}

async fn caller(auth: &Auth, session: &Session) -> Context {
    Context::of(auth.send(Authenticate { token: session.access_token.clone() }).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn users_sign_up_in_and_out() {
    let project = Remote::start(MEMORY).await;
    for config in [project.keys.clone(), project.with_secret()] {
        let auth = auth(&config);
        let session = if config.jwt_secret.is_none() { ada(&auth).await } else { sign_in(&auth).await };
        let own = auth.with(caller(&auth, &session).await);
        assert_eq!(own.send(GetUser).await.unwrap().email, "ada@example.com");
        let nick = json!({ "nick": "Countess" }).as_object().cloned();
        let user = own.send(UpdateUser { data: nick, ..UpdateUser::default() }).await.unwrap();
        assert_eq!(user.user_metadata["nick"], "Countess");
        let refresh_token = session.refresh_token.as_str().into();
        let renewed = auth.send(Refresh { refresh_token, client: Default::default() }).await.unwrap();
        assert_eq!(renewed.user.id, session.user.id);
        own.send(SignOut::default()).await.unwrap();
        assert!(own.send(GetUser).await.is_err(), "its session has ended");
    }
}

async fn sign_in(auth: &Auth) -> Session {
    let (email, password) = (Some("ada@example.com".into()), "correct horse".into());
    auth.send(SignInWithPassword { email, password, ..SignInWithPassword::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_project_refuses_is_told_in_its_words() {
    let project = Remote::start(MEMORY).await;
    let auth = auth(&project.keys);
    ada(&auth).await;
    let (email, password) = (Some("ada@example.com".to_owned()), "wrong".into());
    let wrong = SignInWithPassword { email, password, ..SignInWithPassword::default() };
    let error = auth.send(wrong).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidInput, "invalid_credentials"));
    let again = SignUp {
        email: Some("ada@example.com".into()),
        password: Some("correct horse".into()),
        ..SignUp::default()
    };
    assert_eq!(auth.send(again).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    for config in [project.keys.clone(), project.with_secret()] {
        let forged = Authenticate { token: "e30.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2ln".into() };
        let error = self::auth(&config).send(forged).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthenticated, "PGRST301"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_keep_users() {
    let project = Remote::start(MEMORY).await;
    let auth = auth(&project.keys);
    let attributes = UserAttributes {
        email: Some("bo@example.com".into()),
        email_confirm: true,
        ..UserAttributes::default()
    };
    let made = auth.send(AdminCreateUser { id: None, attributes }).await.unwrap();
    let id = made.id.clone();
    assert_eq!(auth.send(AdminGetUser { id: id.clone() }).await.unwrap().email, "bo@example.com");
    let attributes = UserAttributes {
        app_metadata: json!({ "team": 7 }).as_object().cloned(),
        ..UserAttributes::default()
    };
    let changed = auth.send(AdminUpdateUser { id: id.clone(), attributes }).await.unwrap();
    assert_eq!(changed.app_metadata["team"], 7);
    let page = auth.send(AdminListUsers { page: 1, per_page: 10, filter: None }).await.unwrap();
    assert_eq!((page.total, page.users[0].id.as_str()), (1, id.as_str()));
    let anonymous = auth.with(Context::role("anon"));
    let error = anonymous.send(AdminGetUser { id: id.clone() }).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unauthenticated), "{error:?}");
    auth.send(AdminDeleteUser { id: id.clone(), soft: false }).await.unwrap();
    assert_eq!(auth.send(AdminGetUser { id }).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(auth.send(Settings).await.unwrap().mailer_autoconfirm);
    assert!(auth.send(PublicKeys).await.unwrap()["keys"].is_array());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_the_project_knows_reads_the_database_as_itself() {
    let project = Remote::start(MEMORY).await;
    let sql = "create table notes (id int primary key, owner uuid not null default auth.uid());
        alter table notes enable row level security;
        create policy own on notes for select to authenticated using (owner = auth.uid());";
    let migrate = Migrate { name: "1_notes.sql".into(), sql: sql.into(), dry_run: false };
    project.inside.database().send(migrate).await.unwrap();
    // Keys only: no secret to sign with, so the user's own token must reach the data API.
    let auth = auth(&project.keys);
    let session = ada(&auth).await;
    let remote = RemoteDatabase::connect(&project.keys).await.unwrap();
    let database: Database = Handle::new(Arc::new(Driven(remote)), Context::system());
    let notes = TableName::public("notes");
    let row = json!([{ "id": 1, "owner": session.user.id }, { "id": 2, "owner": uuid_of_another() }]);
    let insert = truststream_services::database::Insert::new(notes.clone(), row.to_string());
    database.send(insert).await.unwrap();
    let own = database.with(caller(&auth, &session).await);
    assert_eq!(own.send(Select::new(notes, Query::all())).await.unwrap().rows, 1);
}

fn uuid_of_another() -> &'static str {
    "b0b00000-0000-4000-8000-000000000002"
}
