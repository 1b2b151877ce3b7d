//! The own API and what goes beyond PostgREST on `/rest/v1`, on real databases.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use truststream_conformance::postgres_server::PostgresServer;
use truststream_kernel::Secret;
use truststream_runtime::Runtime;
use truststream_runtime::config::Config;
use truststream_services::database::Migrate;

use crate::{ApiKeys, GatewayState, Identities, Services, Settings, app};

const SCHEMA: &str = "
create table tracks (id int primary key, title text not null, seconds int);
insert into tracks values (7, 'So What', 545), (8, 'Sinnerman', 622);
create table shelf (id int primary key, gone boolean not null default false);
comment on table shelf is '@soft_delete gone';
insert into shelf (id) values (1), (2);
create table misspelt (id int primary key, gone boolean);
comment on table misspelt is '@soft_delete gonne';
create table seen (id int primary key, at timestamptz not null);
insert into seen values (1, '2024-01-01T12:00:00Z');
create table notes (id int primary key, body text);
alter table notes enable row level security;
create policy all_see on notes for select to anon using (true);
grant select on notes to anon;
";

/// A gateway on a project of its own.
pub(crate) struct Site {
    pub(crate) app: Router,
    pub(crate) runtime: Arc<Runtime>,
    _folder: TempDir,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Json,
}

impl Reply {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// A new database on the server of this test run.
pub(crate) fn new_database() -> String {
    PostgresServer::of_the_run().new_database().unwrap()
}

pub(crate) async fn sites() -> [Site; 2] {
    let postgres = format!("provider = \"postgres\"\nurl = \"{}\"", new_database());
    [site("provider = \"sqlite\"\npath = \"data.db\"").await, site(&postgres).await]
}

pub(crate) async fn site(database: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[health]\ntimeout = \"120s\"\nlatency = \"120s\"\n\
         [auth]\njwt_secret = \"a secret of at least thirty-two characters\"\n[backend.main.database]\n{database}\n"
    );
    let runtime = Runtime::open(Config::from_text(folder.path(), &text).unwrap()).await.unwrap();
    let migrate = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    runtime.database().send(migrate).await.unwrap();
    let services = Services {
        database: runtime.database().clone(),
        auth: runtime.auth().clone(),
        storage: runtime.storage().clone(),
        realtime: runtime.realtime().clone(),
    };
    let keys = ApiKeys {
        secret: Some("sb_secret_x".into()),
        service_role: Some(Secret::new(runtime.keys().api_key("service_role").unwrap())),
        ..ApiKeys::default()
    };
    let identities = Arc::new(Identities::new(services.auth.clone(), "anon", keys));
    let app = app(GatewayState {
        services: Arc::new(services),
        identities,
        settings: Arc::new(Settings::default()),
    });
    Site { app, runtime, _folder: folder }
}

impl Site {
    pub(crate) async fn ask(&self, line: &str, headers: &[(&str, &str)], body: Json) -> Reply {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.body(body).unwrap();
        let response = TowerToHyperService::new(self.app.clone()).call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or(Json::Null);
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// As the service role.
    pub(crate) async fn serve(&self, line: &str, headers: &[(&str, &str)], body: Json) -> Reply {
        let headers: Vec<_> = headers.iter().copied().chain([("apikey", "sb_secret_x")]).collect();
        self.ask(line, &headers, body).await
    }
}

const ATOMIC: &str = "POST /truststream/v1/atomic";

#[tokio::test(flavor = "multi_thread")]
async fn several_requests_are_done_together() {
    for site in sites().await {
        let requests = json!({ "isolation": "serializable", "requests": [
            { "method": "POST", "path": "/tracks", "body": { "id": 9, "title": "Solar" },
              "headers": { "Prefer": "return=representation" } },
            { "method": "PATCH", "path": "/tracks?id=eq.7", "body": { "seconds": 1 }, "expect": 1 },
            { "method": "GET", "path": "/tracks?id=eq.7&select=id,seconds",
              "headers": { "Accept": "application/vnd.pgrst.object+json" } },
            { "method": "DELETE", "path": "/tracks?id=eq.8" },
        ]});
        let reply = site.serve(ATOMIC, &[], requests).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let expected = json!([
            { "status": 201, "rows": 1, "body": [{ "id": 9, "title": "Solar", "seconds": null }] },
            { "status": 204, "rows": 1, "body": null },
            { "status": 200, "rows": 1, "body": { "id": 7, "seconds": 1 } },
            { "status": 204, "rows": 1, "body": null },
        ]);
        assert_eq!(reply.body, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_done_or_none_and_the_one_that_failed_is_named() {
    for site in sites().await {
        let rename =
            json!({ "method": "PATCH", "path": "/tracks?id=eq.7", "body": { "title": "x" }, "expect": 1 });
        let again = json!({ "method": "POST", "path": "/tracks", "body": { "id": 8, "title": "again" } });
        let missed = json!({ "method": "DELETE", "path": "/tracks?id=eq.99", "expect": 1 });
        let wrong = json!({ "method": "GET", "path": "/tracks?id=what.1" });
        for (last, status, code) in [(again, 409, "23505"), (missed, 409, "40001"), (wrong, 400, "PGRST100")]
        {
            let reply = site.serve(ATOMIC, &[], json!({ "requests": [rename, last] })).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{}", reply.body);
            assert_eq!(reply.body["index"], 1);
        }
        let titles = site.serve("GET /rest/v1/tracks?select=title&order=id", &[], Json::Null).await;
        assert_eq!(titles.body, json!([{ "title": "So What" }, { "title": "Sinnerman" }]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_bind_those_who_send_several() {
    for site in sites().await {
        let read = |path: &str| json!({ "method": "GET", "path": path });
        let allowed = site.ask(ATOMIC, &[], json!({ "requests": [read("/notes")] })).await;
        assert_eq!(
            (allowed.status.as_u16(), &allowed.body[0]["body"]),
            (200, &json!([])),
            "{}",
            allowed.body
        );
        let refused = site.ask(ATOMIC, &[], json!({ "requests": [read("/notes"), read("/tracks")] })).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (401, "42501"));
        assert_eq!(refused.body["index"], 1);
        // The credentials of a part count for nothing.
        let mut claims = read("/tracks");
        claims["headers"] = json!({ "apikey": "sb_secret_x" });
        assert_eq!(site.ask(ATOMIC, &[], json!({ "requests": [claims] })).await.code(), "42501");
        for bad in [json!({}), json!({ "requests": [{ "method": "GET", "path": "tracks" }] })] {
            assert_eq!(site.serve(ATOMIC, &[], bad).await.status, 400);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_is_the_service_role_s() {
    let query =
        json!({ "sql": "select title from tracks where id = $1", "parameters": [7], "read_only": true });
    let path = "POST /truststream/v1/query";
    for site in sites().await {
        let reply = site.serve(path, &[], query.clone()).await;
        assert_eq!(reply.body, json!({ "count": 1, "rows": [{ "title": "So What" }] }));
        let refused = site.ask(path, &[], query.clone()).await;
        assert_eq!((refused.status.as_u16(), &refused.body["index"]), (401, &Json::Null));
        let bare = json!({ "sql": "select title from tracks where id = $1" });
        let bare = site.serve(path, &[], bare).await;
        assert_eq!((bare.status.as_u16(), bare.code()), (400, "42P02"), "{}", bare.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_changed_only_in_the_version_that_was_read() {
    let object = ("accept", "application/vnd.pgrst.object+json");
    let one = "GET /rest/v1/tracks?id=eq.7";
    let mut tags = Vec::new();
    for site in sites().await {
        let read = site.serve(one, &[object], Json::Null).await;
        let tag = read.headers["etag"].to_str().unwrap().to_owned();
        let known = site.serve(one, &[object, ("if-none-match", &tag)], Json::Null).await;
        assert_eq!((known.status.as_u16(), known.body), (304, Json::Null));
        assert!(!site.serve(one, &[], Json::Null).await.headers.contains_key("etag"));
        let (patch, body) = ("PATCH /rest/v1/tracks?id=eq.7", json!({ "seconds": 1 }));
        let stale = site.serve(patch, &[("if-match", "\"0123\"")], body.clone()).await;
        assert_eq!((stale.status.as_u16(), stale.code()), (412, "BACKEND_016"));
        assert_eq!(stale.body["index"], Json::Null, "only requests of several have one");
        let several = format!("\"0123\", {tag}");
        assert_eq!(site.serve(patch, &[("if-match", &several)], body).await.status, 204);
        let delete = site.serve("DELETE /rest/v1/tracks?id=eq.7", &[("if-match", &tag)], Json::Null).await;
        assert_eq!(delete.status, 412);
        let put = json!({ "id": 7, "title": "put", "seconds": 2 });
        let line = "PUT /rest/v1/tracks?id=eq.7";
        assert_eq!(site.serve(line, &[("if-match", &tag)], put.clone()).await.status, 412);
        let shown = [object, ("if-match", "*"), ("prefer", "return=representation")];
        let written = site.serve(line, &shown, put.clone()).await;
        assert_eq!((written.status.as_u16(), &written.body), (200, &put));
        let read = site.serve(one, &[object], Json::Null).await;
        assert_eq!(written.headers["etag"], read.headers["etag"]);
        tags.push((tag, read.headers["etag"].clone()));
    }
    assert_eq!(tags[0], tags[1], "a version is the same on every engine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_holds_in_the_time_zone_it_was_told_in() {
    let zone = ("prefer", "timezone=America/New_York");
    for site in sites().await {
        let one = "GET /rest/v1/seen?id=eq.1";
        let read =
            site.serve(one, &[("accept", "application/vnd.pgrst.object+json"), zone], Json::Null).await;
        assert_eq!(read.body["at"], "2024-01-01T07:00:00-05:00");
        let tag = read.headers["etag"].to_str().unwrap().to_owned();
        let body = json!({ "at": "2024-01-02T12:00:00Z" });
        let patch = "PATCH /rest/v1/seen?id=eq.1";
        let elsewhere = site.serve(patch, &[("if-match", &tag)], body.clone()).await;
        assert_eq!(elsewhere.status, 412);
        assert_eq!(site.serve(patch, &[("if-match", &tag), zone], body).await.status, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_under_a_key_is_answered_once_and_for_all() {
    let line = "POST /rest/v1/tracks?select=id";
    for site in sites().await {
        let headers = [("idempotency-key", "order-1"), ("prefer", "return=representation,count=exact")];
        let body = json!({ "id": 9, "title": "Solar" });
        let first = site.serve(line, &headers, body.clone()).await;
        let again = site.serve(line, &headers, body).await;
        assert_eq!((first.status.as_u16(), &first.body), (201, &json!([{ "id": 9 }])));
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.headers["content-range"], first.headers["content-range"]);
        let other = site.serve(line, &headers, json!({ "id": 10, "title": "Solar" })).await;
        assert_eq!((other.status.as_u16(), other.code()), (422, "BACKEND_017"));
        let accented = [("idempotency-key", "commande-é")];
        for _ in 0..2 {
            let made = site.serve(line, &accented, json!({ "id": 12, "title": "x" })).await;
            assert_eq!(made.status, 201, "{}", made.body);
        }
        let delete = [("idempotency-key", "order-2"), ("prefer", "count=exact")];
        for _ in 0..2 {
            let reply = site.serve("DELETE /rest/v1/tracks?id=eq.9", &delete, Json::Null).await;
            assert_eq!(
                (reply.status.as_u16(), reply.headers["content-range"].to_str().unwrap()),
                (204, "*/1")
            );
        }
        let key = [("idempotency-key", "both")];
        let requests = json!({ "requests": [{ "method": "POST", "path": "/tracks", "body": { "id": 11, "title": "x" } }] });
        for _ in 0..2 {
            assert_eq!(site.serve(ATOMIC, &key, requests.clone()).await.status, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_deleted_softly_are_shown_to_those_who_ask() {
    for site in sites().await {
        assert_eq!(site.serve("DELETE /rest/v1/shelf?id=eq.1", &[], Json::Null).await.status, 204);
        let left = site.serve("GET /rest/v1/shelf?select=id", &[], Json::Null).await;
        assert_eq!(left.body, json!([{ "id": 2 }]));
        let include = [("prefer", "deleted=include")];
        let all = site.serve("GET /rest/v1/shelf?order=id", &include, Json::Null).await;
        assert_eq!(all.body, json!([{ "id": 1, "gone": true }, { "id": 2, "gone": false }]));
        assert_eq!(all.headers["preference-applied"], "deleted=include");
        site.serve("DELETE /rest/v1/shelf?id=eq.1", &include, Json::Null).await;
        let all = site.serve("GET /rest/v1/shelf?select=id", &include, Json::Null).await;
        assert_eq!(all.body, json!([{ "id": 2 }]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_of_deleted_rows_that_no_column_can_be_is_told_on_every_path() {
    for site in sites().await {
        for line in
            ["GET /rest/v1/misspelt", "PATCH /rest/v1/misspelt?id=eq.1", "DELETE /rest/v1/misspelt?id=eq.1"]
        {
            let refused = site.serve(line, &[], json!({ "gone": true })).await;
            assert_eq!((refused.status.as_u16(), refused.code()), (500, "BACKEND_002"), "{line}");
            assert!(refused.body["message"].as_str().unwrap().contains("\"gonne\""), "{}", refused.body);
            assert!(refused.body["hint"].as_str().unwrap().contains("@soft_delete"), "{}", refused.body);
        }
        let all = site.serve("GET /rest/v1/misspelt", &[("prefer", "deleted=include")], Json::Null).await;
        assert_eq!((all.status.as_u16(), all.body), (200, json!([])));
    }
}
