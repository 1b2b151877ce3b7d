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
