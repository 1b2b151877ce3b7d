//! TypeScript, in the shape that supabase-js infers queries from.
//!
//! The names and the nesting are those of `supabase gen types`:
//! <https://supabase.com/docs/guides/api/rest/generating-types>.

mod functions;
mod text;
mod values;

use std::collections::BTreeMap;

use truststream_services::database::{Catalog, Table, TableKind, TableName};
use truststream_sql::schema::type_named;

use crate::columns::{Given, inserted};
use crate::shape;
use functions::functions;
use text::{Out, key, quoted, union};
use values::Values;

/// The version of PostgREST whose language the gateway speaks; supabase-js decides by it what a query
/// may say.
const POSTGREST: &str = "14";

/// The types of some schemas; the first is what the helper types mean by default.
pub fn typescript(catalog: &Catalog, schemas: &[String]) -> String {
    let mut out = Out::default();
    out.raw(include_str!("json.ts"));
    out.open("export type Database = {");
    out.line("// Lets `createClient<Database>()` know which language the server speaks");
    out.open("__InternalSupabase: {");
    out.line(&format!("PostgrestVersion: {}", quoted(POSTGREST)));
    out.close("}");
    let mut sorted: Vec<&String> = schemas.iter().collect();
    sorted.sort();
    sorted.dedup();
    let values = Values { catalog, schemas };
    for schema in &sorted {
        out.open(&format!("{}: {{", key(schema)));
        relations(&mut out, &values, schema, false);
        relations(&mut out, &values, schema, true);
        functions(&mut out, &values, schema);
        enums(&mut out, catalog, schema);
        composites(&mut out, &values, schema);
        out.close("}");
    }
    out.close("}");
    let default = schemas.first().map_or("public", String::as_str);
    out.raw(&include_str!("helpers.ts").replace("\"public\"", &quoted(default)));
    constants(&mut out, catalog, &sorted);
    out.text()
}

fn relations(out: &mut Out, values: &Values<'_>, schema: &str, views: bool) {
    let found = shape::relations(values.catalog, schema, views);
    let head = if views { "Views" } else { "Tables" };
    out.members(head, found.is_empty(), |out| {
        for (name, table) in found {
            let full = TableName::new(schema, name);
            out.open(&format!("{}: {{", key(name)));
            row(out, values, &full, table);
            let (insertable, updatable) = match table.kind {
                TableKind::Table => (true, true),
                TableKind::View { insertable, updatable, .. } => (insertable, updatable),
            };
            // supabase-js takes a view as writable by both or neither.
            if insertable || updatable {
                written(out, values, table, "Insert", insertable);
                written(out, values, table, "Update", false);
            }
            relationships(out, values.catalog, &full);
            out.close("}");
        }
    });
}

fn row(out: &mut Out, values: &Values<'_>, name: &TableName, table: &Table) {
    let computed = shape::computed_columns(values.catalog, name);
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    for (name, function) in &computed {
        fields.insert(name, format!("{} | null", values.named(&function.returns.type_name)));
    }
    for column in &table.columns {
        fields.insert(&column.name, values.nullable(&column.ty, column.nullable));
    }
    out.members("Row", fields.is_empty(), |out| {
        fields.iter().for_each(|(name, ty)| out.line(&format!("{}: {ty}", key(name))));
    });
    if !computed.is_empty() {
        let names = computed.keys().map(|name| quoted(name));
        out.line(&format!("ComputedFields: {}", union(names)));
    }
}

fn written(out: &mut Out, values: &Values<'_>, table: &Table, head: &str, inserts: bool) {
    let sorted: BTreeMap<&str, _> =
        table.columns.iter().map(|column| (column.name.as_str(), column)).collect();
    out.members(head, sorted.is_empty(), |out| {
        for (name, column) in sorted {
            let given = inserted(column);
            let ty = match given {
                Given::Never => "never".to_owned(),
                Given::Required | Given::Optional => values.nullable(&column.ty, column.nullable),
            };
            let optional = if inserts && given == Given::Required { "" } else { "?" };
            out.line(&format!("{}{optional}: {ty}", key(name)));
        }
    });
}

fn relationships(out: &mut Out, catalog: &Catalog, from: &TableName) {
    let ways = catalog.references(from);
    if ways.is_empty() {
        return out.line("Relationships: []");
    }
    let list = |names: &[String]| {
        format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "))
    };
    out.open("Relationships: [");
    for way in ways {
        out.open("{");
        out.line(&format!("foreignKeyName: {}", quoted(&way.constraint)));
        out.line(&format!("columns: {}", list(&way.columns)));
        out.line(&format!("isOneToOne: {}", way.to_one));
        out.line(&format!("referencedRelation: {}", quoted(&way.to)));
        out.line(&format!("referencedColumns: {}", list(&way.referenced)));
        out.close("},");
    }
    out.close("]");
}

fn composites(out: &mut Out, values: &Values<'_>, schema: &str) {
    let found = shape::composites(values.catalog, schema);
    out.members("CompositeTypes", found.is_empty(), |out| {
        for (name, fields) in found {
            out.members(&key(name), fields.is_empty(), |out| {
                for field in fields {
                    let ty = values.nullable(&type_named(values.catalog, &field.type_name), true);
                    out.line(&format!("{}: {ty}", key(&field.name)));
                }
            });
        }
    });
}

fn enums(out: &mut Out, catalog: &Catalog, schema: &str) {
    let found = shape::enums(catalog, schema);
    out.members("Enums", found.is_empty(), |out| {
        for (name, labels) in found {
            out.line(&format!("{}: {}", key(name), union(labels.iter().map(|label| quoted(label)))));
        }
    });
}

/// The labels of enums, for programs to go through.
fn constants(out: &mut Out, catalog: &Catalog, schemas: &[&String]) {
    out.open("export const Constants = {");
    for schema in schemas {
        out.open(&format!("{}: {{", key(schema)));
        out.open("Enums: {");
        for (name, labels) in shape::enums(catalog, schema) {
            let labels: Vec<_> = labels.iter().map(|label| quoted(label)).collect();
            out.line(&format!("{}: [{}],", key(name), labels.join(", ")));
        }
        out.close("},");
        out.close("},");
    }
    out.close("} as const");
}
