//! Types of values, as the library reads them.

use std::collections::HashMap;

use truststream_kernel::Type;
use truststream_services::database::{Catalog, TableName};
use truststream_sql::schema::enum_table;

use super::names::{Names, camel, snake};
use crate::shape;

/// The enums that have types of their own, by name.
pub(super) struct Values {
    enums: HashMap<TableName, String>,
}

impl Values {
    pub(super) fn new(catalog: &Catalog, schemas: &[String], schema: &str) -> Self {
        let mut sorted: Vec<&String> = schemas.iter().collect();
        sorted.sort();
        sorted.dedup();
        let (mut enums, mut modules) = (HashMap::new(), Names::default());
        for other in sorted {
            let module = modules.take(snake(other));
            let mut types = Names::default();
            for name in shape::enums(catalog, other).into_keys() {
                let ty = types.take(camel(name));
                let path = if other == schema { ty } else { format!("super::{module}::{ty}") };
                enums.insert(TableName::new(other, name), path);
            }
        }
        Values { enums }
    }

    pub(super) fn of(&self, ty: &Type) -> String {
        let name = match ty {
            Type::Bool => "bool",
            Type::Int2 => "i16",
            Type::Int4 => "i32",
            Type::Int8 => "i64",
            Type::Float4 => "f32",
            Type::Float8 | Type::Numeric(_) => "f64",
            Type::Json | Type::Jsonb | Type::Other(_) => "serde_json::Value",
            Type::Enum(name) => return self.label(name),
            Type::Array(element) => return format!("Vec<{}>", self.of(element)),
            _ => "String",
        };
        name.to_owned()
    }

    fn label(&self, name: &str) -> String {
        self.enums.get(&enum_table(name)).cloned().unwrap_or_else(|| "String".to_owned())
    }
}
