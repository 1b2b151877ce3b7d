use serde::Deserialize;
use serde_json::{Value as Json, json};
use truststream::{ErrorKind, TrustStream};

use crate::support::{Artist, Backend, Track, on_every_backend, project, track};

on_every_backend!(
    rows_with_what_belongs_to_them,
    every_filter_means_what_it_says,
    one_row_none_or_too_many,
    writes_count_or_return_their_rows,
    what_is_wrong_is_named
);

async fn ids(request: truststream::query::Select<'_>) -> Vec<i64> {
    let rows: Vec<Json> = request.order("id").fetch().await.unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

async fn rows_with_what_belongs_to_them(backend: Backend) {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        title: String,
        artists: Option<Artist>,
    }
    let (db, _folder) = project(backend).await;
    let rows: Vec<Row> =
        db.from("tracks").select("title, artists(name)").order("title").limit(2).fetch().await.unwrap();
    assert_eq!(rows[0], Row { title: "Interlude".to_owned(), artists: None });
    assert_eq!(rows[1].artists, Some(Artist { name: "Nina Simone".to_owned() }));
    let miles = db.from("tracks").select("id, artists!inner(name)").eq("artists.name", "Miles Davis");
    assert_eq!(ids(miles).await, [7]);
}

async fn every_filter_means_what_it_says(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let all = || db.from("tracks").select("id");
    assert_eq!(ids(all().eq("id", 7)).await, [7]);
    assert_eq!(ids(all().neq("id", 7)).await, [8, 9]);
    assert_eq!(ids(all().gt("id", 7).lt("id", 9)).await, [8]);
    assert_eq!(ids(all().gte("id", 8).lte("id", 9)).await, [8, 9]);
    assert_eq!(ids(all().like("title", "S%")).await, [7, 8]);
    assert_eq!(ids(all().ilike("title", "s%w%")).await, [7]);
    assert_eq!(ids(all().is_null("seconds")).await, [9]);
    assert_eq!(ids(all().is_not_null("seconds")).await, [7, 8]);
    assert_eq!(ids(all().is_distinct("seconds", 545)).await, [8, 9]);
    assert_eq!(ids(all().is_in("title", ["So What", "Inter,lude"])).await, [7]);
    assert_eq!(ids(all().contains("tags", ["modal"])).await, [7]);
    assert_eq!(ids(all().contained_by("tags", ["soul", "funk"])).await, [8, 9]);
    assert_eq!(ids(all().overlaps("tags", ["soul", "cool"])).await, [7, 8]);
    assert_eq!(ids(all().contains_json("info", &json!({ "year": 1959 }))).await, [7]);
    assert_eq!(ids(all().eq("info->>year", 1959)).await, [7]);
    assert_eq!(ids(all().not("id", "in.(7,8)")).await, [9]);
    assert_eq!(ids(all().or("id.eq.7,title.eq.Interlude")).await, [7, 9]);
    assert_eq!(ids(all().filter("id", "not.eq.7")).await, [8, 9]);
    assert_eq!(ids(all().eq("title", "' or 1=1 --")).await, [0i64; 0]);
}

async fn one_row_none_or_too_many(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let tracks = || db.from("tracks").select("id, title, seconds");
    assert_eq!(tracks().eq("id", 7).single::<Track>().await.unwrap().title, "So What");
    assert_eq!(tracks().eq("id", 1).single::<Track>().await.unwrap_err().code(), "PGRST116");
    assert_eq!(tracks().eq("id", 1).maybe_single::<Track>().await.unwrap(), None);
    assert_eq!(tracks().maybe_single::<Track>().await.unwrap_err().code(), "PGRST116");
    assert_eq!(tracks().count().await.unwrap(), 3);
    let (page, total) = tracks().order("id").limit(1).offset(1).fetch_counted::<Track>().await.unwrap();
    assert_eq!((page[0].id, page.len(), total), (8, 1, 3));
    assert_eq!(db.from("tracks").select("id").eq("id", 7).json().await.unwrap(), r#"[{"id":7}]"#);
}

async fn writes_count_or_return_their_rows(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let two = [track(1, "Blue in Green"), track(2, "All Blues")];
    assert_eq!(db.from("tracks").insert(&two).await.unwrap(), 2);
    let error = db.from("tracks").insert(&two[0]).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::AlreadyExists, "23505"));
    let renamed = track(1, "Blue In Green");
    let rows: Vec<Track> = db.from("tracks").upsert(&renamed).on_conflict("id").returning().await.unwrap();
    assert_eq!(rows, [renamed]);
    let kept = db.from("tracks").upsert(&track(1, "Other")).ignore_duplicates().await.unwrap();
    assert_eq!(kept, 0);
    let uneven =
        [json!({ "id": 3, "title": "Flamenco Sketches", "tags": [] }), json!({ "id": 4, "title": "Solar" })];
    let error = db.from("tracks").insert(&uneven).await.unwrap_err();
    assert_eq!(error.code(), "PGRST102", "{error}");
    assert_eq!(db.from("tracks").insert(&uneven).default_for_missing().await.unwrap(), 2);
    assert_eq!(db.from("tracks").delete().is_in("id", [3, 4]).await.unwrap(), 2);
    let update = db.from("tracks").update(&json!({ "seconds": 1 })).eq("id", 2);
    assert_eq!(update.returning_one::<Track>().await.unwrap().seconds, Some(1));
    let refused = db.from("tracks").delete().max_affected(1).is_in("id", [1, 2]).await.unwrap_err();
    assert_eq!(refused.code(), "PGRST124");
    assert_eq!(db.from("tracks").delete().is_in("id", [1, 2]).await.unwrap(), 2);
    assert_eq!(db.from("tracks").select("id").count().await.unwrap(), 3);
}

async fn what_is_wrong_is_named(backend: Backend) {
    let (db, _folder) = project(backend).await;
    #[derive(Debug, Deserialize)]
    struct Strict {
        #[allow(dead_code)]
        seconds: i64,
    }
    let error = db.from("tracks").select("seconds").fetch::<Strict>().await.unwrap_err();
    assert!(error.message().contains("`seconds`"), "{error}");
    let error = db.from("tracks").select("titel").fetch::<Json>().await.unwrap_err();
    assert!(error.message().contains("titel"), "{error}");
    assert_eq!(db.from("tracks").select("title(").json().await.unwrap_err().code(), "PGRST100");
    let error = db.from("tracks").select("id").eq("artists.name", "x").json().await.unwrap_err();
    assert_eq!(error.code(), "PGRST108");
}

#[tokio::test]
async fn a_project_opens_by_its_file_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("truststream.toml");
    std::fs::write(&file, "[auth]\njwt_secret = \"a secret of at least thirty-two characters\"\n").unwrap();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    std::fs::write(folder.path().join("migrations/1.sql"), "create table t (id int primary key)").unwrap();
    let db = TrustStream::open(&file).await.unwrap();
    assert_eq!(db.apply_migrations(folder.path()).await.unwrap().applied, ["1.sql"]);
    db.from("t").insert(&json!({ "id": 1 })).await.unwrap();
    db.close().await;
    drop(db);
    let db = TrustStream::open(folder.path()).await.unwrap();
    assert_eq!(db.from("t").select("*").count().await.unwrap(), 1);
}
