//! What a select reads from: tables through the scope, so that a caller sees in them only what its
//! policies let it see, sub-selects, functions, and joins of them.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, TableAlias, TableFactor,
    TableWithJoins,
};
use truststream_kernel::Type;
use truststream_services::database::{TableKind, TableName};

use super::names::Relation;
use super::query::{known, renamed};
use super::row_sources::numbered;
use super::translate::{Rights, Translator};
use super::{Term, Unsupported};
use crate::partitions;
use crate::quote::quote;
use crate::schema::{ident, parts};

/// A table's name in the SQLite file.
pub(crate) fn file_name(table: &TableName) -> String {
    if table.schema == "public" { table.name.clone() } else { table.to_string() }
}

impl Translator<'_> {
    pub(crate) fn from(&mut self, from: &TableWithJoins) -> Result<String, Unsupported> {
        let mut sql = self.factor(&from.relation)?;
        for join in &from.joins {
            sql.push_str(&self.join(join)?);
        }
        Ok(sql)
    }

    fn join(&mut self, join: &Join) -> Result<String, Unsupported> {
        let source = self.factor(&join.relation)?;
        let (word, constraint) = match &join.join_operator {
            JoinOperator::Join(on) | JoinOperator::Inner(on) => ("JOIN", on),
            JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => ("LEFT JOIN", on),
            JoinOperator::Right(on) | JoinOperator::RightOuter(on) => ("RIGHT JOIN", on),
            JoinOperator::FullOuter(on) => ("FULL JOIN", on),
            JoinOperator::CrossJoin(_) => return Ok(format!(" CROSS JOIN {source}")),
            _ => return Err(Unsupported::new(join, "this kind of join")),
        };
        let inner = matches!(word, "JOIN" | "LEFT JOIN");
        let names: Vec<String> = match constraint {
            JoinConstraint::On(condition) => {
                return Ok(format!(" {word} {source} ON {}", self.condition(condition)?));
            }
            JoinConstraint::Using(names) if inner => {
                names.iter().filter_map(|name| parts(name).pop()).collect()
            }
            JoinConstraint::Natural if inner => self.natural(),
            _ => return Err(Unsupported::new(join, "this join needs \"on\"")),
        };
        let conditions = names.iter().map(|name| self.merge(name)).collect::<Result<Vec<_>, _>>()?;
        let on = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
        Ok(format!(" {word} {source} ON {on}"))
    }

    /// Columns that the last relation has in common with those before it.
    fn natural(&self) -> Vec<String> {
        let Some((last, before)) = self.levels.last().and_then(|level| level.split_last()) else {
            return Vec::new();
        };
        let has = |name: &String| before.iter().any(|one| one.columns.iter().any(|(other, _)| other == name));
        last.columns.iter().map(|(name, _)| name.clone()).filter(has).collect()
    }

    /// Makes a column of the last relation one with that of those before it.
    fn merge(&mut self, name: &str) -> Result<String, Unsupported> {
        let missing = || Unsupported::new(name, "no column of both sides of the join");
        let level = self.levels.last_mut().ok_or_else(missing)?;
        let (last, before) = level.split_last_mut().ok_or_else(missing)?;
        let find = |relation: &Relation| -> Option<Term> {
            relation.shown().find(|(column, _)| column == name).map(|(_, term)| term)
        };
        let right = find(last).ok_or_else(missing)?;
        let left = before.iter().find_map(find).ok_or_else(missing)?;
        last.merged.push(name.to_owned());
        Ok(self.comparison(left, "=", right)?.sql)
    }

    /// The name in the result for one more relation.
    pub(super) fn alias(&mut self) -> String {
        self.relations += 1;
        format!("p{}", self.relations)
    }

    /// Lets the select that is being translated name a relation's columns.
    pub(super) fn enter(&mut self, relation: Relation) {
        if let Some(level) = self.levels.last_mut() {
            level.push(relation);
        }
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<String, Unsupported> {
        let called = self.alias();
        match factor {
            TableFactor::Table { name, alias, args: None, sample: None, .. } => {
                let found = match parts(name).as_slice() {
                    [only] => self.named.iter().rev().find(|one| one.name == *only).cloned(),
                    _ => None,
                };
                let (source, relation) = match found {
                    Some(named) => match &named.rows {
                        Some(rows) => (format!("({rows})"), named),
                        None => (quote(named.alias.as_deref().unwrap_or_default()), named),
                    },
                    None => self.table(&self.table_named(name))?,
                };
                Ok(self.entered((&source, relation), called, alias.as_ref()))
            }
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
                let arguments = args.args.iter().map(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok((None, expr)),
                    FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } => {
                        Ok((Some(ident(name)), expr))
                    }
                    FunctionArg::ExprNamed {
                        name: Expr::Identifier(name),
                        arg: FunctionArgExpr::Expr(expr),
                        ..
                    } => Ok((Some(ident(name)), expr)),
                    other => Err(Unsupported::new(other, "this argument")),
                });
                let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
                let (source, mut relation) =
                    self.table_function(name, &arguments, &called, alias.as_ref())?;
                if *with_ordinality {
                    let function = parts(name).pop().unwrap_or_default();
                    relation = numbered(&function, &quote(&called), relation)
                        .ok_or_else(|| Unsupported::new(factor, "\"with ordinality\" of this function"))?;
                }
                Ok(self.entered((&source, relation), called, alias.as_ref()))
            }
            TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_ordinality, .. } => {
                let [array] = array_exprs.as_slice() else {
                    return Err(Unsupported::new(factor, "unnest of several arrays"));
                };
                let array = self.expr(array)?;
                let name = alias.as_ref().map_or_else(|| "unnest".into(), |alias| ident(&alias.name));
                let (source, mut relation) = unnested(&array, &called, &name)?;
                if *with_ordinality {
                    relation = numbered("unnest", &quote(&called), relation)
                        .ok_or_else(|| Unsupported::new(factor, "\"with ordinality\" of this"))?;
                }
                Ok(self.entered((&source, relation), called, alias.as_ref()))
            }
            TableFactor::Derived { lateral: false, subquery, alias, .. } => {
                // It does not see what it stands beside.
                let beside = self.levels.pop();
                let found = self.query(subquery);
                self.levels.extend(beside);
                let (sql, columns) = found?;
                let relation = Relation::new("", known(columns)?);
                Ok(self.entered((&format!("({sql})"), relation), called, alias.as_ref()))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                Ok(format!("({})", self.from(table_with_joins)?))
            }
            other => Err(Unsupported::new(
                other,
                "only tables, functions and sub-selects that are not lateral can be read from",
            )),
        }
    }

    fn table(&mut self, name: &TableName) -> Result<(String, Relation), Unsupported> {
        let Some(known) = self.scope.catalog.table(name) else { return self.partition(name) };
        let invoker = matches!(known.kind, TableKind::View { invoker: true, .. });
        if invoker && self.rights == Rights::View {
            let reason = "a view with the rights of who asks, within one with those of its owner";
            return Err(Unsupported::new(name, reason));
        }
        let source = match self.scope.source {
            Some(source) => source(name)?,
            None => quote(&file_name(name)),
        };
        Ok((source, Relation::of_table(name, known)))
    }

    /// The rows of a table that are in one of its partitions.
    fn partition(&self, name: &TableName) -> Result<(String, Relation), Unsupported> {
        let catalog = self.scope.catalog;
        let found = catalog
            .partition(name)
            .and_then(|(table, partition)| Some((table, catalog.table(table)?, partition)));
        let (table, known, partition) = found.ok_or_else(|| Unsupported::missing(name))?;
        let source = match self.scope.source {
            Some(source) => source(name)?,
            None => partitions::rows(catalog, table, partition)
                .map_err(|error| Unsupported::new(name, error.message().to_owned()))?,
        };
        Ok((source, Relation { table: None, ..Relation::of_table(name, known) }))
    }

    /// A source under a name of its own, with the columns called as the alias says.
    fn entered(
        &mut self,
        (source, relation): (&str, Relation),
        alias: String,
        given: Option<&TableAlias>,
    ) -> String {
        let mut relation = relation.aliased(&alias);
        relation.merged.clear();
        if let Some(given) = given {
            let names: Vec<String> = given.columns.iter().map(|column| ident(&column.name)).collect();
            if !names.is_empty() {
                relation.cells = Some(relation.terms().into_iter().map(|(_, term)| term.sql).collect());
                let columns = std::mem::take(&mut relation.columns);
                let columns = columns.into_iter().map(|(name, ty)| (name, super::TermType::Known(ty)));
                relation.columns = known(renamed(columns.collect(), &names)).unwrap_or_default();
            }
            relation.name = ident(&given.name);
            relation.schema = None;
        } else if self.named.iter().any(|named| named.name == relation.name) {
            relation.schema = None;
        }
        let sql = format!("{source} AS {}", quote(&alias));
        self.enter(relation);
        sql
    }

    /// PostgreSQL's own functions that give rows, and those of the catalog.
    fn table_function(
        &mut self,
        name: &sqlparser::ast::ObjectName,
        arguments: &[(Option<String>, &Expr)],
        in_result: &str,
        alias: Option<&TableAlias>,
    ) -> Result<(String, Relation), Unsupported> {
        let in_result = quote(in_result);
        let name_parts = parts(name);
        let own = match name_parts.as_slice() {
            [name] => Some(name.as_str()),
            [schema, name] if schema == "pg_catalog" => Some(name.as_str()),
            _ => None,
        };
        let called = alias.map_or_else(|| name_parts.last().cloned().unwrap_or_default(), |a| ident(&a.name));
        let terms = arguments.iter().map(|(_, expr)| self.expr(expr)).collect::<Result<Vec<_>, _>>()?;
        let cell = |sql: &str, ty: Type, name: &str| Relation {
            cells: Some(vec![sql.to_owned()]),
            ..Relation::new(name, vec![(name.to_owned(), ty)])
        };
        if let Some(own) = own
            && let Some(found) = self.rows_of_own(own, &terms, &in_result, &called)?
        {
            return Ok(found);
        }
        match (own, terms.as_slice()) {
            (Some("generate_series"), [from, to]) => self.series(from, to, "1", &called),
            (Some("generate_series"), [from, to, step]) => self.series(from, to, &step.sql, &called),
            (Some("jsonb_array_elements" | "json_array_elements"), [document]) => {
                let ty = document.known().cloned().unwrap_or(Type::Jsonb);
                let sql = format!("ts_get({}, {in_result}.key, 0)", document.sql);
                let mut relation = cell(&sql, ty, &called);
                relation.columns[0].0 = if alias.is_some() { called.clone() } else { "value".into() };
                Ok((format!("json_each({})", document.sql), relation))
            }
            (Some("jsonb_array_elements_text" | "json_array_elements_text"), [document]) => {
                let sql = format!("ts_get({}, {in_result}.key, 1)", document.sql);
                let mut relation = cell(&sql, Type::Text, &called);
                relation.columns[0].0 = if alias.is_some() { called.clone() } else { "value".into() };
                Ok((format!("json_each({})", document.sql), relation))
            }
            _ => self.rows_of_routine(name, arguments, &called),
        }
    }

    fn series(
        &mut self,
        from: &Term,
        to: &Term,
        step: &str,
        name: &str,
    ) -> Result<(String, Relation), Unsupported> {
        let (from, to, ty) = self.unified(from.clone(), to.clone())?;
        if !super::cast::is_integer(&ty) {
            return Err(Unsupported::new(&from.sql, "a series of anything but integers"));
        }
        let (from, to, column) = (from.sql, to.sql, quote(name));
        let sql = format!(
            "(WITH RECURSIVE s({column}) AS (SELECT {from} WHERE ({step} > 0 AND {from} <= {to}) OR \
             ({step} < 0 AND {from} >= {to}) UNION ALL SELECT {column} + {step} FROM s \
             WHERE ({step} > 0 AND {column} + {step} <= {to}) OR ({step} < 0 AND {column} + {step} >= {to})) \
             SELECT {column} FROM s)"
        );
        Ok((sql, Relation::new(name, vec![(name.to_owned(), Type::Int4)])))
    }
}

/// The elements of an array as rows.
fn unnested(array: &Term, in_result: &str, name: &str) -> Result<(String, Relation), Unsupported> {
    match array.known() {
        Some(Type::Array(element)) if super::compare::plain_in_json(element) => {
            let relation = Relation {
                cells: Some(vec![format!("{}.value", quote(in_result))]),
                ..Relation::new(name, vec![(name.to_owned(), element.as_ref().clone())])
            };
            Ok((format!("json_each({})", array.sql), relation))
        }
        _ => Err(Unsupported::new(&array.sql, "unnest of this")),
    }
}
