use truststream_services::database::{Catalog, Introspection};

use super::script;
use crate::schema;

fn catalog(sql: &str) -> Catalog {
    let mut catalog = Catalog::default();
    for statement in schema::parse(sql).unwrap() {
        schema::apply(&mut catalog, &statement).unwrap_or_else(|error| panic!("{}: {error}", statement.text));
    }
    // Statements make functions and sequences in the order of need.
    catalog.functions.sort_by_key(super::signature);
    catalog
}

const SCHEMA: &str = include_str!("tests.sql");

#[test]
fn a_catalog_written_and_read_is_the_same() {
    let before = catalog(SCHEMA);
    let text = script(&Introspection { catalog: before.clone(), ..Introspection::default() });
    let after = catalog(&text);
    for (name, table) in &before.tables {
        assert_eq!(after.table(name), Some(table), "{name} in\n{text}");
    }
    assert_eq!(after, before, "{text}");
}

#[test]
fn definitions_of_the_engine_go_before_those_of_the_catalog() {
    let exact = "create index t_a on public.t using gin (a jsonb_path_ops)";
    let found = Introspection {
        catalog: catalog("create table t (a jsonb); create index t_a on t using gin (a)"),
        definitions: [("index public.t_a".to_owned(), exact.to_owned())].into(),
        ..Introspection::default()
    };
    assert!(script(&found).contains(exact));
}

#[test]
fn types_come_after_those_they_are_made_of() {
    let mut catalog = catalog(
        "create type size as (w int); create domain \"Weight\" as int check (value > 0);
         create type place as (size size, \"of\" \"Weight\"); create type last as (a place[]);",
    );
    catalog.composites.reverse();
    let text = script(&Introspection { catalog, ..Introspection::default() });
    let at = |name: &str| text.find(name).unwrap_or_else(|| panic!("{name} is not in\n{text}"));
    let made = ["type public.size as", "domain public.\"Weight\"", "type public.place", "type public.last"];
    assert!(at(made[0]).max(at(made[1])) < at(made[2]) && at(made[2]) < at(made[3]), "{text}");
}
