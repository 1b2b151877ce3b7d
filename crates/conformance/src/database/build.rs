//! Short words for the requests of the cases.

use bytes::Bytes;
use serde_json::{Value as Json, json};
use truststream_kernel::{Context, Error, Identity, Result};
use truststream_services::database::{
    Comparison, Database, DatabaseService, Embed, Field, Filter, Insert, Item, Media, Migrate, Operand,
    Operator, Order, Page, Query, Returning, Select, TableName, Update,
};

use crate::Env;

/// The schema that most cases start from.
pub const SCHEMA: &str = include_str!("schema.sql");

/// A user of the policies' cases.
pub(super) const ALICE: &str = "a11ce000-0000-4000-8000-000000000001";
/// Another one.
pub(super) const BOB: &str = "b0b00000-0000-4000-8000-000000000002";

/// Applies the suite's schema.
pub(super) async fn migrate(database: &Database) -> Result<()> {
    database
        .send(Migrate { name: "1_schema.sql".into(), sql: SCHEMA.into(), dry_run: false })
        .await
        .map(|_| ())
}

/// The database of a case, with the suite's schema.
pub(super) async fn ready(env: &Env<DatabaseService>) -> Result<Database> {
    migrate(env.service()).await?;
    Ok(env.service().clone())
}

/// An empty database with one migration of its own.
pub(super) async fn migrated(env: &Env<DatabaseService>, name: &str, sql: &str) -> Result<Database> {
    let database = env.service().clone();
    database.send(Migrate { name: name.into(), sql: sql.into(), dry_run: false }).await?;
    Ok(database)
}

/// The same as [`ready`], with a few rows.
pub(super) async fn filled(env: &Env<DatabaseService>) -> Result<Database> {
    let database = ready(env).await?;
    insert(&database, "artists", ARTISTS).await?;
    insert(&database, "albums", ALBUMS).await?;
    insert(
        &database,
        "genres",
        r#"[{"code":"a","name":"Ambient"},{"code":"j","name":"Jazz"},{"code":"z","name":"Zydeco"}]"#,
    )
    .await?;
    let links = r#"[{"album_id":1,"genre_code":"a"},{"album_id":2,"genre_code":"a"},{"album_id":2,"genre_code":"j"}]"#;
    insert(&database, "album_genres", links).await?;
    Ok(database)
}

const ARTISTS: &str = r#"[
  {"id":1,"name":"Ada","country":"SE","born":"1970-05-04","feels":"happy"},
  {"id":2,"name":"Bo","country":null,"born":"1980-12-31","feels":"ok"},
  {"id":3,"name":"çelik","country":"TR","born":null,"feels":"sad"},
  {"id":4,"name":"D%_x","country":"SE","born":"1999-01-01","feels":"ok"}
]"#;

const ALBUMS: &str = r#"[
  {"id":1,"artist_id":1,"title":"One","price":9.50,"facts":{"a":{"b":[10,20]},"n":5},"labels":["x","y"],"released":"2020-01-01T00:00:00Z"},
  {"id":2,"artist_id":1,"title":"Two","price":12.00,"facts":{"a":1,"s":"text"},"labels":["y"],"released":"2021-06-01T12:30:00.5+02:00"},
  {"id":3,"artist_id":2,"title":"Three","price":null,"facts":null,"labels":[],"released":"2019-01-01T00:00:00Z"},
  {"id":4,"artist_id":null,"title":"Four","price":0.99,"facts":[1,"two"],"labels":["x","z"],"released":"2022-01-01T00:00:00Z"}
]"#;

pub(super) fn table(name: &str) -> TableName {
    TableName::public(name)
}

pub(super) async fn insert(database: &Database, name: &str, rows: &str) -> Result<Page> {
    database.send(Insert::new(table(name), rows.to_owned())).await
}

/// An insert that returns the rows.
pub(super) fn insert_returning(name: &str, rows: &str) -> Insert {
    let mut insert = Insert::new(table(name), rows.to_owned());
    insert.options.returning = Returning::Representation;
    insert
}

/// An update that returns the rows.
pub(super) fn update_returning(name: &str, values: &str, query: Query) -> Update {
    let mut update = Update::new(table(name), values.to_owned(), query);
    update.options.returning = Returning::Representation;
    update
}

/// Reads as JSON, with the white space between its tokens taken out.
pub(super) async fn read(database: &Database, name: &str, query: Query) -> Result<String> {
    database.send(Select::new(table(name), query)).await.map(|page| compact(&page.body))
}

/// Numbers in column `id` of the rows read, in order.
pub(super) async fn ids(database: &Database, name: &str, mut query: Query) -> Result<Vec<i64>> {
    query.items = vec![Item::column("id")];
    if query.order.is_empty() {
        query = query.ordered(&["id"]);
    }
    let page = database.send(Select::new(table(name), query)).await?;
    Ok(ids_of(&page.body))
}

pub(super) fn ids_of(body: &Bytes) -> Vec<i64> {
    let rows: Json = serde_json::from_slice(body).unwrap_or_default();
    rows.as_array().into_iter().flatten().filter_map(|row| row["id"].as_i64()).collect()
}

/// JSON text without white space outside strings: engines differ there, and nowhere else.
pub(super) fn compact(json: &Bytes) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut inside, mut escaped) = (false, false);
    for c in String::from_utf8_lossy(json).chars() {
        if inside || !c.is_ascii_whitespace() {
            out.push(c);
        }
        inside ^= c == '"' && !escaped;
        escaped = inside && c == '\\' && !escaped;
    }
    out
}

/// The error of a request that must fail with `code`.
#[track_caller]
pub(super) fn refused<T>(outcome: Result<T>, code: &str) -> Error {
    match outcome {
        Ok(_) => panic!("passes, but must be refused with {code}"),
        Err(error) => {
            assert_eq!(error.code(), code, "{error:?}");
            error
        }
    }
}

/// The same with the whole sentence.
#[track_caller]
pub(super) fn refused_saying<T>(outcome: Result<T>, code: &str, message: &str) -> Error {
    let error = refused(outcome, code);
    assert_eq!(error.message(), message);
    error
}

pub(super) fn details(error: &Error) -> &str {
    error.details().and_then(Json::as_str).unwrap_or_default()
}

/// The database as a signed-in user sees it.
pub(super) fn signed_in(database: &Database, user: &str) -> Database {
    let claims = json!({ "sub": user, "role": "authenticated" });
    let claims = claims.as_object().cloned().unwrap_or_default();
    database.with(Context::of(Identity::new("authenticated", claims)))
}

/// The database as a role without a user sees it.
pub(super) fn as_role(database: &Database, role: &str) -> Database {
    database.with(Context::role(role))
}

pub(super) fn compare(field: &str, operator: Operator, literal: &str) -> Filter {
    Filter::Compare(Comparison {
        field: Field::column(field),
        operator,
        quantifier: None,
        operand: Operand::Text(literal.to_owned()),
    })
}

pub(super) fn ascending(field: &str) -> Order {
    Order { relation: None, field: Field::column(field), descending: false, nulls: None }
}

/// Builders for queries.
pub(super) trait QueryExt {
    fn columns(self, names: &[&str]) -> Query;
    fn ordered(self, names: &[&str]) -> Query;
    fn matching(self, filter: Filter) -> Query;
    fn embedding(self, relation: &str, columns: &[&str]) -> Query;
}

impl QueryExt for Query {
    fn columns(mut self, names: &[&str]) -> Query {
        self.items = names.iter().map(|name| Item::column(*name)).collect();
        self
    }

    fn ordered(mut self, names: &[&str]) -> Query {
        self.order = names.iter().map(|name| ascending(name)).collect();
        self
    }

    fn matching(mut self, filter: Filter) -> Query {
        self.and(filter);
        self
    }

    fn embedding(mut self, relation: &str, columns: &[&str]) -> Query {
        self.items.push(Item::Embed(embed(relation, columns)));
        self
    }
}

pub(super) fn embed(relation: &str, columns: &[&str]) -> Embed {
    Embed {
        relation: relation.to_owned(),
        alias: None,
        hint: None,
        inner: false,
        spread: false,
        query: Query::default().columns(columns),
    }
}

/// A select of exactly one row as an object.
pub(super) fn single(name: &str, query: Query) -> Select {
    let mut select = Select::new(table(name), query);
    select.format.media = Media::Object;
    select
}
