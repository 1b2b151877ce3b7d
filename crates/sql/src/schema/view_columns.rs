//! What the columns of a query are: which of them are columns of tables, and which are of a domain.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor,
};
use truststream_services::database::{Catalog, Column, TableKind, TableName};

use super::domains;
use super::names::{ident, table_name};
use super::type_names::enum_table;
use super::views::parsed;

/// A column of a base table.
pub(super) type Origin = (TableName, String);

/// A column of a query.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// What it is called.
    pub(super) name: String,
    /// The column of a base table that it is.
    pub(super) origin: Option<Origin>,
    /// The domain that it is of.
    pub(super) domain: Option<TableName>,
}

/// Something that a query reads from, by name.
type Source = (String, Vec<Shown>);

/// The columns of a query; none of one whose columns can't be told.
pub(super) fn of_query(catalog: &Catalog, query: &Query) -> Vec<Shown> {
    of_query_within(catalog, query, &[])
}

fn of_query_within(catalog: &Catalog, query: &Query, outside: &[Source]) -> Vec<Shown> {
    let mut named = outside.to_vec();
    for table in query.with.iter().flat_map(|with| &with.cte_tables) {
        let mut shown = of_query_within(catalog, &table.query, &named);
        for (column, given) in shown.iter_mut().zip(&table.alias.columns) {
            column.name = ident(&given.name);
        }
        named.push((ident(&table.alias.name), shown));
    }
    of_body(catalog, &query.body, &named)
}

fn of_body(catalog: &Catalog, body: &SetExpr, named: &[Source]) -> Vec<Shown> {
    match body {
        SetExpr::Select(select) => of_select(catalog, select, named),
        SetExpr::Query(query) => of_query_within(catalog, query, named),
        SetExpr::SetOperation { left, right, .. } => {
            let right = of_body(catalog, right, named);
            let both = |(left, right): (Shown, Shown)| {
                let domain = left.domain.filter(|domain| right.domain.as_ref() == Some(domain));
                Shown { name: left.name, origin: None, domain }
            };
            of_body(catalog, left, named).into_iter().zip(right).map(both).collect()
        }
        _ => Vec::new(),
    }
}

/// What a part of a `from` shows, by the name it has there; `None` for what is no table.
fn sources(catalog: &Catalog, factor: &TableFactor, named: &[Source]) -> Option<Vec<Source>> {
    match factor {
        TableFactor::Table { name, alias, args: None, .. } => {
            let (plain, name) = (name.0.len() == 1, table_name(name));
            let found = named.iter().rev().find(|(other, _)| plain && *other == name.name);
            let columns = found.map_or_else(|| of_table(catalog, &name), |(_, shown)| shown.clone());
            Some(vec![(alias.as_ref().map_or(name.name, |alias| ident(&alias.name)), columns)])
        }
        TableFactor::Derived { subquery, alias: Some(alias), .. } if alias.columns.is_empty() => {
            Some(vec![(ident(&alias.name), of_query_within(catalog, subquery, named))])
        }
        TableFactor::NestedJoin { table_with_joins, alias: None } => {
            let joined = table_with_joins.joins.iter().map(|join| &join.relation);
            let all = std::iter::once(&table_with_joins.relation).chain(joined);
            let all: Option<Vec<_>> = all.map(|factor| sources(catalog, factor, named)).collect();
            all.map(|all| all.into_iter().flatten().collect())
        }
        _ => None,
    }
}

fn of_select(catalog: &Catalog, select: &Select, named: &[Source]) -> Vec<Shown> {
    let factors = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    let found: Option<Vec<_>> = factors.map(|factor| sources(catalog, factor, named)).collect();
    let Some(sources) = found.map(|all| all.into_iter().flatten().collect::<Vec<Source>>()) else {
        return Vec::new();
    };
    let reader = Reader { catalog, sources: &sources, named };
    let mut columns = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::Wildcard(_) => columns.extend(sources.iter().flat_map(|(_, all)| all.clone())),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let name = table_name(name).name;
                let all = sources.iter().filter(|(source, _)| *source == name);
                columns.extend(all.flat_map(|(_, all)| all.clone()));
            }
            SelectItem::UnnamedExpr(expr) => {
                let name = match expr {
                    Expr::Identifier(name) => ident(name),
                    Expr::CompoundIdentifier(names) => names.last().map(ident).unwrap_or_default(),
                    _ => String::new(),
                };
                columns.push(reader.shown(name, expr));
            }
            SelectItem::ExprWithAlias { expr, alias } => columns.push(reader.shown(ident(alias), expr)),
            _ => return Vec::new(),
        }
    }
    columns
}

/// What expressions of a select are.
struct Reader<'r> {
    catalog: &'r Catalog,
    sources: &'r [Source],
    named: &'r [Source],
}

impl Reader<'_> {
    fn shown(&self, name: String, expr: &Expr) -> Shown {
        match self.column(expr) {
            Some(column) => Shown { name, ..column.clone() },
            None => Shown { name, origin: None, domain: self.domain(expr) },
        }
    }

    /// The column that an expression is.
    fn column(&self, expr: &Expr) -> Option<&Shown> {
        let (table, column) = match expr {
            Expr::Identifier(name) => (None, ident(name)),
            Expr::CompoundIdentifier(names) if names.len() == 2 => (Some(ident(&names[0])), ident(&names[1])),
            _ => return None,
        };
        let fits = |source: &&(String, _)| table.as_ref().is_none_or(|table| source.0 == *table);
        let mut columns = self.sources.iter().filter(fits).flat_map(|(_, columns)| columns);
        columns.find(|shown| shown.name == column)
    }

    /// The domain of an expression's values. What PostgreSQL computes with a domain's values is of its base
    /// type; what is one of several values is of a domain if all of them are.
    fn domain(&self, expr: &Expr) -> Option<TableName> {
        match expr {
            Expr::Nested(inner) => self.domain(inner),
            Expr::Cast { data_type, .. } => domains::named(self.catalog, data_type),
            Expr::Case { conditions, else_result: Some(last), .. } => {
                self.common(conditions.iter().map(|one| &one.result).chain([last.as_ref()]))
            }
            Expr::Function(function) => {
                let FunctionArguments::List(list) = &function.args else { return None };
                let name = table_name(&function.name);
                if function.name.0.len() == 1
                    && matches!(name.name.as_str(), "coalesce" | "greatest" | "least")
                {
                    let all: Option<Vec<_>> = list.args.iter().map(value).collect();
                    return self.common(all?.into_iter());
                }
                let known = self.catalog.functions.iter().find(|known| known.name == name)?;
                let domain = enum_table(&known.returns.type_name.replace('"', ""));
                self.catalog.domains.contains_key(&domain).then_some(domain)
            }
            Expr::Subquery(query) => {
                of_query_within(self.catalog, query, self.named).into_iter().next()?.domain
            }
            other => self.column(other)?.domain.clone(),
        }
    }

    fn common<'e>(&self, mut all: impl Iterator<Item = &'e Expr>) -> Option<TableName> {
        let first = self.domain(all.next()?)?;
        all.all(|other| self.domain(other).as_ref() == Some(&first)).then_some(first)
    }
}

fn value(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// The columns of a table or view.
pub(super) fn of_table(catalog: &Catalog, name: &TableName) -> Vec<Shown> {
    let Some(table) = catalog.table(name) else { return Vec::new() };
    let shown = |column: &Column, origin: Option<Origin>| {
        let domain = Some(enum_table(&column.type_name)).filter(|name| catalog.domains.contains_key(name));
        Shown { name: column.name.clone(), origin, domain }
    };
    match &table.kind {
        TableKind::Table => {
            let origin = |column: &Column| Some((name.clone(), column.name.clone()));
            table.columns.iter().map(|column| shown(column, origin(column))).collect()
        }
        TableKind::View { definition, .. } => {
            let columns = parsed(definition).map(|query| of_query(catalog, &query)).unwrap_or_default();
            let mut origins = columns.into_iter().map(|column| column.origin);
            table.columns.iter().map(|column| shown(column, origins.next().flatten())).collect()
        }
    }
}
