//! Views: kept with their text; their columns are those an engine finds when it creates them.

use sqlparser::ast::{CreateView, Expr, Query, SelectItem, SetExpr, TableFactor};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, Column, Table, TableKind, TableName};

use super::fault;
use super::names::{ident, table_name};

pub(super) fn create(catalog: &mut Catalog, view: &CreateView) -> Result<()> {
    let name = table_name(&view.name);
    if view.materialized || view.temporary {
        return Err(Error::unsupported("materialized and temporary views run on PostgreSQL only"));
    }
    if catalog.tables.contains_key(&name) && !view.or_replace {
        return Err(fault("42P07", format!("relation \"{}\" already exists", name.name)));
    }
    let mut columns = columns(catalog, &view.query)?;
    for (column, given) in columns.iter_mut().zip(&view.columns) {
        column.name = ident(&given.name);
    }
    let kind = TableKind::View {
        definition: view.query.to_string(),
        insertable: false,
        updatable: false,
        deletable: false,
    };
    catalog.schemas.entry(name.schema.clone()).or_default();
    catalog.tables.insert(name, Table { kind, columns, ..Table::default() });
    Ok(())
}

/// The columns of a plain select.
fn columns(catalog: &Catalog, query: &Query) -> Result<Vec<Column>> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err(Error::unsupported("a view that is not one plain select runs on PostgreSQL only"));
    };
    let factors = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    let mut sources: Vec<(String, &Table)> = Vec::new();
    for factor in factors {
        let TableFactor::Table { name, alias, .. } = factor else {
            return Err(Error::unsupported("a view over a sub-select runs on PostgreSQL only"));
        };
        let name: TableName = table_name(name);
        let table = catalog.table(&name).ok_or_else(|| super::no_such_table(&name))?;
        sources.push((alias.as_ref().map_or(name.name, |alias| ident(&alias.name)), table));
    }
    let mut columns = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::Wildcard(_) => {
                columns.extend(sources.iter().flat_map(|(_, table)| table.columns.iter().map(plain)));
            }
            SelectItem::UnnamedExpr(expression) => columns.push(column(&sources, expression, None)?),
            SelectItem::ExprWithAlias { expr, alias } => {
                columns.push(column(&sources, expr, Some(ident(alias)))?);
            }
            other => {
                return Err(Error::unsupported(format!("\"{other}\" in a view runs on PostgreSQL only")));
            }
        }
    }
    Ok(columns)
}

fn plain(column: &Column) -> Column {
    let column = column.clone();
    Column { nullable: true, default: None, identity: None, generated: None, ..column }
}

fn column(sources: &[(String, &Table)], expression: &Expr, alias: Option<String>) -> Result<Column> {
    let (table, name) = match expression {
        Expr::Identifier(name) => (None, ident(name)),
        Expr::CompoundIdentifier(names) if names.len() == 2 => (Some(ident(&names[0])), ident(&names[1])),
        other => {
            let name = alias.unwrap_or_else(|| default_name(other));
            return Ok(Column {
                name,
                ty: Type::Text,
                type_name: "text".into(),
                nullable: true,
                default: None,
                identity: None,
                generated: None,
                comment: None,
            });
        }
    };
    let fits = |source: &&(String, &Table)| table.as_ref().is_none_or(|table| source.0 == *table);
    let found = sources.iter().filter(fits).find_map(|(_, table)| table.column(&name));
    let found = found.ok_or_else(|| fault("42703", format!("column \"{name}\" does not exist")))?;
    Ok(Column { name: alias.unwrap_or(name), ..plain(found) })
}

fn default_name(expression: &Expr) -> String {
    match expression {
        Expr::Function(function) => table_name(&function.name).name,
        Expr::Cast { expr, .. } => default_name(expr),
        _ => "?column?".into(),
    }
}
