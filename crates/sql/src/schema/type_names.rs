//! Types: names to [`Type`], and enums.

use sqlparser::ast::{AlterType, AlterTypeAddValuePosition, AlterTypeOperation, DataType, ObjectName};
use sqlparser::ast::{ArrayElemTypeDef, UserDefinedTypeRepresentation};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, TableName};

use super::names::{ident, table_name};
use super::{composites, fault};

/// How [`Type::Enum`] names an enum, and [`Type::Other`] a composite type: without its schema if that is
/// `public`.
pub fn enum_name(name: &TableName) -> String {
    super::shown(name)
}

/// The enum that a [`Type::Enum`] means.
pub fn enum_table(name: &str) -> TableName {
    match name.split_once('.') {
        Some((schema, name)) => TableName::new(schema, name),
        None => TableName::public(name),
    }
}

/// A type's name as errors have it: without its schema where that is the request's own, `public` or
/// `extensions`, which PostgreSQL searches unless configured otherwise.
pub fn name_within(schema: &str, type_name: &str) -> String {
    let name = enum_table(type_name);
    match [schema, "public", "extensions"].contains(&name.schema.as_str()) {
        true => name.name,
        false => type_name.to_owned(),
    }
}

/// The type a name means in this catalog, enums included.
pub fn type_of(catalog: &Catalog, data_type: &DataType) -> Type {
    match data_type {
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::Qualified(element, _),
        ) => {
            return Type::Array(Box::new(type_of(catalog, element)));
        }
        DataType::Custom(name, arguments) if arguments.is_empty() => {
            let name = table_name(name);
            if catalog.enums.contains_key(&name) {
                return Type::Enum(enum_name(&name));
            }
            if let Some(domain) = catalog.domains.get(&name) {
                return type_named(catalog, &domain.base);
            }
            if catalog.composites.contains_key(&name) {
                return Type::Other(enum_name(&name));
            }
        }
        _ => {}
    }
    match Type::parse(&written(data_type)) {
        Type::Other(name) => {
            Type::Other(name.strip_prefix("extensions.").map_or(name.clone(), str::to_owned))
        }
        ty => ty,
    }
}

/// A type as it is written, without the quotes that dumps put around its name.
pub(super) fn written(data_type: &DataType) -> String {
    data_type.to_string().replace('"', "")
}

/// The type that a name written in SQL means in this catalog.
pub fn type_named(catalog: &Catalog, name: &str) -> Type {
    let parsed =
        Parser::new(&PostgreSqlDialect {}).try_with_sql(name).and_then(|mut parser| parser.parse_data_type());
    parsed.map_or_else(|_| Type::parse(name), |data_type| type_of(catalog, &data_type))
}

/// The type that a name means of a parameter or a result of a function: PostgreSQL keeps no length there,
/// whatever was written. A domain's is its own.
pub fn type_in_signature(catalog: &Catalog, name: &str) -> Type {
    without_length(Type::parse(name)).unwrap_or_else(|| type_named(catalog, name))
}

fn without_length(ty: Type) -> Option<Type> {
    match ty {
        Type::Varchar(_) => Some(Type::Varchar(None)),
        // Of any length there is nothing to pad.
        Type::Char(_) => Some(Type::Text),
        Type::Numeric(_) => Some(Type::Numeric(None)),
        Type::Array(element) => without_length(*element).map(|element| Type::Array(Box::new(element))),
        _ => None,
    }
}

pub(super) fn create(
    catalog: &mut Catalog,
    name: &ObjectName,
    representation: Option<&UserDefinedTypeRepresentation>,
) -> Result<()> {
    let name = table_name(name);
    let labels = match representation {
        Some(UserDefinedTypeRepresentation::Enum { labels }) => labels,
        Some(UserDefinedTypeRepresentation::Composite { attributes }) => {
            return composites::create(catalog, name, attributes);
        }
        _ => {
            let message = format!("type \"{name}\" is neither an enum nor composite");
            return Err(Error::unsupported(message));
        }
    };
    if catalog.enums.contains_key(&name) || catalog.composites.contains_key(&name) {
        return Err(fault("42710", format!("type \"{}\" already exists", name.name)));
    }
    let labels = labels.iter().map(|label| label.value.clone()).collect();
    catalog.enums.insert(name, labels);
    Ok(())
}

pub(super) fn alter(catalog: &mut Catalog, change: &AlterType) -> Result<()> {
    let name = table_name(&change.name);
    let missing = || fault("42704", format!("type \"{}\" does not exist", super::shown(&name)));
    if catalog.composites.contains_key(&name) {
        return Err(Error::unsupported(format!("changes of composite type {name} run on PostgreSQL only")));
    }
    let labels = catalog.enums.get_mut(&name).ok_or_else(missing)?;
    let place = |labels: &[String], label: &str| {
        let found = labels.iter().position(|known| known == label);
        found.ok_or_else(|| fault("22023", format!("\"{label}\" is not an existing enum label")))
    };
    match &change.operation {
        AlterTypeOperation::AddValue(add) => {
            if labels.contains(&add.value.value) {
                if add.if_not_exists {
                    return Ok(());
                }
                let text = format!("enum label \"{}\" already exists", add.value.value);
                return Err(fault("42710", text));
            }
            let at = match &add.position {
                None => labels.len(),
                Some(AlterTypeAddValuePosition::Before(label)) => place(labels, &label.value)?,
                Some(AlterTypeAddValuePosition::After(label)) => place(labels, &label.value)? + 1,
            };
            labels.insert(at, add.value.value.clone());
        }
        AlterTypeOperation::RenameValue(rename) => {
            let at = place(labels, &rename.from.value)?;
            labels[at] = rename.to.value.clone();
            let (ty, old) = (Type::Enum(enum_name(&name)), format!("'{}'", rename.from.value));
            let columns = catalog.tables.values_mut().flat_map(|table| &mut table.columns);
            for default in
                columns.filter(|column| column.ty == ty).filter_map(|column| column.default.as_mut())
            {
                *default = default.replace(&old, &format!("'{}'", rename.to.value));
            }
        }
        AlterTypeOperation::Rename(rename) => {
            let to = TableName::new(&name.schema, ident(&rename.new_name));
            rename_enum(catalog, &name, &to);
        }
    }
    Ok(())
}

fn rename_enum(catalog: &mut Catalog, from: &TableName, to: &TableName) {
    if let Some(labels) = catalog.enums.shift_remove(from) {
        catalog.enums.insert(to.clone(), labels);
    }
    let (old, new) = (enum_name(from), enum_name(to));
    for column in catalog.tables.values_mut().flat_map(|table| &mut table.columns) {
        if replace(&mut column.ty, &old, &new) {
            column.type_name = column.ty.sql_name();
        }
    }
}

fn replace(ty: &mut Type, old: &str, new: &str) -> bool {
    match ty {
        Type::Enum(name) if name == old => {
            *name = new.to_owned();
            true
        }
        Type::Array(element) => replace(element, old, new),
        _ => false,
    }
}
