//! Tables with their columns, keys, checks and indexes; views.

use truststream_kernel::Type;
use truststream_services::database::{
    Catalog, Check, Column, Identity, ReferentialAction, Table, TableKind, TableName,
};

use super::name::{name, names, relation};
use super::parts::numbers;
use super::{Kind, Object, partitions};
use crate::schema::{domain_checks, enum_table, sequence_of};

pub(super) fn relations(catalog: &Catalog) -> Vec<Object> {
    let one = |(table, definition): (&TableName, &Table)| match &definition.kind {
        TableKind::Table => of_table(catalog, table, definition),
        TableKind::View { definition: query, invoker, materialized, .. } => {
            let word = if *materialized { "materialized view" } else { "view" };
            view((word, table), definition, query, *invoker)
        }
    };
    catalog.tables.iter().map(one).collect()
}

fn of_table(catalog: &Catalog, table: &TableName, definition: &Table) -> Object {
    let columns = definition.columns.iter().map(|one| format!("\n  {}", column(catalog, table, one)));
    let columns: Vec<_> = columns.collect();
    let by = definition.partitioning.as_ref().map(partitions::by).unwrap_or_default();
    let create = format!("create table {} ({}\n){by}", relation(table), columns.join(","));
    let drop = format!("drop table {}", relation(table));
    Object::new(Kind::Table, &table.schema, format!("table {table}"), create, drop).of(table)
}

fn view((word, table): (&str, &TableName), definition: &Table, query: &str, invoker: bool) -> Object {
    let columns: Vec<_> = definition.columns.iter().map(|column| column.name.clone()).collect();
    let with = if invoker { " with (security_invoker = true)" } else { "" };
    let query = query.trim().trim_end_matches(';');
    let create = format!("create {word} {} ({}){with} as\n{query}", relation(table), names(&columns));
    let drop = format!("drop {word} {}", relation(table));
    Object::new(Kind::View, &table.schema, format!("view {table}"), create, drop).of(table)
}

/// A column as a line of `create table`.
pub(crate) fn column(catalog: &Catalog, table: &TableName, column: &Column) -> String {
    let mut text = format!("{} {}", name(&column.name), column_type(catalog, column));
    let counts = sequence_of(catalog, table, column);
    let own = |sequence: &TableName| !catalog.sequences.contains_key(sequence);
    match column.identity {
        Some(Identity::Serial) if counts.as_ref().is_some_and(|(sequence, _)| own(sequence)) => {
            let word = match column.ty {
                Type::Int2 => "smallserial",
                Type::Int8 => "bigserial",
                _ => "serial",
            };
            let null = if column.nullable { " null" } else { "" };
            return format!("{} {word}{null}", name(&column.name));
        }
        Some(Identity::Always | Identity::ByDefault) => {
            let when = if column.identity == Some(Identity::Always) { "always" } else { "by default" };
            let options = counts.map(|(_, sequence)| numbers(&sequence)).unwrap_or_default();
            let options = if options.is_empty() { options } else { format!(" ({})", options.trim_start()) };
            text.push_str(&format!(" generated {when} as identity{options}"));
            return text;
        }
        _ => {}
    }
    if let Some(expression) = &column.generated {
        text.push_str(&format!(" generated always as ({expression}) stored"));
    } else if let Some(default) = &column.default {
        text.push_str(&format!(" default {default}"));
    }
    if !column.nullable {
        text.push_str(" not null");
    }
    text
}

/// The type of a column as SQL.
pub(crate) fn column_type(catalog: &Catalog, column: &Column) -> String {
    fn of_enum(catalog: &Catalog, ty: &Type) -> Option<String> {
        match ty {
            Type::Enum(label) => {
                Some(enum_table(label)).filter(|ty| catalog.enums.contains_key(ty)).map(|ty| relation(&ty))
            }
            Type::Array(element) => of_enum(catalog, element).map(|element| format!("{element}[]")),
            _ => None,
        }
    }
    let domain = enum_table(&column.type_name);
    if catalog.domains.contains_key(&domain) {
        return relation(&domain);
    }
    of_enum(catalog, &column.ty).unwrap_or_else(|| column.type_name.clone())
}

/// Primary key, unique keys and checks.
pub(super) fn keys(catalog: &Catalog, table: &TableName, definition: &Table) -> Vec<Object> {
    let mut objects = Vec::new();
    if !definition.primary_key.is_empty() {
        let rule = format!("primary key ({})", names(&definition.primary_key));
        objects.push(constraint(Kind::Key, table, &definition.primary_key_name(table), &rule));
    }
    for key in &definition.unique_keys {
        let nulls = if key.nulls_not_distinct { "nulls not distinct " } else { "" };
        objects.push(constraint(
            Kind::Key,
            table,
            &key.name,
            &format!("unique {nulls}({})", names(&key.columns)),
        ));
    }
    let of_domains = domain_checks(catalog, definition);
    let own = definition.checks.iter().filter(|check| check.partition.is_none());
    for check in own.filter(|check| !of_domains.contains(check)) {
        objects.push(constraint(Kind::Check, table, &check.name, &format!("check ({})", check.expression)));
    }
    objects
}

/// The check of a partition alone, which comes after it.
pub(super) fn check_of(partition: &TableName, check: &Check) -> Object {
    let rule = format!("check ({})", check.expression);
    Object { inline: None, ..constraint(Kind::Right, partition, &check.name, &rule) }
}

fn constraint(kind: Kind, table: &TableName, called: &str, rule: &str) -> Object {
    let line = format!("constraint {} {rule}", name(called));
    let create = format!("alter table {} add {line}", relation(table));
    let drop = format!("alter table {} drop constraint {}", relation(table), name(called));
    let key = format!("constraint {table}.{called}");
    Object { inline: Some(line), ..Object::new(kind, &table.schema, key, create, drop).of(table) }
}

pub(super) fn foreign_keys(table: &TableName, definition: &Table) -> Vec<Object> {
    let mut objects = Vec::new();
    for key in &definition.foreign_keys {
        let mut rule = format!(
            "foreign key ({}) references {} ({})",
            names(&key.columns),
            relation(&key.references),
            names(&key.referenced_columns)
        );
        for (event, action) in [("delete", key.on_delete), ("update", key.on_update)] {
            if action != ReferentialAction::NoAction {
                rule.push_str(&format!(" on {event} {}", action_text(action)));
            }
        }
        if key.deferred {
            rule.push_str(" deferrable initially deferred");
        }
        let made = constraint(Kind::ForeignKey, table, &key.name, &rule);
        objects.push(Object { inline: None, refers: Some(key.references.clone()), ..made });
    }
    objects
}

fn action_text(action: ReferentialAction) -> &'static str {
    match action {
        ReferentialAction::NoAction => "no action",
        ReferentialAction::Restrict => "restrict",
        ReferentialAction::Cascade => "cascade",
        ReferentialAction::SetNull => "set null",
        ReferentialAction::SetDefault => "set default",
    }
}

pub(super) fn indexes(table: &TableName, definition: &Table) -> Vec<Object> {
    let mut objects = Vec::new();
    for index in &definition.indexes {
        let unique = if index.unique { "unique " } else { "" };
        let using = if index.method == "btree" { String::new() } else { format!("using {} ", index.method) };
        let predicate = index.predicate.as_ref().map(|rule| format!(" where {rule}")).unwrap_or_default();
        let create = format!(
            "create {unique}index {} on {} {using}({}){predicate}",
            name(&index.name),
            relation(table),
            index.terms.join(", ")
        );
        let full = TableName::new(&table.schema, &index.name);
        let drop = format!("drop index {}", relation(&full));
        objects
            .push(Object::new(Kind::Index, &table.schema, format!("index {full}"), create, drop).of(table));
    }
    objects
}
