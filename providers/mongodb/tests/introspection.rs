//! A schema proposed for collections that others made.

use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::{Client, IndexModel};
use truststream_kernel::{Context, Driven, Handle, Stack};
use truststream_services::database::{
    Database, DatabaseService, Introspect, Introspection, Migrate, TableName,
};

use truststream_conformance::mongodb_server::MongoServer;
use truststream_mongodb::MongoDriver;

use crate::server::config;

async fn others_made(url: &str) {
    let database = Client::with_uri_str(url).await.unwrap().database("theirs");
    let people = database.collection::<Document>("people");
    let document = |n: i32, extra: Document| {
        let mut document = doc! {
            "name": format!("p{n}"), "born": DateTime::from_millis(0), "size": n, "tags": ["a", "b"],
            "home": { "city": "Ulm" }, "odd": if n == 1 { Bson::Int32(1) } else { "x".into() },
        };
        document.extend(extra);
        document
    };
    people.insert_many([document(1, doc! {}), document(2, doc! { "nick": "two" })]).await.unwrap();
    let unique = mongodb::options::IndexOptions::builder().unique(true).build();
    for (keys, options) in [
        (doc! { "name": 1 }, Some(unique)),
        (doc! { "size": -1, "name": 1 }, None),
        (doc! { "home.city": 1 }, None),
    ] {
        people.create_index(IndexModel::builder().keys(keys).options(options).build()).await.unwrap();
    }
}

async fn introspected(database: &Database, sample: Option<usize>) -> Introspection {
    database.send(Introspect { sample }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_give_a_proposed_schema() {
    let server = MongoServer::start().unwrap();
    others_made(&server.url()).await;
    let config = config(server.url(), "theirs");
    let driver = MongoDriver::open(config).await.unwrap();
    let stack: Stack<DatabaseService> = std::sync::Arc::new(Driven(driver));
    let database = Handle::new(stack, Context::system());
    let sql = "create table ours (id int primary key);";
    database.send(Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false }).await.unwrap();

    let found = introspected(&database, None).await;
    let names: Vec<_> = found.catalog.tables.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["public.ours", "public.people"]);
    let people = &found.catalog.tables[&TableName::public("people")];
    let columns: Vec<_> = people
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.type_name.as_str(), column.nullable))
        .collect();
    assert_eq!(
        columns,
        [
            ("id", "text", false),
            ("name", "text", false),
            ("born", "timestamp with time zone", false),
            ("size", "bigint", false),
            ("tags", "text[]", false),
            ("home", "jsonb", false),
            ("odd", "jsonb", false),
            ("nick", "text", true),
        ]
    );
    assert_eq!(people.primary_key, ["id"]);
    assert_eq!(people.unique_keys[0].columns, ["name"]);
    assert_eq!(people.indexes[0].terms, [r#""size" DESC"#, r#""name""#]);
    let told = |part: &str| assert!(found.notes.iter().any(|note| note.contains(part)), "{:?}", found.notes);
    told("people.odd: holds values of 2 kinds");
    told("people: index home.city_1 is left out");
    told("people.id: its object ids become text");

    let sampled = introspected(&database, Some(1)).await;
    let note = "people: guessed from 1 documents: others may hold other fields";
    assert!(sampled.notes.iter().any(|one| one == note), "{:?}", sampled.notes);
}
