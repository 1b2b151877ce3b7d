//! Sub-selects: their tables are read through the scope, so that a caller sees in them only what
//! its policies let it see.

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Join, JoinConstraint, JoinOperator, LimitClause, OrderByKind, Query, Select,
    SelectItem, SetExpr, SetOperator, SetQuantifier, TableFactor, TableWithJoins,
};
use truststream_services::database::TableName;

use super::names::Relation;
use super::translate::Translator;
use super::{Term, TermType, Unsupported};
use crate::quote::quote;
use crate::schema::{ident, table_name};

/// Columns of a query: names and types.
pub(crate) type Columns = Vec<(String, TermType)>;

/// A table's name in the SQLite file.
pub(crate) fn file_name(table: &TableName) -> String {
    if table.schema == "public" { table.name.clone() } else { table.to_string() }
}

impl Translator<'_> {
    /// Translates a query to one without parentheses around it.
    pub(crate) fn query(&mut self, query: &Query) -> Result<(String, Columns), Unsupported> {
        let unusual = query.with.is_some()
            || query.fetch.is_some()
            || !query.locks.is_empty()
            || query.for_clause.is_some()
            || !query.pipe_operators.is_empty();
        if unusual {
            return Err(Unsupported::new(query, "only plain selects"));
        }
        let (mut sql, columns) = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, Some(query))?,
            body => self.body(body)?,
        };
        if let Some(limit) = &query.limit_clause {
            sql.push_str(&self.limit(limit)?);
        }
        Ok((sql, columns))
    }

    fn limit(&mut self, clause: &LimitClause) -> Result<String, Unsupported> {
        let LimitClause::LimitOffset { limit, offset, limit_by } = clause else {
            return Err(Unsupported::new(clause, "this limit"));
        };
        if !limit_by.is_empty() {
            return Err(Unsupported::new(clause, "this limit"));
        }
        let limit =
            limit.as_ref().map_or_else(|| Ok("-1".into()), |limit| self.expr(limit).map(|term| term.sql))?;
        match offset {
            Some(offset) => Ok(format!(" LIMIT {limit} OFFSET {}", self.expr(&offset.value)?.sql)),
            None => Ok(format!(" LIMIT {limit}")),
        }
    }

    fn body(&mut self, body: &SetExpr) -> Result<(String, Columns), Unsupported> {
        match body {
            SetExpr::Select(select) => self.select(select, None),
            SetExpr::Query(query) => self.query(query),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let word = match (op, set_quantifier) {
                    (SetOperator::Union, SetQuantifier::All) => "UNION ALL",
                    (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => "UNION",
                    (SetOperator::Intersect, SetQuantifier::None) => "INTERSECT",
                    (SetOperator::Except, SetQuantifier::None) => "EXCEPT",
                    _ => return Err(Unsupported::new(body, "this combination of queries")),
                };
                let (left, columns) = self.body(left)?;
                let (right, others) = self.body(right)?;
                if columns.iter().map(|(_, ty)| ty).ne(others.iter().map(|(_, ty)| ty)) {
                    return Err(Unsupported::new(body, "queries of different types combined"));
                }
                Ok((format!("{left} {word} {right}"), columns))
            }
            other => Err(Unsupported::new(other, "only plain selects")),
        }
    }

    fn values(&mut self, values: &sqlparser::ast::Values) -> Result<(String, Columns), Unsupported> {
        let mut rows = Vec::new();
        let mut columns = Columns::new();
        for row in &values.rows {
            let terms = row.content.iter().map(|expr| self.expr(expr).and_then(|term| self.settled(term)));
            let terms = terms.collect::<Result<Vec<_>, _>>()?;
            let named = |(at, term): (usize, &Term)| (format!("column{}", at + 1), term.ty.clone());
            let found: Columns = terms.iter().enumerate().map(named).collect();
            if !columns.is_empty() && columns != found {
                return Err(Unsupported::new(values, "rows of different types"));
            }
            columns = found;
            let terms: Vec<_> = terms.into_iter().map(|term| term.sql).collect();
            rows.push(format!("({})", terms.join(", ")));
        }
        Ok((format!("VALUES {}", rows.join(", ")), columns))
    }

    fn select(&mut self, select: &Select, query: Option<&Query>) -> Result<(String, Columns), Unsupported> {
        let unusual = select.into.is_some()
            || !select.lateral_views.is_empty()
            || select.qualify.is_some()
            || !select.named_window.is_empty()
            || select.top.is_some();
        if unusual {
            return Err(Unsupported::new(select, "only plain selects"));
        }
        self.levels.push(Vec::new());
        let result = self.select_parts(select, query);
        self.levels.pop();
        result
    }

    fn select_parts(
        &mut self,
        select: &Select,
        query: Option<&Query>,
    ) -> Result<(String, Columns), Unsupported> {
        let from = select.from.iter().map(|from| self.from(from)).collect::<Result<Vec<_>, _>>()?;
        let items = self.items(&select.projection)?;
        let mut sql = String::from("SELECT ");
        match &select.distinct {
            Some(Distinct::Distinct) => sql.push_str("DISTINCT "),
            Some(Distinct::On(_)) => return Err(Unsupported::new(select, "distinct on")),
            _ => {}
        }
        let shown: Vec<_> =
            items.iter().map(|(name, term)| format!("{} AS {}", term.sql, quote(name))).collect();
        sql.push_str(&shown.join(", "));
        if !from.is_empty() {
            sql.push_str(&format!(" FROM {}", from.join(", ")));
        }
        if let Some(condition) = &select.selection {
            sql.push_str(&format!(" WHERE {}", self.condition(condition)?));
        }
        match &select.group_by {
            GroupByExpr::Expressions(keys, modifiers) if modifiers.is_empty() => {
                let keys = keys.iter().map(|key| Ok(self.expr(key)?.sql));
                let keys = keys.collect::<Result<Vec<_>, Unsupported>>()?;
                if !keys.is_empty() {
                    sql.push_str(&format!(" GROUP BY {}", keys.join(", ")));
                }
            }
            other => return Err(Unsupported::new(other, "this grouping")),
        }
        if let Some(condition) = &select.having {
            sql.push_str(&format!(" HAVING {}", self.condition(condition)?));
        }
        if let Some(order) = query.and_then(|query| query.order_by.as_ref()) {
            let OrderByKind::Expressions(terms) = &order.kind else {
                return Err(Unsupported::new(order, "this order"));
            };
            let terms = terms.iter().map(|term| self.order(&term.expr, &term.options));
            sql.push_str(&format!(" ORDER BY {}", terms.collect::<Result<Vec<_>, _>>()?.join(", ")));
        }
        Ok((sql, items.into_iter().map(|(name, term)| (name, term.ty)).collect()))
    }

    /// A term of an order, with PostgreSQL's place for nulls.
    pub(crate) fn order(
        &mut self,
        expr: &Expr,
        options: &sqlparser::ast::OrderByOptions,
    ) -> Result<String, Unsupported> {
        use sqlparser::ast::OrderBySort;
        let term = self.expr(expr)?;
        let collation = match term.known() {
            Some(truststream_kernel::Type::Numeric(_)) => " COLLATE DECIMAL",
            Some(truststream_kernel::Type::Enum(_)) => {
                return Err(Unsupported::new(expr, "the order of an enum's labels"));
            }
            _ => "",
        };
        let down = match &options.sort {
            Some(OrderBySort::Desc) => true,
            Some(OrderBySort::Asc) | None => false,
            Some(other) => return Err(Unsupported::new(expr, format!("order {other:?}"))),
        };
        let first = options.nulls_first.unwrap_or(down);
        let (down, first) = (if down { "DESC" } else { "ASC" }, if first { "FIRST" } else { "LAST" });
        Ok(format!("{}{collation} {down} NULLS {first}", term.sql))
    }

    fn items(&mut self, items: &[SelectItem]) -> Result<Vec<(String, Term)>, Unsupported> {
        let mut terms = Vec::new();
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expr) => terms.push((column_name(expr), self.item(expr)?)),
                SelectItem::ExprWithAlias { expr, alias } => terms.push((ident(alias), self.item(expr)?)),
                SelectItem::Wildcard(_) => {
                    terms.extend(self.levels.last().into_iter().flatten().flat_map(Relation::terms));
                }
                other => return Err(Unsupported::new(other, "this item of a select")),
            }
        }
        if terms.is_empty() {
            terms.push(("?column?".into(), Term::null()));
        }
        Ok(terms)
    }

    fn item(&mut self, expr: &Expr) -> Result<Term, Unsupported> {
        let term = self.expr(expr)?;
        self.settled(term)
    }

    fn from(&mut self, from: &TableWithJoins) -> Result<String, Unsupported> {
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
            JoinOperator::CrossJoin(_) => return Ok(format!(" CROSS JOIN {source}")),
            _ => return Err(Unsupported::new(join, "this kind of join")),
        };
        match constraint {
            JoinConstraint::On(condition) => {
                Ok(format!(" {word} {source} ON {}", self.condition(condition)?))
            }
            _ => Err(Unsupported::new(join, "a join without \"on\"")),
        }
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<String, Unsupported> {
        let (source, relation) = match factor {
            TableFactor::Table { name, alias, args: None, sample: None, .. } => {
                let table = table_name(name);
                let known = self.scope.catalog.table(&table);
                let known = known.ok_or_else(|| Unsupported::new(name, "there is no such table"))?;
                let source = match self.scope.source {
                    Some(source) => source(&table)?,
                    None => quote(&file_name(&table)),
                };
                let columns = known.columns.iter();
                let relation = Relation {
                    name: alias.as_ref().map_or(table.name, |alias| ident(&alias.name)),
                    schema: alias.is_none().then_some(table.schema),
                    alias: None,
                    columns: columns.map(|column| (column.name.clone(), column.ty.clone())).collect(),
                };
                if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
                    return Err(Unsupported::new(factor, "columns renamed by an alias"));
                }
                (source, relation)
            }
            TableFactor::Derived { lateral: false, subquery, alias: Some(alias), .. }
                if alias.columns.is_empty() =>
            {
                let (sql, columns) = self.query(subquery)?;
                let known = |(name, ty): (String, TermType)| match ty {
                    TermType::Known(ty) => Ok((name, ty)),
                    _ => Err(Unsupported::new(name, "the type of this column")),
                };
                let columns = columns.into_iter().map(known).collect::<Result<_, _>>()?;
                (
                    format!("({sql})"),
                    Relation { name: ident(&alias.name), schema: None, alias: None, columns },
                )
            }
            other => return Err(Unsupported::new(other, "only tables and sub-selects can be read from")),
        };
        self.relations += 1;
        let alias = format!("p{}", self.relations);
        let sql = format!("{source} AS {}", quote(&alias));
        let level = self.levels.last_mut();
        level
            .into_iter()
            .for_each(|level| level.push(Relation { alias: Some(alias.clone()), ..relation.clone() }));
        Ok(sql)
    }
}

fn column_name(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => ident(name),
        Expr::CompoundIdentifier(names) => names.last().map(ident).unwrap_or_default(),
        Expr::Function(function) => table_name(&function.name).name,
        Expr::Cast { expr, .. } | Expr::Nested(expr) => column_name(expr),
        _ => "?column?".into(),
    }
}
