//! The wire, with a database behind it that keeps what it is asked and answers as told.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};
use truststream_kernel::{
    BoxFuture, Call, Context, Error, ErrorKind, FeatureSet, Features, Handle, Identity, Result, Service,
};
use truststream_services::auth::{AuthOp, AuthReply, AuthService};
use truststream_services::database::{
    Arguments, Catalog, Count, DatabaseFeature, DatabaseOp, DatabaseReply, DatabaseService, Filter, Insert,
    Invoke, Item, Media, Page, Query, Returning, Select, Table, TableName, Update,
};

use crate::{ApiKeys, GatewayState, Identities, RestSettings, Services, Settings, TxEnd};

/// What reached the database, and as whom.
#[derive(Debug)]
enum Asked {
    Select(Select),
    Insert(Insert),
    Update(Update),
    Delete,
    Invoke(Invoke),
    Other,
}

#[derive(Default)]
struct Told {
    asked: Mutex<Vec<(String, Asked)>>,
    page: Page,
    catalog: Arc<Catalog>,
    fails: Option<&'static str>,
}

impl Call<DatabaseService> for Told {
    fn features(&self) -> Features {
        Features { native: FeatureSet::all::<DatabaseFeature>(), ..Features::default() }
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        let page = self.page.clone();
        let (asked, reply) = match op {
            DatabaseOp::Select(op) => (Asked::Select(op.clone()), DatabaseReply::Select(page)),
            DatabaseOp::Insert(op) => (Asked::Insert(op.clone()), DatabaseReply::Insert(page)),
            DatabaseOp::Update(op) => (Asked::Update(op.clone()), DatabaseReply::Update(page)),
            DatabaseOp::Describe(_) => (Asked::Other, DatabaseReply::Describe(Arc::clone(&self.catalog))),
            DatabaseOp::Delete(_) => (Asked::Delete, DatabaseReply::Delete(page)),
            DatabaseOp::Invoke(op) => (Asked::Invoke(op.clone()), DatabaseReply::Invoke(page)),
            _ => (Asked::Other, DatabaseReply::Ping(())),
        };
        let makes =
            !matches!(&asked, Asked::Select(select) if matches!(select.format.media, Media::Custom(_)));
        self.asked.lock().push((cx.identity().map_or_else(String::new, |who| who.role.clone()), asked));
        let answer = match self.fails {
            Some(code) => Err(Error::new(ErrorKind::InvalidInput, code, "failed")),
            None if !makes => Err(Error::new(ErrorKind::InvalidInput, "PGRST107", "no handler")),
            None => Ok(reply),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Believes tokens that are the name of a role.
struct Believing;

impl Call<AuthService> for Believing {
    fn features(&self) -> Features {
        Features::default()
    }

    fn call<'a>(&'a self, _: &'a Context, op: &'a AuthOp) -> BoxFuture<'a, Result<AuthReply>> {
        let answer = match op {
            AuthOp::Authenticate(op) if op.token == "authenticated" || op.token == "service_role" => {
                Ok(AuthReply::Authenticate(Identity::new(&*op.token, Map::new())))
            }
            _ => Err(Error::new(ErrorKind::Unauthenticated, "PGRST301", "No suitable key or wrong key type")),
        };
        Box::pin(std::future::ready(answer))
    }
}

struct Nothing;

impl<S: Service> Call<S> for Nothing {
    fn features(&self) -> Features {
        Features::default()
    }

    fn call<'a>(&'a self, _: &'a Context, _: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        Box::pin(std::future::ready(Err(Error::internal("reached"))))
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
    asked: Vec<(String, Asked)>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn error(&self) -> String {
        let body: Json = serde_json::from_str(&self.body).unwrap();
        body["code"].as_str().unwrap().to_owned()
    }

    fn select(&self) -> &Select {
        match &self.asked[0].1 {
            Asked::Select(select) => select,
            other => panic!("{other:?}"),
        }
    }
}

fn page(rows: u64, total: Option<u64>) -> Told {
    Told { page: Page { body: "[1]".into(), rows, total, ..Page::default() }, ..Told::default() }
}

fn rest() -> RestSettings {
    RestSettings { schemas: vec!["public".into(), "other".into()], ..RestSettings::default() }
}

async fn ask(told: Told, rest: RestSettings, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let told = Arc::new(told);
    let auth: Handle<AuthService> = Handle::new(Arc::new(Believing), Context::system());
    let keys = ApiKeys {
        publishable: Some("sb_publishable_x".into()),
        secret: Some("sb_secret_x".into()),
        service_role: Some("service_role".into()),
    };
    let state = GatewayState {
        identities: Arc::new(Identities::new(auth.clone(), &rest.anon_role, keys)),
        services: Arc::new(Services {
            database: Handle::new(Arc::clone(&told) as _, Context::system()),
            auth,
            storage: Handle::new(Arc::new(Nothing), Context::system()),
            realtime: Handle::new(Arc::new(Nothing), Context::system()),
        }),
        settings: Arc::new(Settings { rest, ..Settings::default() }),
    };
    let (method, path) = request.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(format!("/rest/v1{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = TowerToHyperService::new(super::router(state)).call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
    let asked = std::mem::take(&mut *told.asked.lock());
    Answer { status: parts.status, headers: parts.headers, body, asked }
}

async fn get(path: &str, headers: &[(&str, &str)]) -> Answer {
    ask(page(1, None), rest(), &format!("GET {path}"), headers, "").await
}

#[tokio::test]
async fn a_read_becomes_a_select_as_the_caller() {
    let answer =
        get("/tracks?select=id&id=eq.7&limit=3", &[("prefer", "count=exact"), ("range", "2-9")]).await;
    let select = answer.select();
    assert_eq!(select.table, TableName::public("tracks"));
    let wanted = Query {
        items: vec![Item::column("id")],
        filter: Some(Filter::eq("id", "7")),
        limit: Some(3),
        offset: 2,
        ..Query::default()
    };
    assert_eq!((&select.query, select.count), (&wanted, Some(Count::Exact)));
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "[1]"));
    assert_eq!(answer.asked[0].0, "anon");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("content-range"), Some("2-2/*"));
    assert_eq!(answer.header("preference-applied"), Some("count=exact"));
    assert_eq!(answer.header("content-location"), Some("/tracks?id=eq.7&limit=3&select=id"));
}

#[tokio::test]
async fn a_part_of_the_rows_is_206_and_nothing_beyond_them_416() {
    let part = ask(page(1, Some(5)), rest(), "GET /t?limit=1", &[("prefer", "count=exact")], "").await;
    assert_eq!((part.status.as_u16(), part.header("content-range")), (206, Some("0-0/5")));
    let beyond = ask(page(0, Some(5)), rest(), "GET /t?offset=9", &[("prefer", "count=exact")], "").await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, Some("*/5")));
    assert_eq!(get("/t?limit=-1", &[]).await.status.as_u16(), 416);
    let capped = RestSettings { max_rows: Some(2), ..rest() };
    let capped = ask(page(1, None), capped, "GET /t?select=*,c(*)&limit=10", &[], "").await;
    let Item::Embed(child) = &capped.select().query.items[1] else { panic!() };
    assert_eq!((capped.select().query.limit, child.query.limit), (Some(2), Some(2)));
}

#[tokio::test]
async fn only_tokens_and_keys_decide_who_asks() {
    for (headers, role) in [
        (vec![], "anon"),
        (vec![("authorization", "Bearer authenticated")], "authenticated"),
        (vec![("apikey", "authenticated")], "authenticated"),
        (vec![("apikey", "sb_publishable_x")], "anon"),
        (vec![("apikey", "sb_secret_x")], "service_role"),
        (vec![("authorization", "Bearer sb_secret_x"), ("apikey", "sb_secret_x")], "service_role"),
        (vec![("authorization", "Bearer authenticated"), ("apikey", "sb_secret_x")], "authenticated"),
        (
            vec![("x-role", "service_role"), ("role", "service_role"), ("x-http-method-override", "DELETE")],
            "anon",
        ),
    ] {
        let answer = get("/t", &headers).await;
        assert_eq!(answer.asked[0].0, role, "{headers:?}");
        assert!(matches!(answer.asked[0].1, Asked::Select(_)));
    }
    for token in ["Bearer wrong", "Bearer ", "Bearer sb_secret_guessed"] {
        let answer = get("/t", &[("authorization", token), ("apikey", "sb_secret_guessed")]).await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (401, "PGRST301"), "{token}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer error=\"invalid_token\""));
        assert!(answer.asked.is_empty());
    }
    let closed =
        ask(page(1, None), RestSettings { anon_role: String::new(), ..rest() }, "GET /t", &[], "").await;
    assert_eq!((closed.status.as_u16(), closed.error().as_str()), (401, "PGRST302"));
}

#[tokio::test]
async fn schemas_are_chosen_by_profile() {
    let other = get("/t", &[("accept-profile", "other")]).await;
    assert_eq!(other.select().table, TableName::new("other", "t"));
    assert_eq!(other.header("content-profile"), Some("other"));
    let hidden = get("/t", &[("accept-profile", "auth")]).await;
    assert_eq!((hidden.status.as_u16(), hidden.error().as_str()), (406, "PGRST106"));
    assert!(hidden.asked.is_empty());
}

#[tokio::test]
async fn representations_are_negotiated_and_fall_back() {
    let page = get("/t", &[("accept", "text/html,image/webp,*/*;q=0.8")]).await;
    assert_eq!((page.status.as_u16(), page.asked.len()), (200, 3));
    assert_eq!(page.header("content-type"), Some("application/json; charset=utf-8"));
    let object = get("/t", &[("accept", "application/vnd.pgrst.object+json")]).await;
    assert_eq!(object.select().format.media, Media::Object);
    let none = get("/t", &[("accept", "image/webp, text/html")]).await;
    assert_eq!((none.status.as_u16(), none.error().as_str()), (406, "PGRST107"));
    assert!(none.body.contains("image/webp, text/html"), "{}", none.body);
}

#[tokio::test]
async fn an_insert_takes_json_csv_and_preferences() {
    let headers =
        [("prefer", "return=representation,resolution=merge-duplicates"), ("prefer", "missing=default")];
    let answer =
        ask(page(1, None), rest(), "POST /t?on_conflict=a&columns=a,b&select=a", &headers, "[{\"a\":1}]")
            .await;
    let Asked::Insert(insert) = &answer.asked[0].1 else { panic!() };
    assert_eq!((&insert.rows.read().unwrap()[..], insert.missing_default), (&b"[{\"a\":1}]"[..], true));
    assert_eq!(insert.columns, Some(vec!["a".to_owned(), "b".to_owned()]));
    let conflict = insert.on_conflict.as_ref().unwrap();
    assert_eq!((conflict.merge, conflict.columns.as_deref()), (true, Some(&["a".to_owned()][..])));
    assert_eq!(insert.options.returning, Returning::Representation);
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (201, "[1]"));
    let applied = "resolution=merge-duplicates, missing=default, return=representation";
    assert_eq!(answer.header("preference-applied"), Some(applied));
    let csv = ask(page(1, None), rest(), "POST /t", &[("content-type", "text/csv")], "a,b\n1,NULL\n").await;
    let Asked::Insert(insert) = &csv.asked[0].1 else { panic!() };
    assert_eq!(insert.rows.read().unwrap(), r#"[{"a":"1","b":null}]"#);
    assert_eq!((csv.status.as_u16(), csv.body.as_str()), (201, ""));
}

#[tokio::test]
async fn a_key_that_is_null_is_told_so() {
    let location = vec![("id".to_owned(), Some("1".to_owned())), ("other".to_owned(), None)];
    let told = Told { page: Page { rows: 1, location, ..Page::default() }, ..Told::default() };
    let answer = ask(told, rest(), "POST /t", &[("prefer", "return=headers-only")], "{}").await;
    assert_eq!(answer.header("location"), Some("/t?id=eq.1&other=is.null"));
}

#[tokio::test]
async fn duplicates_are_told_by_a_key() {
    let mut catalog = Catalog::default();
    for (name, key) in [("keyed", vec!["id".to_owned()]), ("bare", Vec::new())] {
        catalog.tables.insert(TableName::public(name), Table { primary_key: key, ..Table::default() });
    }
    let catalog = Arc::new(catalog);
    let applied = async |path: &str| {
        let told = Told { catalog: Arc::clone(&catalog), ..page(1, None) };
        let headers = [("prefer", "resolution=merge-duplicates, return=minimal")];
        let answer = ask(told, rest(), path, &headers, "{}").await;
        answer.header("preference-applied").map(str::to_owned)
    };
    let both = Some("resolution=merge-duplicates, return=minimal".to_owned());
    assert_eq!(applied("POST /keyed").await, both);
    assert_eq!(applied("POST /bare?on_conflict=a").await, both);
    assert_eq!(applied("POST /bare").await, Some("return=minimal".to_owned()));
}

#[tokio::test]
async fn the_root_tells_its_timing() {
    let settings = RestSettings { server_timing: true, ..rest() };
    let answer = ask(page(0, None), settings, "HEAD /", &[], "").await;
    let timing = answer.header("server-timing").unwrap();
    for phase in ["jwt", "parse", "plan", "transaction", "response"] {
        assert!(timing.contains(&format!("{phase};dur=")), "{timing}");
    }
}

#[tokio::test]
async fn writes_without_representation_are_204_and_bad_bodies_refused() {
    for request in ["PATCH /t?id=eq.1", "DELETE /t?id=eq.1"] {
        let answer = ask(page(2, None), rest(), request, &[("prefer", "count=exact")], "{\"a\":1}").await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (204, ""), "{request}");
        assert!(answer.header("content-range").unwrap().ends_with("/2"), "{request}");
        assert!(matches!(answer.asked[0].1, Asked::Update(_) | Asked::Delete));
    }
    for body in ["", "{", "[1"] {
        let answer = ask(page(0, None), rest(), "POST /t", &[], body).await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, "PGRST102"), "{body}");
        assert!(answer.asked.is_empty());
    }
    let mut settings = Settings::default();
    settings.gateway.body_limit = 64 << 20;
    let length = (settings.gateway.body_limit + 1).to_string();
    let large = ask(page(0, None), rest(), "POST /t", &[("content-length", &length)], "[]").await;
    assert_eq!(large.status.as_u16(), 413);
}

#[tokio::test]
async fn strictness_limits_and_ends_of_transactions_follow_the_settings() {
    let strict = [("prefer", "handling=strict, max-affected=3, tx=rollback")];
    let answer = ask(page(1, None), rest(), "PATCH /t", &strict, "{}").await;
    let Asked::Update(update) = &answer.asked[0].1 else { panic!() };
    assert_eq!(
        (update.options.transaction.max_affected, update.options.transaction.rollback),
        (Some(3), false)
    );
    let open = RestSettings { tx_end: TxEnd::CommitAllowOverride, ..rest() };
    let answer = ask(page(1, None), open, "PATCH /t", &strict, "{}").await;
    let Asked::Update(update) = &answer.asked[0].1 else { panic!() };
    assert!(update.options.transaction.rollback);
    assert_eq!(answer.header("preference-applied"), Some("tx=rollback, handling=strict, max-affected=3"));
    let unknown = get("/t", &[("prefer", "handling=strict, anything=goes")]).await;
    assert_eq!((unknown.status.as_u16(), unknown.error().as_str()), (400, "PGRST122"));
    let sum = get("/t?select=a.sum()", &[]).await;
    assert_eq!((sum.status.as_u16(), sum.error().as_str()), (400, "PGRST123"));
}

#[tokio::test]
async fn functions_are_called_by_get_and_post() {
    let answer = get("/rpc/add?a=1&b=gt.2&select=c", &[]).await;
    let Asked::Invoke(invoke) = &answer.asked[0].1 else { panic!() };
    assert!(invoke.read_only);
    let Arguments::Named(arguments) = &invoke.arguments else { panic!() };
    assert_eq!(
        (arguments.len(), arguments[0].filter.is_none(), arguments[1].filter.is_some()),
        (2, true, true)
    );
    let answer = ask(page(1, None), rest(), "POST /rpc/add?columns=a", &[], r#"{"a":1,"b":2}"#).await;
    let Asked::Invoke(invoke) = &answer.asked[0].1 else { panic!() };
    let Arguments::Json(arguments) = &invoke.arguments else { panic!() };
    assert_eq!((invoke.read_only, &arguments.read().unwrap()[..]), (false, &br#"{"a":1}"#[..]));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = ask(page(1, None), rest(), "POST /rpc/add", &form, "v=1&v=2").await;
    let Asked::Invoke(invoke) = &answer.asked[0].1 else { panic!() };
    assert!(matches!(&invoke.arguments, Arguments::Named(named) if named.len() == 2));
    let wrong = ask(page(1, None), rest(), "PUT /rpc/add", &[], "{}").await;
    assert_eq!((wrong.status.as_u16(), wrong.error().as_str()), (405, "PGRST101"));
}

#[tokio::test]
async fn errors_have_the_shape_and_status_of_postgrest() {
    let failing = |code| Told { fails: Some(code), ..Told::default() };
    let answer = ask(failing("23505"), rest(), "POST /t", &[], "{}").await;
    let body: Json = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body, json!({ "code": "23505", "details": null, "hint": null, "message": "failed" }));
    assert_eq!(
        (answer.status.as_u16(), answer.header("proxy-status")),
        (409, Some("PostgREST; error=23505"))
    );
    assert_eq!(ask(failing("42501"), rest(), "GET /t", &[], "").await.status.as_u16(), 401);
    let user = [("authorization", "Bearer authenticated")];
    assert_eq!(ask(failing("42501"), rest(), "GET /t", &user, "").await.status.as_u16(), 403);
    let parse = get("/t?id=1", &[]).await;
    let body: Json = serde_json::from_str(&parse.body).unwrap();
    assert_eq!((parse.status.as_u16(), &body["code"]), (400, &json!("PGRST100")));
    assert_eq!(body["message"], "\"failed to parse filter (1)\" (line 1, column 1)");
    assert_eq!(body["details"], "unexpected \"1\" expecting \"not\" or operator (eq, gt, ...)");
    assert_eq!(get("/a/b/c", &[]).await.status.as_u16(), 404);
    let nul = get("/t?id=eq.%00", &[]).await;
    assert_eq!((nul.status.as_u16(), nul.error().as_str(), nul.asked.len()), (400, "22021", 0));
}
