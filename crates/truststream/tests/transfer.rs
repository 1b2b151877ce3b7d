//! Rows from files and into files.

use serde_json::{Value as Json, json};
use truststream::TrustStream;
use truststream::transfer::{Imported, RowFormat};

use crate::support::{Backend, on_every_backend, project};

on_every_backend!(
    rows_come_in_and_go_out_the_same,
    a_bad_row_is_named_and_the_import_goes_on_after_it,
    an_atomic_import_leaves_nothing_behind,
    an_export_is_of_one_moment_and_any_size,
);

async fn count(db: &TrustStream) -> u64 {
    db.from("tracks").select("id").count().await.unwrap()
}

async fn exported(db: &TrustStream, format: RowFormat) -> String {
    let mut out = Vec::new();
    let read = db.from("tracks").select("id,title,seconds,tags,info").gte("id", 100).order("id");
    read.export(format, &mut out, |_| ()).await.unwrap();
    String::from_utf8(out).unwrap()
}

async fn rows_come_in_and_go_out_the_same(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let csv = "id,title,seconds,tags,info\n\
               100,\"Blue, in \"\"Green\"\"\nand more\",337,\"[\"\"a\"\",\"\"b\"\"]\",\"{\"\"year\"\": 1959}\"\n\
               101,,NULL,[],NULL\n";
    let done = db.import("tracks", RowFormat::Csv).read(csv.as_bytes()).await.unwrap();
    assert_eq!(done, Imported { read: 2, written: 2 });
    let rows: Vec<Json> = db
        .from("tracks")
        .select("id,title,seconds,tags,info")
        .gte("id", 100)
        .order("id")
        .fetch()
        .await
        .unwrap();
    let expected = [
        json!({ "id": 100, "title": "Blue, in \"Green\"\nand more", "seconds": 337, "tags": ["a", "b"], "info": { "year": 1959 } }),
        json!({ "id": 101, "title": "", "seconds": null, "tags": [], "info": null }),
    ];
    assert_eq!(rows, expected);
    for format in [RowFormat::Csv, RowFormat::Ndjson] {
        let text = exported(&db, format).await;
        db.from("tracks").delete().gte("id", 100).await.unwrap();
        db.import("tracks", format).read(text.as_bytes()).await.unwrap();
        assert_eq!(exported(&db, format).await, text);
    }
    let again = "{\"id\":100,\"title\":\"kept\"}\n\n{\"id\":102,\"title\":\"new\",\"seconds\":1}\n";
    let kept = db.import("tracks", RowFormat::Ndjson).existing(false).read(again.as_bytes()).await.unwrap();
    assert_eq!(kept, Imported { read: 2, written: 1 });
}

fn thousand(bad: u64, with: &str) -> String {
    let rows = (100..1_100u64).map(|id| {
        let seconds = if id - 100 == bad { with.to_owned() } else { "1".to_owned() };
        format!("{id},t{id},{seconds}\n")
    });
    std::iter::once("id,title,seconds\n".to_owned()).chain(rows).collect()
}

async fn a_bad_row_is_named_and_the_import_goes_on_after_it(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let error = db.import("tracks", RowFormat::Csv).read(thousand(703, "soon").as_bytes()).await.unwrap_err();
    assert_eq!(error.code(), "22P02");
    assert!(error.message().starts_with("line 705, column seconds: "), "{error}");
    assert!(error.hint().unwrap().starts_with("703 rows are imported"), "{error:?}");
    assert_eq!(count(&db).await, 3 + 703);
    let mut seen = Vec::new();
    let import = db.import("tracks", RowFormat::Csv).skip(703).progress(|rows| seen.push(rows));
    let done = import.read(thousand(703, "2").as_bytes()).await.unwrap();
    assert_eq!((done.written, count(&db).await, seen), (297, 1_003, vec![1_000]));
    let twice = db.import("tracks", RowFormat::Csv).read("id,title\n7,again\n".as_bytes()).await.unwrap_err();
    assert_eq!(twice.code(), "23505");
    assert!(twice.message().starts_with("line 2"), "{twice}");
    let malformed = db.import("tracks", RowFormat::Ndjson).read("{\"id\":1}\n{nonsense\n".as_bytes()).await;
    assert!(malformed.unwrap_err().message().starts_with("line 2, character 2"));
    let short = db.import("tracks", RowFormat::Csv).read("id,title\n1\n".as_bytes()).await.unwrap_err();
    assert!(short.message().starts_with("line 2"), "{short}");
}

async fn an_atomic_import_leaves_nothing_behind(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let import = db.import("tracks", RowFormat::Csv).atomic();
    let error = import.read(thousand(900, "soon").as_bytes()).await.unwrap_err();
    assert!(error.message().starts_with("line 902, column seconds"), "{error}");
    assert_eq!((error.hint(), count(&db).await), (Some("nothing was imported"), 3));
    db.import("tracks", RowFormat::Csv).atomic().read(thousand(0, "1").as_bytes()).await.unwrap();
    assert_eq!(count(&db).await, 1_003);
}

async fn an_export_is_of_one_moment_and_any_size(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let rows: Vec<Json> = (100..3_100).map(|id| json!({ "id": id, "title": "t" })).collect();
    db.from("tracks").insert(&rows).await.unwrap();
    let writer = db.clone();
    let mut written = false;
    let mut out = Vec::new();
    let handle = tokio::runtime::Handle::current();
    let rows = db
        .from("tracks")
        .select("id")
        .export(RowFormat::Ndjson, &mut out, |_| {
            if !std::mem::replace(&mut written, true) {
                // While it runs, rows that it has not come to are deleted.
                let writer = writer.clone();
                let deleting = async move { writer.from("tracks").delete().gte("id", 2_000).await };
                let deleted = tokio::task::block_in_place(|| handle.block_on(deleting));
                assert_eq!(deleted.unwrap(), 1_100);
            }
        })
        .await
        .unwrap();
    assert_eq!((rows, out.iter().filter(|byte| **byte == b'\n').count()), (3_003, 3_003));
    assert_eq!(count(&db).await, 1_903);
}
