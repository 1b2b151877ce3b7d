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
    documents_and_composites_stay_what_they_are,
    a_text_that_csv_would_make_null_is_refused,
    a_part_of_the_rows_is_exported_and_rows_without_a_key_too,
    what_is_wrong_with_a_file_is_said_with_its_line,
    an_atomic_import_blames_the_row_that_is_wrong,
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

async fn documents_and_composites_stay_what_they_are(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let tables = "create type place as (street text, number int);
        create table houses (id int primary key, info jsonb, at place);";
    db.migrate("2_houses.sql", tables).await.unwrap();
    let houses = [
        json!({ "id": 1, "info": "123", "at": { "street": "a, \"b\"", "number": 3 } }),
        json!({ "id": 2, "info": 123, "at": { "street": null, "number": null } }),
        json!({ "id": 3, "info": "NULL", "at": null }),
        json!({ "id": 4, "info": { "a": [true, null] }, "at": { "street": "", "number": 0 } }),
    ];
    db.from("houses").insert(&houses).await.unwrap();
    let mut csv = Vec::new();
    db.from("houses").select("*").export(RowFormat::Csv, &mut csv, |_| ()).await.unwrap();
    db.from("houses").delete().await.unwrap();
    db.import("houses", RowFormat::Csv).read(&*csv).await.unwrap();
    let found: Vec<Json> = db.from("houses").select("*").order("id").fetch().await.unwrap();
    assert_eq!(found, houses);
}

async fn a_text_that_csv_would_make_null_is_refused(backend: Backend) {
    let (db, _folder) = project(backend).await;
    db.from("tracks").insert(&json!({ "id": 1, "title": "NULL" })).await.unwrap();
    let read = || db.from("tracks").select("title").eq("id", 1);
    let error = read().export(RowFormat::Csv, &mut Vec::new(), |_| ()).await.unwrap_err();
    assert_eq!((error.code(), error.hint()), ("0A000", Some("export as NDJSON")), "{error}");
    assert!(error.message().contains("column title"), "{error}");
    let mut lines = Vec::new();
    read().export(RowFormat::Ndjson, &mut lines, |_| ()).await.unwrap();
    assert_eq!(lines, b"{\"title\":\"NULL\"}\n");
}

async fn a_part_of_the_rows_is_exported_and_rows_without_a_key_too(backend: Backend) {
    let (db, _folder) = project(backend).await;
    db.migrate("2_loose.sql", "create table loose (a int, b text);").await.unwrap();
    let rows: Vec<Json> = (100..2_600).map(|id| json!({ "id": id, "title": "t" })).collect();
    db.from("tracks").insert(&rows).await.unwrap();
    let mut out = Vec::new();
    let some = db.from("tracks").select("id").gte("id", 100).offset(10).limit(2_100);
    assert_eq!(some.export(RowFormat::Ndjson, &mut out, |_| ()).await.unwrap(), 2_100);
    let text = String::from_utf8(out).unwrap();
    let expected = (110..2_210).map(|id| format!("{{\"id\":{id}}}\n")).collect::<String>();
    assert_eq!(text, expected);
    db.from("loose").insert(&[json!({ "a": 1, "b": "x" }), json!({ "a": 1, "b": "x" })]).await.unwrap();
    let mut out = Vec::new();
    db.from("loose").select("*").export(RowFormat::Csv, &mut out, |_| ()).await.unwrap();
    assert_eq!(String::from_utf8(out).unwrap().replace("\r\n", "\n"), "a,b\n1,x\n1,x\n");
    let mut out = Vec::new();
    let counted = db.from("tracks").select("title,count()").eq("title", "t");
    counted.export(RowFormat::Ndjson, &mut out, |_| ()).await.unwrap();
    assert_eq!(out, b"{\"title\":\"t\",\"count\":2500}\n");
    let unknown = db.from("nowhere").select("*").export(RowFormat::Csv, &mut Vec::new(), |_| ()).await;
    assert_eq!(unknown.unwrap_err().code(), "PGRST205");
}

async fn what_is_wrong_with_a_file_is_said_with_its_line(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let wrong = async |format, bytes: &[u8]| {
        let error = db.import("tracks", format).read(bytes).await.unwrap_err();
        (error.message().to_owned(), error.hint().unwrap_or_default().to_owned())
    };
    let (message, hint) = wrong(RowFormat::Csv, b"id,titel\n1,x\n").await;
    assert_eq!(message, "line 1: public.tracks has no column \"titel\"");
    assert!(hint.ends_with("which are id, title, seconds, tags, info, artist_id"), "{hint}");
    assert_eq!(wrong(RowFormat::Csv, b"id,id\n1,1\n").await.0, "line 1: column \"id\" is there twice");
    let latin = b"{\"id\":1,\"title\":\"a\"}\n{\"id\":2,\"title\":\"caf\xe9\"}\n";
    assert_eq!(wrong(RowFormat::Ndjson, latin).await.0, "line 2: the text is not UTF-8");
    let excel = b"id,title\r\n\r\n1,\"two\r\nlines\"\r\n7,taken\r\n";
    let (message, hint) = wrong(RowFormat::Csv, excel).await;
    assert!(message.starts_with("line 5, column id: duplicate key"), "{message}");
    assert!(hint.starts_with("1 rows are imported; repeat with 1 rows skipped"), "{hint}");
    db.from("tracks").delete().eq("id", 1).await.unwrap();
    let short = wrong(RowFormat::Csv, b"id,title\n1,a\n2\n").await.0;
    assert_eq!(short, "line 3: 1 fields, where the first line names 2 columns");
    let open = wrong(RowFormat::Csv, b"id,title\n1,a\n2,\"b\n3,c\n").await.0;
    assert_eq!(open, "line 3: a field's quotes are not closed");
    let (message, hint) = wrong(RowFormat::Ndjson, b"[{\"id\":1}]\n").await;
    assert_eq!(message, "line 1, character 1: not a JSON object");
    assert!(hint.contains("no list around them"), "{hint}");
    let nowhere = db.import("nowhere", RowFormat::Csv).read(&b"id\n1\n"[..]).await.unwrap_err();
    assert_eq!(nowhere.code(), "PGRST205");
    assert_eq!(count(&db).await, 3);
    // What some programs begin such files with is no part of the first name.
    db.import("tracks", RowFormat::Csv).read("\u{feff}id,title\n100,a\n".as_bytes()).await.unwrap();
    let line = "\u{feff}{\"id\":101,\"title\":\"b\"}\n";
    db.import("tracks", RowFormat::Ndjson).read(line.as_bytes()).await.unwrap();
    assert_eq!(count(&db).await, 5);
}

async fn an_atomic_import_blames_the_row_that_is_wrong(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let tree = "create table tree (id int primary key, parent int references tree, size int);";
    db.migrate("2_tree.sql", tree).await.unwrap();
    // All rows hang on the first one, which is gone when it is asked which row was wrong.
    let rows = (1..=1_000).map(|id| {
        let parent = if id == 1 { "NULL" } else { "1" };
        let size = if id == 900 { "large" } else { "1" };
        format!("{id},{parent},{size}\n")
    });
    let text: String = std::iter::once("id,parent,size\n".to_owned()).chain(rows).collect();
    let error = db.import("tree", RowFormat::Csv).atomic().read(text.as_bytes()).await.unwrap_err();
    assert_eq!((error.code(), error.hint()), ("22P02", Some("nothing was imported")), "{error}");
    assert!(error.message().starts_with("line 901, column size: "), "{error}");
}
