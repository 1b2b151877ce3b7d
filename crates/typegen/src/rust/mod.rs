//! Rust: a module for each schema, structs for rows, inserts and updates, enums.

mod names;
mod values;

use std::fmt::Write;

use truststream_services::database::{Catalog, Column, Table, TableKind};

use crate::columns::{Given, inserted};
use crate::shape;
use names::{Names, camel, snake};
use values::Values;

/// The types of some schemas, as a module that needs `serde` (with `derive`) and `serde_json`.
pub fn rust(catalog: &Catalog, schemas: &[String]) -> String {
    let mut out = String::from(HEAD);
    let mut sorted: Vec<&String> = schemas.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut modules = Names::default();
    for schema in &sorted {
        let module = modules.take(snake(schema));
        let values = Values::new(catalog, schemas, schema);
        let _ = writeln!(
            out,
            "\n/// Schema `{schema}`.\npub mod {module} {{\n    use serde::{{Deserialize, Serialize}};"
        );
        let mut types = Names::default();
        for (name, labels) in shape::enums(catalog, schema) {
            an_enum(&mut out, &types.take(camel(name)), name, labels);
        }
        for views in [false, true] {
            for (name, table) in shape::relations(catalog, schema, views) {
                relation(&mut out, &values, &types.take(camel(name)), name, table);
            }
        }
        out.push_str("}\n");
    }
    out
}

const HEAD: &str = "// Made by `truststream gen types --lang rust`.\n//\n\
    // `numeric` is read as f64; select it as text (`price::text`) where every digit counts.\n";

// Writing to a text does not fail, which is why the results of `write!` are let go.

fn an_enum(out: &mut String, ty: &str, name: &str, labels: &[String]) {
    let _ = writeln!(out, "\n    /// Enum `{name}`.");
    let _ = writeln!(out, "    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]");
    let _ = writeln!(out, "    pub enum {ty} {{");
    let mut variants = Names::default();
    for label in labels {
        let variant = variants.take(camel(label));
        let _ = writeln!(out, "        /// `{}`", label.escape_debug());
        let _ = writeln!(out, "        #[serde(rename = {label:?})]");
        let _ = writeln!(out, "        {variant},");
    }
    let _ = writeln!(out, "    }}");
}

fn relation(out: &mut String, values: &Values, ty: &str, name: &str, table: &Table) {
    let (what, insertable, updatable) = match table.kind {
        TableKind::Table => ("table", true, true),
        TableKind::View { insertable, updatable, .. } => ("view", insertable, updatable),
    };
    let row = |column: &Column| {
        let ty = values.of(&column.ty);
        Some((if column.nullable { format!("Option<{ty}>") } else { ty }, false))
    };
    record(out, table, (ty, "", "Deserialize"), &format!("A row of the {what} `{name}`."), row);
    if insertable {
        let insert = |column: &Column| {
            let ty = values.of(&column.ty);
            match inserted(column) {
                Given::Never => None,
                Given::Required => Some((ty, false)),
                // Left out, it is its default; null is then a value of its own.
                Given::Optional if column.nullable && column.default.is_some() => {
                    Some((format!("Option<Option<{ty}>>"), true))
                }
                Given::Optional => Some((format!("Option<{ty}>"), true)),
            }
        };
        let head = format!("What an insert into the {what} `{name}` takes; what is absent is its default.");
        record(out, table, (ty, "Insert", "Serialize"), &head, insert);
    }
    if updatable {
        let update = |column: &Column| {
            let ty = values.of(&column.ty);
            let ty = if column.nullable { format!("Option<{ty}>") } else { ty };
            (inserted(column) != Given::Never).then(|| (format!("Option<{ty}>"), true))
        };
        let head = format!("What an update of the {what} `{name}` takes; what is absent stays.");
        record(out, table, (ty, "Update", "Default, Serialize"), &head, update);
    }
}

/// A struct with a field for each column that `field` has a type for, and whether it may be left out.
fn record(
    out: &mut String,
    table: &Table,
    (ty, suffix, derives): (&str, &str, &str),
    head: &str,
    field: impl Fn(&Column) -> Option<(String, bool)>,
) {
    let _ = writeln!(out, "\n    /// {head}");
    let _ = writeln!(out, "    #[derive(Clone, Debug, PartialEq, {derives})]");
    let _ = writeln!(out, "    pub struct {ty}{suffix} {{");
    let mut fields = Names::default();
    for column in &table.columns {
        let Some((ty, optional)) = field(column) else { continue };
        let name = fields.take(snake(&column.name));
        let _ = writeln!(out, "        /// `{}`, {}", column.name, column.type_name);
        let mut attributes = Vec::new();
        if name.trim_start_matches("r#") != column.name {
            attributes.push(format!("rename = {:?}", column.name));
        }
        if optional {
            attributes.push("skip_serializing_if = \"Option::is_none\"".to_owned());
        }
        if !attributes.is_empty() {
            let _ = writeln!(out, "        #[serde({})]", attributes.join(", "));
        }
        let _ = writeln!(out, "        pub {name}: {ty},");
    }
    let _ = writeln!(out, "    }}");
}
