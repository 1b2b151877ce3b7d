//! Types of values, as they are in a reply's JSON.

use truststream_kernel::Type;
use truststream_services::database::{Catalog, TableKind, TableName};
use truststream_sql::schema::{enum_table, row_type, type_named};

use super::text::{quoted, union};

/// What the types of values depend on.
pub(super) struct Values<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) schemas: &'c [String],
}

impl Values<'_> {
    pub(super) fn nullable(&self, ty: &Type, nullable: bool) -> String {
        let ty = self.of(ty);
        if nullable && ty != "unknown" { format!("{ty} | null") } else { ty }
    }

    /// A type by its name in SQL: a value's, or a table's row.
    pub(super) fn named(&self, type_name: &str) -> String {
        match type_name {
            "void" => return "undefined".to_owned(),
            "record" => return "Record<string, unknown>".to_owned(),
            _ => {}
        }
        match row_type(self.catalog, type_name) {
            Some(table) => self.row(&table),
            None => self.of(&type_named(self.catalog, type_name)),
        }
    }

    /// A row of a table or view.
    pub(super) fn row(&self, name: &TableName) -> String {
        let Some(table) = self.catalog.table(name).filter(|_| self.schemas.contains(&name.schema)) else {
            return "Record<string, unknown>".to_owned();
        };
        let kind = if table.kind == TableKind::Table { "Tables" } else { "Views" };
        format!("Database[{}][{}][{}][\"Row\"]", quoted(&name.schema), quoted(kind), quoted(&name.name))
    }

    pub(super) fn of(&self, ty: &Type) -> String {
        match ty {
            Type::Bool => "boolean".to_owned(),
            ty if ty.is_number() => "number".to_owned(),
            Type::Json | Type::Jsonb => "Json".to_owned(),
            Type::Enum(name) => self.label(name),
            Type::Array(element) => match self.of(element) {
                union if union.contains(" | ") => format!("({union})[]"),
                element => format!("{element}[]"),
            },
            // supabase-js users have these as `unknown` too, so that a cast is theirs to write.
            Type::Interval => "unknown".to_owned(),
            // Types of extensions are told with the schema that they were put into.
            Type::Other(name) => match name.rsplit('.').next().unwrap_or(name) {
                "citext" | "timetz" | "time with time zone" | "vector" => "string".to_owned(),
                _ => self.composite(name),
            },
            _ => "string".to_owned(),
        }
    }

    /// A composite type of the schemas that are written.
    fn composite(&self, name: &str) -> String {
        let name = enum_table(&name.replace('"', ""));
        let known = self.schemas.contains(&name.schema) && self.catalog.composites.contains_key(&name);
        if !known {
            return "unknown".to_owned();
        }
        format!("Database[{}][\"CompositeTypes\"][{}]", quoted(&name.schema), quoted(&name.name))
    }

    fn label(&self, name: &str) -> String {
        let name = enum_table(name);
        if self.schemas.contains(&name.schema) {
            return format!("Database[{}][\"Enums\"][{}]", quoted(&name.schema), quoted(&name.name));
        }
        match self.catalog.enums.get(&name) {
            Some(labels) => union(labels.iter().map(|label| quoted(label))),
            None => "string".to_owned(),
        }
    }
}
