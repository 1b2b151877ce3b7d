use truststream_services::database::{ForeignKey, ReferentialAction, UniqueKey};

use super::*;

fn key(name: &str, column: &str, to: &str) -> ForeignKey {
    ForeignKey {
        name: name.into(),
        columns: vec![column.into()],
        references: TableName::public(to),
        referenced_columns: vec!["id".into()],
        on_delete: ReferentialAction::NoAction,
        on_update: ReferentialAction::NoAction,
        deferred: false,
    }
}

fn table(primary_key: &[&str], foreign_keys: Vec<ForeignKey>) -> Table {
    let primary_key = primary_key.iter().map(|column| (*column).to_owned()).collect();
    Table { primary_key, foreign_keys, ..Table::default() }
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    let mut add = |name: &str, table: Table| catalog.tables.insert(TableName::public(name), table);
    add("artists", table(&["id"], vec![]));
    add("tracks", table(&["id"], vec![key("tracks_artist_fkey", "artist_id", "artists")]));
    let mut profile = table(&["id"], vec![key("profiles_artist_fkey", "artist_id", "artists")]);
    profile.unique_keys.push(UniqueKey {
        name: "profiles_artist_key".into(),
        columns: vec!["artist_id".into()],
        nulls_not_distinct: false,
    });
    add("profiles", profile);
    add("tags", table(&["id"], vec![]));
    let keys = vec![key("tt_track", "track_id", "tracks"), key("tt_tag", "tag_id", "tags")];
    add("track_tags", table(&["track_id", "tag_id"], keys));
    add("people", table(&["id"], vec![key("people_boss_fkey", "boss", "people")]));
    let keys = vec![key("messages_sender", "sender", "people"), key("messages_reader", "reader", "people")];
    add("messages", table(&["id"], keys));
    catalog
}

fn resolve(from: &str, relation: &str, hint: Option<&str>) -> Result<Relationship> {
    Relations::of(&catalog()).resolve(&TableName::public(from), relation, hint).cloned()
}

#[test]
fn a_key_is_followed_both_ways() {
    for name in ["artists", "tracks_artist_fkey", "artist_id"] {
        let found = resolve("tracks", name, None).unwrap();
        assert_eq!(found.to, TableName::public("artists"), "{name}");
        assert!(found.to_one);
    }
    let found = resolve("artists", "tracks", None).unwrap();
    assert!(!found.to_one);
    assert!(
        matches!(found.link, Link::Key { columns, .. } if columns == [("id".into(), "artist_id".into())])
    );
}

#[test]
fn a_unique_key_leads_to_one_row_both_ways() {
    assert!(resolve("profiles", "artists", None).unwrap().to_one);
    assert!(resolve("artists", "profiles", None).unwrap().to_one);
}

#[test]
fn a_junction_leads_to_many() {
    let found = resolve("tracks", "tags", Some("track_tags")).unwrap();
    let Link::Junction { table, source, target } = found.link else { panic!("no junction") };
    assert_eq!(table, TableName::public("track_tags"));
    assert_eq!(source.1, [("id".into(), "track_id".into())]);
    assert_eq!(target.1, [("tag_id".into(), "id".into())]);
    assert!(resolve("tags", "tracks", None).is_ok());
}

#[test]
fn a_table_may_belong_to_itself() {
    assert!(!resolve("people", "people", None).unwrap().to_one);
    assert!(resolve("people", "boss", None).unwrap().to_one);
    assert!(!resolve("people", "people", Some("boss")).unwrap().to_one);
}

#[test]
fn several_are_named_with_how_to_choose() {
    let error = resolve("messages", "people", None).unwrap_err();
    assert_eq!(error.code(), "PGRST201");
    assert_eq!(
        error.hint(),
        Some(
            "Try changing 'people' to one of the following: 'people!messages_reader', \
             'people!messages_sender'. Find the desired relationship in the 'details' key."
        )
    );
    let details = error.details().unwrap();
    assert_eq!(details[0]["cardinality"], "many-to-one");
    assert_eq!(details[0]["embedding"], "messages with people");
    assert_eq!(details[0]["relationship"], "messages_reader using messages(reader) and people(id)");
    assert!(resolve("messages", "people", Some("sender")).is_ok());
}

#[test]
fn none_suggests_a_near_name() {
    let error = resolve("tracks", "artist", None).unwrap_err();
    assert_eq!(error.code(), "PGRST200");
    assert_eq!(error.hint(), Some("Perhaps you meant 'artists' instead of 'artist'."));
    let error = resolve("track", "artists", None).unwrap_err();
    assert_eq!(error.hint(), Some("Perhaps you meant 'tracks' instead of 'track'."));
    assert_eq!(
        error.details().unwrap(),
        "Searched for a foreign key relationship between 'track' and 'artists' in the schema 'public', but \
         no matches were found."
    );
}
