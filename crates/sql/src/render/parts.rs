//! Schemas, extensions, enums, domains, casts and sequences; what only the engine tells of.

use truststream_services::database::{
    Attribute, Cast, Catalog, Extra, Introspection, Sequence, Stage, TableName,
};

use super::name::{name, relation};
use super::{Kind, Object};
use crate::quote::literal;
use crate::schema::{cast_ends, sequence_of};

pub(super) fn schemas(catalog: &Catalog) -> Vec<Object> {
    let made = catalog.schemas.keys().filter(|schema| *schema != "public");
    made.map(|schema| {
        let quoted = name(schema);
        let create = format!("create schema if not exists {quoted}");
        Object::new(Kind::Schema, schema, format!("schema {schema}"), create, format!("drop schema {quoted}"))
    })
    .collect()
}

/// Extensions, which only definitions tell of.
pub(super) fn extensions(found: &Introspection) -> Vec<Object> {
    let named = |(key, create): (&String, &String)| {
        let extension = key.strip_prefix("extension ")?;
        let drop = format!("drop extension {}", name(extension));
        Some(Object::new(Kind::Extension, "extensions", key.clone(), create.clone(), drop))
    };
    found.definitions.iter().filter_map(named).collect()
}

/// Objects that no catalog knows, of one stage.
pub(super) fn extras(found: &Introspection, stage: Stage) -> impl Iterator<Item = Object> {
    let kind = match stage {
        Stage::Types => Kind::Type,
        Stage::Constraints => Kind::Check,
        Stage::Rules => Kind::Rule,
        Stage::Rights => Kind::Right,
        Stage::Publications => Kind::Publication,
    };
    found.extras.iter().filter(move |extra| extra.stage == stage).map(move |extra| {
        let Extra { key, schema, create, drop, .. } = extra.clone();
        Object { table: extra.table.clone(), ..Object::new(kind, &schema, key, create, drop) }
    })
}

pub(super) fn enums(catalog: &Catalog) -> Vec<Object> {
    let one = |(ty, labels): (&TableName, &Vec<String>)| {
        let labels: Vec<_> = labels.iter().map(|label| literal(label)).collect();
        let create = format!("create type {} as enum ({})", relation(ty), labels.join(", "));
        Object::new(
            Kind::Enum,
            &ty.schema,
            format!("type {ty}"),
            create,
            format!("drop type {}", relation(ty)),
        )
    };
    catalog.enums.iter().map(one).collect()
}

pub(super) fn domains(catalog: &Catalog) -> Vec<Object> {
    let mut objects = Vec::new();
    for (ty, domain) in &catalog.domains {
        let mut create = format!("create domain {} as {}", relation(ty), domain.base);
        if let Some(default) = &domain.default {
            create.push_str(&format!(" default {default}"));
        }
        if domain.not_null {
            create.push_str(" not null");
        }
        for check in &domain.checks {
            create.push_str(&format!("\n  constraint {} check ({})", name(&check.name), check.expression));
        }
        let drop = format!("drop domain {}", relation(ty));
        objects.push(Object::new(Kind::Domain, &ty.schema, format!("domain {ty}"), create, drop));
    }
    objects
}

/// Composite types of catalogs; PostgreSQL tells of its own among the extras.
pub(super) fn composites(catalog: &Catalog) -> Vec<Object> {
    let one = |(ty, fields): (&TableName, &Vec<Attribute>)| {
        let fields: Vec<_> =
            fields.iter().map(|field| format!("\n  {} {}", name(&field.name), field.type_name)).collect();
        let quoted = relation(ty);
        let create = format!("create type {quoted} as ({}\n)", fields.join(","));
        let key = format!("composite {quoted}");
        Object::new(Kind::Type, &ty.schema, key, create, format!("drop type {quoted}"))
    };
    catalog.composites.iter().map(one).collect()
}

/// Casts of domains, but for those that the engine tells of itself.
pub(super) fn casts(found: &Introspection) -> Vec<Object> {
    let told = |key: &str| found.extras.iter().any(|extra| extra.key == key);
    let one = |cast: &Cast| {
        let (from, to) = cast_ends(cast, relation);
        let (function, parameter) = (relation(&cast.function), &cast.parameter);
        let create =
            format!("create cast ({from} as {to}) with function {function}({parameter}) as implicit");
        let drop = format!("drop cast ({from} as {to})");
        Object::new(Kind::Rule, &cast.function.schema, format!("cast {from} as {to}"), create, drop)
    };
    found.catalog.casts.iter().map(one).filter(|cast| !told(&cast.key)).collect()
}

/// Sequences that stand for themselves; those of identity columns are written with the column.
pub(super) fn sequences(catalog: &Catalog) -> Vec<Object> {
    let one = |(sequence, counts): (&TableName, &Sequence)| {
        let create = format!("create sequence {}{}", relation(sequence), numbers(counts));
        let drop = format!("drop sequence {}", relation(sequence));
        Object::new(Kind::Sequence, &sequence.schema, format!("sequence {sequence}"), create, drop)
    };
    catalog.sequences.iter().filter(|(sequence, _)| !is_of_identity(catalog, sequence)).map(one).collect()
}

/// Whether the numbers of an identity or serial column come from it.
fn is_of_identity(catalog: &Catalog, sequence: &TableName) -> bool {
    catalog.tables.iter().any(|(table, definition)| {
        let identities = definition.columns.iter().filter(|column| {
            matches!(
                column.identity,
                Some(truststream_services::database::Identity::Always)
                    | Some(truststream_services::database::Identity::ByDefault)
            )
        });
        identities.filter_map(|column| sequence_of(catalog, table, column)).any(|(own, _)| own == *sequence)
    })
}

/// How a sequence counts, where it is not 1, 2, 3.
pub(super) fn numbers(sequence: &Sequence) -> String {
    let mut text = String::new();
    if sequence.increment != 1 {
        text.push_str(&format!(" increment by {}", sequence.increment));
    }
    if sequence.start != 1 {
        text.push_str(&format!(" start with {}", sequence.start));
    }
    if let Some(limit) = sequence.limit {
        let word = if sequence.increment < 0 { "minvalue" } else { "maxvalue" };
        text.push_str(&format!(" {word} {limit}"));
    }
    text
}

/// Which columns sequences belong to.
pub(super) fn owners(catalog: &Catalog) -> Vec<Object> {
    let own = catalog.sequences.iter().filter(|(sequence, _)| !is_of_identity(catalog, sequence));
    own.filter_map(|(sequence, counts)| {
        let (table, column) = counts.owner.as_ref()?;
        let owned = format!("alter sequence {} owned by", relation(sequence));
        let create = format!("{owned} {}.{}", relation(table), name(column));
        let key = format!("owner of {sequence}");
        Some(Object::new(Kind::Owner, &sequence.schema, key, create, format!("{owned} none")).of(table))
    })
    .collect()
}
