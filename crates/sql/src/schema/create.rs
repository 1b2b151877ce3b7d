//! `create table`, `create index`, `create schema`.

use sqlparser::ast::{
    ColumnDef, ColumnOption, CreateIndex, CreateTable, DataType, Expr, GeneratedAs, IndexColumn, SchemaName,
};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, Column, Identity, Index, Table, TableName};

use super::names::{generated, ident, parts, relation_taken, table_name};
use super::type_names::{type_of, written};
use super::{constraints, copy, defaults, domains, partitions};
use super::{fault, no_such_column, no_such_table, shown};

pub(super) fn schema(catalog: &mut Catalog, name: &SchemaName, if_not_exists: bool) -> Result<()> {
    let name = match name {
        SchemaName::Simple(name) | SchemaName::NamedAuthorization(name, _) => parts(name).join("."),
        SchemaName::UnnamedAuthorization(role) => ident(role),
    };
    if catalog.schemas.contains_key(&name) {
        if if_not_exists || name == "public" {
            return Ok(());
        }
        return Err(fault("42P06", format!("schema \"{name}\" already exists")));
    }
    catalog.schemas.insert(name, None);
    Ok(())
}

pub(super) fn table(catalog: &mut Catalog, create: &CreateTable) -> Result<()> {
    let name = table_name(&create.name);
    if let Some(parent) = &create.partition_of {
        return partitions::create(catalog, create, &table_name(parent));
    }
    if catalog.has_relation(&name) {
        if create.if_not_exists {
            return Ok(());
        }
        return Err(fault("42P07", format!("relation \"{}\" already exists", name.name)));
    }
    refuse_special(create)?;
    catalog.schemas.entry(name.schema.clone()).or_default();
    let mut table = match &create.query {
        Some(query) => copy::of_query(catalog, create, query)?,
        None => Table::default(),
    };
    table.grants = defaults::of_table(catalog, &name);
    let defined = if create.query.is_some() { &[][..] } else { create.columns.as_slice() };
    for definition in defined {
        add_column(catalog, &name, &mut table, definition)?;
    }
    if let Some(by) = &create.partition_by {
        table.partitioning = Some(partitions::by(&name, &table, by)?);
    }
    // Constraints come after all columns, which they may name; the table may refer to itself.
    catalog.tables.insert(name.clone(), table);
    for definition in defined {
        constraints::of_column(catalog, &name, definition)?;
    }
    for constraint in &create.constraints {
        constraints::add(catalog, &name, constraint)?;
    }
    Ok(())
}

fn refuse_special(create: &CreateTable) -> Result<()> {
    let special = if create.like.is_some() {
        "a table like another one, without parentheses,"
    } else if create.inherits.is_some() {
        "a table that inherits"
    } else if create.temporary {
        "a temporary table"
    } else {
        return Ok(());
    };
    Err(Error::unsupported(format!("{special} can't be kept in the catalog")))
}

/// Adds a column without the constraints that are written with it, except that it is not null.
pub(super) fn add_column(
    catalog: &Catalog,
    name: &TableName,
    table: &mut Table,
    definition: &ColumnDef,
) -> Result<()> {
    let column = column(catalog, name, definition)?;
    if table.column(&column.name).is_some() {
        let text = format!("column \"{}\" of relation \"{}\" already exists", column.name, name.name);
        return Err(fault("42701", text));
    }
    let mut column = column;
    if let Some(domain) = domains::of(catalog, &definition.data_type) {
        domains::rule(domain, table, &mut column);
    }
    table.columns.push(column);
    Ok(())
}

fn column(catalog: &Catalog, table: &TableName, definition: &ColumnDef) -> Result<Column> {
    let ty = type_of(catalog, &definition.data_type);
    let serial = is_serial(&definition.data_type);
    let name = ident(&definition.name);
    let type_name = match (&ty, domains::named(catalog, &definition.data_type)) {
        (_, Some(domain)) => shown(&domain),
        (Type::Text | Type::Enum(_) | Type::Other(_), None) => written(&definition.data_type).to_lowercase(),
        (known, None) => known.sql_name(),
    };
    let type_name = type_name.strip_prefix("public.").map_or(type_name.clone(), str::to_owned);
    let mut column = Column {
        default: serial.then(|| format!("nextval('{}'::regclass)", sequence(table, &name))),
        identity: serial.then_some(Identity::Serial),
        nullable: !serial,
        name,
        ty,
        type_name,
        generated: None,
        comment: None,
    };
    for option in &definition.options {
        column_option(&mut column, &option.option)?;
    }
    number_serially(table, &mut column);
    Ok(column)
}

/// Knows a column as serial by its default: the next number of the column's own sequence.
pub(super) fn number_serially(table: &TableName, column: &mut Column) {
    let Some(default) = column.default.as_ref().map(|default| default.replace('"', "")) else { return };
    let Some(name) = default.split('\'').nth(1).filter(|_| default.contains("nextval(")) else { return };
    let own = generated(&table.name, std::slice::from_ref(&column.name), "seq", |_| false);
    if name == own || name == format!("{}.{own}", table.schema) {
        column.identity = Some(Identity::Serial);
    }
}

fn column_option(column: &mut Column, option: &ColumnOption) -> Result<()> {
    match option {
        ColumnOption::NotNull | ColumnOption::PrimaryKey(_) => column.nullable = false,
        ColumnOption::Default(value) => column.default = Some(value.to_string()),
        ColumnOption::Generated { generated_as, generation_expr: None, .. } => {
            column.nullable = false;
            column.identity = Some(match generated_as {
                GeneratedAs::ByDefault => Identity::ByDefault,
                GeneratedAs::Always | GeneratedAs::ExpStored => Identity::Always,
            });
        }
        ColumnOption::Generated { generation_expr: Some(value), .. } => {
            column.generated = Some(value.to_string());
        }
        ColumnOption::Null
        | ColumnOption::Unique(_)
        | ColumnOption::ForeignKey(_)
        | ColumnOption::Check(_) => {}
        ColumnOption::Collation(name) if name.to_string().trim_matches('"') == "C" => {}
        other => return Err(Error::unsupported(format!("column option \"{other}\" can't be kept"))),
    }
    Ok(())
}

fn is_serial(data_type: &DataType) -> bool {
    let name = data_type.to_string().to_lowercase();
    ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"].contains(&name.as_str())
}

/// The sequence PostgreSQL makes for a serial column.
fn sequence(table: &TableName, column: &str) -> String {
    let name = generated(&table.name, &[column.to_owned()], "seq", |_| false);
    if table.schema == "public" { name } else { format!("{}.{name}", table.schema) }
}

pub(super) fn index(catalog: &mut Catalog, create: &CreateIndex) -> Result<()> {
    let table = table_name(&create.table_name);
    let known = catalog.table(&table).ok_or_else(|| no_such_table(&table))?;
    let method = create
        .using
        .as_ref()
        .map_or("btree".into(), |method| method.to_string().replace('"', "").to_lowercase());
    for term in &create.columns {
        if let Some(column) = column_of(term)
            && known.column(&column).is_none()
        {
            return Err(no_such_column(&column, &table));
        }
    }
    let taken = |name: &str| relation_taken(catalog, &table.schema, name);
    let name = match &create.name {
        Some(name) => table_name(name).name,
        None => {
            let columns: Vec<_> = create.columns.iter().map(|term| term_name(&term.column.expr)).collect();
            generated(&table.name, &columns, "idx", taken)
        }
    };
    if taken(&name) {
        if create.if_not_exists {
            return Ok(());
        }
        return Err(fault("42P07", format!("relation \"{name}\" already exists")));
    }
    let index = Index {
        name,
        terms: create.columns.iter().map(ToString::to_string).collect(),
        unique: create.unique,
        predicate: create.predicate.as_ref().map(ToString::to_string),
        method,
    };
    catalog.tables[&table].indexes.push(index);
    Ok(())
}

/// The column an index term is, if it is a plain one.
pub(super) fn column_of(term: &IndexColumn) -> Option<String> {
    match &term.column.expr {
        Expr::Identifier(name) => Some(ident(name)),
        _ => None,
    }
}

/// What an index that is not named calls a term of its own.
fn term_name(expression: &Expr) -> String {
    match expression {
        Expr::Identifier(name) => ident(name),
        Expr::Function(function) => table_name(&function.name).name,
        Expr::Nested(inner) => term_name(inner),
        _ => "expr".into(),
    }
}
