//! What is written follows the schema, not the order in which it was made. That it compiles and
//! infers what it should is judged by real compilers, in `tests/types` and in the library's tests.

use truststream_services::database::Catalog;

use super::{rust, typescript};

fn catalog(sql: &str) -> Catalog {
    let mut catalog = Catalog::default();
    for statement in truststream_sql::schema::parse(sql).unwrap() {
        truststream_sql::schema::apply(&mut catalog, &statement).unwrap();
    }
    catalog
}

fn both(sql: &str, schemas: &[&str]) -> [String; 2] {
    let schemas: Vec<String> = schemas.iter().map(|schema| (*schema).to_owned()).collect();
    let catalog = catalog(sql);
    [typescript(&catalog, &schemas), rust(&catalog, &schemas)]
}

#[test]
fn the_order_of_making_is_not_seen() {
    let mood = "create type mood as enum ('sad', 'ok');";
    let a = "create table a (id int primary key);";
    let b = "create table b (x int references a, id int);";
    let c = "create table c (m mood);";
    let first = both(&format!("{mood} {a} {b} {c}"), &["public"]);
    let second = both(&format!("{a} {mood} {c} {b}"), &["public"]);
    assert_eq!(first, second);
    assert!(first[0].contains("m: Database[\"public\"][\"Enums\"][\"mood\"] | null"), "{}", first[0]);
}

#[test]
fn names_that_are_no_identifiers_are_kept_and_told_apart() {
    let sql = "create table \"1st Place\" (id int primary key, \"type\" text, \"a b\" int, \"a-b\" int, self text);";
    let [typescript, rust] = both(sql, &["public"]);
    for part in ["\"1st Place\": {", "\"a b\": number | null", "\"a-b\"?: number | null"] {
        assert!(typescript.contains(part), "{part}\n{typescript}");
    }
    for part in [
        "pub struct _1stPlaceInsert {",
        "pub r#type: Option<String>",
        "pub a_b_2: Option<i32>",
        "rename = \"a-b\"",
        "pub self_:",
    ] {
        assert!(rust.contains(part), "{part}\n{rust}");
    }
}

#[test]
fn a_schema_that_is_not_asked_for_stays_out() {
    let sql = "create schema inner_life; create type inner_life.mood as enum ('sad', 'ok');
        create table inner_life.secrets (id int); create table a (m inner_life.mood);";
    let [typescript, rust] = both(sql, &["public"]);
    assert!(!typescript.contains("secrets") && !rust.contains("Secrets"));
    assert!(typescript.contains("m: \"sad\" | \"ok\" | null"), "{typescript}");
    assert!(rust.contains("pub m: Option<String>"), "{rust}");
    let [typescript, rust] = both(sql, &["public", "inner_life"]);
    assert!(typescript.contains("m: Database[\"inner_life\"][\"Enums\"][\"mood\"] | null"), "{typescript}");
    assert!(rust.contains("pub m: Option<super::inner_life::Mood>"), "{rust}");
}

#[test]
fn what_the_database_makes_is_not_given() {
    let sql = "create table a (id bigint generated always as identity primary key, n int not null,
        twice int generated always as (n * 2) stored, d int not null default 3, e int default 1);";
    let [typescript, rust] = both(sql, &["public"]);
    let insert = &typescript[typescript.find("Insert: {").unwrap()..typescript.find("Update: {").unwrap()];
    for part in ["id?: never", "n: number", "twice?: never", "d?: number", "e?: number | null"] {
        assert!(insert.contains(&format!("          {part}\n")), "{part}\n{insert}");
    }
    let insert = &rust[rust.find("struct AInsert").unwrap()..rust.find("struct AUpdate").unwrap()];
    for part in ["pub n: i32,", "pub d: Option<i32>,", "pub e: Option<Option<i32>>,"] {
        assert!(insert.contains(part), "{part}\n{insert}");
    }
    assert!(!insert.contains("pub id") && !insert.contains("pub twice"), "{insert}");
}

#[test]
fn composite_types_have_their_fields() {
    let sql = "create schema shop; create type shop.size as (width int, \"a b\" text);
        create type place as (street text, size shop.size);
        create table a (id int primary key, at place, all_of shop.size not null);";
    let [typescript, _] = both(sql, &["public", "shop"]);
    for part in [
        "at: Database[\"public\"][\"CompositeTypes\"][\"place\"] | null",
        "all_of: Database[\"shop\"][\"CompositeTypes\"][\"size\"]\n",
        "place: {\n        street: string | null\n        size: Database[\"shop\"][\"CompositeTypes\"][\"size\"] | null",
        "width: number | null\n        \"a b\": string | null",
    ] {
        assert!(typescript.contains(part), "{part}\n{typescript}");
    }
    let [typescript, _] = both(sql, &["public"]);
    assert!(typescript.contains("all_of: unknown"), "{typescript}");
}

#[test]
fn types_of_extensions_are_known_in_whatever_schema_they_are() {
    let sql = "create table a (one citext, two extensions.citext, three public.citext)";
    let [typescript, _] = both(sql, &["public"]);
    for part in ["one: string | null", "two: string | null", "three: string | null"] {
        assert!(typescript.contains(part), "{part}\n{typescript}");
    }
}
