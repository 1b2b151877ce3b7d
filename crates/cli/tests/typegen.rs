//! `truststream gen types --lang rust`: what it writes compiles as a part of this test, and rows of a
//! real database are read and written with it.

use std::fs;

use serde_json::json;
use truststream::TrustStream;
use truststream_runtime::{Config, LoadOptions};

use crate::made::{public, shelf};
use crate::support::{ENGINES, Project};

fn project(engine: crate::support::Engine) -> Project {
    let project = Project::new(engine);
    project.migration("1_types.sql", include_str!("types.sql"));
    project
}

#[test]
fn the_types_that_are_compiled_are_those_that_are_made() {
    let project = project(crate::support::Engine::Sqlite);
    let made = project
        .run(&["gen", "types", "--lang", "rust", "--from", "migrations", "--schema", "public,shelf"])
        .done()
        .out;
    let known = include_str!("made.rs");
    if made != known {
        let path = std::env::temp_dir().join("truststream-made.rs");
        fs::write(&path, made).unwrap();
        panic!("{} is what is made now; read it, and put it in the place of tests/made.rs", path.display());
    }
}

#[test]
fn files_and_databases_tell_the_same_types() {
    for engine in ENGINES {
        let project = project(engine);
        project.run(&["migration", "up"]).done();
        for lang in ["typescript", "rust"] {
            let types = |from: &str| {
                let schemas = ["--schema", "public,shelf"];
                project
                    .run(&[&["gen", "types", "--lang", lang, "--from", from], &schemas[..]].concat())
                    .done()
                    .out
            };
            let told = types("backend");
            assert_eq!(told, types("migrations"), "{engine:?}");
            let typescript = [
                "size: Database[\"shelf\"][\"CompositeTypes\"][\"size\"] | null",
                "Returns: { id: number; price: number }[]",
            ];
            for part in typescript {
                assert_eq!(told.contains(part), lang == "typescript", "{part}\n{told}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_and_written_with_them() {
    for engine in ENGINES {
        let project = project(engine);
        project.run(&["migration", "up"]).done();
        let config = Config::load(&project.path(""), &LoadOptions::default()).unwrap();
        let db = TrustStream::open_with(config).await.unwrap();
        let new = public::AlbumsInsert {
            r#type: "lp".into(),
            printed_on: Some("2001-02-03".into()),
            price: None,
            info: Some(json!({ "a": [1] })),
        };
        db.from("albums").insert(&new).await.unwrap();
        let unpriced = public::AlbumsInsert { price: Some(None), ..new };
        db.from("albums").insert(&unpriced).await.unwrap();
        let album = public::Albums {
            id: 1,
            r#type: "lp".into(),
            printed_on: Some("2001-02-03".into()),
            price: Some(9.5),
            info: Some(json!({ "a": [1] })),
            twice: Some(4),
        };
        let found = db.from("albums").select("*").order("id").fetch::<public::Albums>().await.unwrap();
        assert_eq!(found, [album.clone(), public::Albums { id: 2, price: None, ..album }]);
        let priced = db.from("priced").select("*").fetch::<public::Priced>().await.unwrap();
        assert_eq!(priced, [public::Priced { id: Some(1), price: Some(9.5) }]);

        let shelf = db.schema("shelf");
        let new = shelf::CopiesInsert {
            id: 7,
            album_id: 1,
            state: Some(shelf::Condition::LightlyUsed),
            states: Some(vec![shelf::Condition::Mint, shelf::Condition::_3rdHand]),
            seen: None,
        };
        shelf.from("copies").insert(&new).await.unwrap();
        let change = shelf::CopiesUpdate { states: Some(None), ..Default::default() };
        let copy = shelf::Copies {
            id: 7,
            album_id: 1,
            state: shelf::Condition::LightlyUsed,
            states: new.states.clone(),
            seen: vec![],
        };
        let found = shelf.from("copies").select("*").fetch::<shelf::Copies>().await.unwrap();
        assert_eq!(found, std::slice::from_ref(&copy));
        shelf.from("copies").update(&change).eq("id", 7).await.unwrap();
        let changed = shelf::Copies { states: None, ..copy };
        assert_eq!(shelf.from("copies").select("*").fetch::<shelf::Copies>().await.unwrap(), [changed]);
        db.close().await;
    }
}
