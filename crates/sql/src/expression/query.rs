//! Queries: `with`, combinations of selects, values, limits.

use sqlparser::ast::{
    Cte, Expr, LimitClause, OrderByKind, Query, SetExpr, SetOperator, SetQuantifier, Value as Literal,
    Values, With,
};
use truststream_kernel::Type;

use super::names::Relation;
use super::translate::Translator;
use super::{Term, TermType, Unsupported};
use crate::quote::quote;
use crate::schema::ident;

/// Columns of a query: names and types.
pub(crate) type Columns = Vec<(String, TermType)>;

impl Translator<'_> {
    /// Translates a query to one without parentheses around it.
    pub(crate) fn query(&mut self, query: &Query) -> Result<(String, Columns), Unsupported> {
        if query.for_clause.is_some() || !query.pipe_operators.is_empty() || query.fetch.is_some() {
            return Err(Unsupported::new(query, "this form of a query"));
        }
        if self.alone {
            return Err(Unsupported::new(query, "a sub-select here runs on PostgreSQL only"));
        }
        let named = self.named.len();
        let result = self.query_with(query);
        self.named.truncate(named);
        result
    }

    fn query_with(&mut self, query: &Query) -> Result<(String, Columns), Unsupported> {
        let with = query.with.as_ref().map(|with| self.with(with)).transpose()?.unwrap_or_default();
        let (mut sql, columns) = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, query.order_by.as_ref())?,
            body => {
                let (mut sql, columns) = self.body(body)?;
                if let Some(order) = &query.order_by {
                    sql.push_str(&order_of_columns(self, &columns, &order.kind)?);
                }
                (sql, columns)
            }
        };
        if let Some(limit) = &query.limit_clause {
            sql.push_str(&self.limit(limit)?);
        }
        Ok((format!("{with}{sql}"), columns))
    }

    fn with(&mut self, with: &With) -> Result<String, Unsupported> {
        let mut tables = Vec::new();
        for cte in &with.cte_tables {
            tables.push(self.cte(cte, with.recursive)?);
        }
        let word = if with.recursive { "WITH RECURSIVE" } else { "WITH" };
        Ok(format!("{word} {} ", tables.join(", ")))
    }

    fn cte(&mut self, cte: &Cte, recursive: bool) -> Result<String, Unsupported> {
        self.relations += 1;
        let alias = format!("w{}", self.relations);
        let given: Vec<String> = cte.alias.columns.iter().map(|column| ident(&column.name)).collect();
        let relation = |columns: Columns| -> Result<Relation, Unsupported> {
            Ok(Relation::new(ident(&cte.alias.name), known(renamed(columns, &given))?).aliased(&alias))
        };
        let mut found = None;
        if recursive && let SetExpr::SetOperation { left, .. } = cte.query.body.as_ref() {
            // The first half decides what the columns of the whole are.
            let relations = self.relations;
            let (_, columns) = self.body(left)?;
            self.relations = relations;
            self.named.push(relation(columns)?);
            found = Some(self.query(&cte.query)?);
            self.named.pop();
        }
        let (sql, columns) = match found {
            Some(found) => found,
            None => self.query(&cte.query)?,
        };
        let relation = relation(columns)?;
        let columns: Vec<_> = relation.columns.iter().map(|(name, _)| quote(name)).collect();
        let fence = match &cte.materialized {
            Some(word) => format!("{word} "),
            None => String::new(),
        };
        self.named.push(relation);
        Ok(format!("{}({}) AS {fence}({sql})", quote(&alias), columns.join(", ")))
    }

    pub(super) fn limit(&mut self, clause: &LimitClause) -> Result<String, Unsupported> {
        let LimitClause::LimitOffset { limit, offset, limit_by } = clause else {
            return Err(Unsupported::new(clause, "this limit"));
        };
        if !limit_by.is_empty() {
            return Err(Unsupported::new(clause, "this limit"));
        }
        // No limit is -1 to SQLite, and null to PostgreSQL.
        let limit = match limit {
            None => "-1".to_owned(),
            Some(Expr::Value(number)) if matches!(number.value, Literal::Number(..)) => number.to_string(),
            Some(limit) => format!("coalesce({}, -1)", self.expr(limit)?.sql),
        };
        match offset {
            Some(offset) => {
                Ok(format!(" LIMIT {limit} OFFSET coalesce({}, 0)", self.expr(&offset.value)?.sql))
            }
            None => Ok(format!(" LIMIT {limit}")),
        }
    }

    pub(super) fn body(&mut self, body: &SetExpr) -> Result<(String, Columns), Unsupported> {
        match body {
            SetExpr::Select(select) => self.select(select, None),
            SetExpr::Query(query) => {
                let (sql, columns) = self.query(query)?;
                Ok((format!("SELECT * FROM ({sql})"), columns))
            }
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let word = match (op, set_quantifier) {
                    (SetOperator::Union, SetQuantifier::All) => "UNION ALL",
                    (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => "UNION",
                    (SetOperator::Intersect, SetQuantifier::None) => "INTERSECT",
                    (SetOperator::Except, SetQuantifier::None) => "EXCEPT",
                    _ => return Err(Unsupported::new(body, "this combination of queries")),
                };
                let left = self.body(left)?;
                let nested = matches!(right.as_ref(), SetExpr::SetOperation { .. });
                let mut right = self.body(right)?;
                if nested {
                    right.0 = format!("SELECT * FROM ({})", right.0);
                }
                self.combined(left, word, right)
            }
            other => Err(Unsupported::new(other, "only selects and values")),
        }
    }

    /// Two queries as one, with the types of both brought together.
    fn combined(
        &self,
        (left, columns): (String, Columns),
        word: &str,
        (right, others): (String, Columns),
    ) -> Result<(String, Columns), Unsupported> {
        if columns.len() != others.len() {
            return Err(Unsupported::new(word, "each query must have the same number of columns"));
        }
        if columns.iter().map(|(_, ty)| ty).eq(others.iter().map(|(_, ty)| ty)) {
            return Ok((format!("{left} {word} {right}"), columns));
        }
        let (mut lefts, mut rights, mut both) = (Vec::new(), Vec::new(), Columns::new());
        for (at, ((name, left), (_, right))) in columns.iter().zip(&others).enumerate() {
            let cell = |ty: &TermType| Term { sql: quote(&format!("c{at}")), ty: ty.clone() };
            let (mut terms, ty) = self.unified_all(vec![cell(left), cell(right)])?;
            rights.push(format!("{} AS {}", terms.remove(1).sql, quote(name)));
            lefts.push(format!("{} AS {}", terms.remove(0).sql, quote(name)));
            both.push((name.clone(), TermType::Known(ty)));
        }
        let names: Vec<_> = (0..columns.len()).map(|at| quote(&format!("c{at}"))).collect();
        let names = names.join(", ");
        let side = |cells: &[String], sql: &str| {
            format!("SELECT {} FROM (WITH q({names}) AS ({sql}) SELECT * FROM q)", cells.join(", "))
        };
        Ok((format!("{} {word} {}", side(&lefts, &left), side(&rights, &right)), both))
    }

    fn values(&mut self, values: &Values) -> Result<(String, Columns), Unsupported> {
        let rows = values.rows.iter().map(|row| {
            row.content.iter().map(|expr| self.expr(expr)).collect::<Result<Vec<_>, Unsupported>>()
        });
        let mut rows: Vec<Vec<Term>> = rows.collect::<Result<_, _>>()?;
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(Unsupported::new(values, "VALUES lists must all be the same length"));
        }
        let mut columns = Columns::new();
        for at in 0..width {
            let cells = rows.iter().map(|row| row[at].clone()).collect();
            let (cells, ty) = self.unified_all(cells)?;
            for (row, cell) in rows.iter_mut().zip(cells) {
                row[at] = cell;
            }
            columns.push((format!("column{}", at + 1), TermType::Known(ty)));
        }
        let rows = rows.into_iter().map(|row| {
            let cells: Vec<_> = row.into_iter().map(|term| term.sql).collect();
            format!("({})", cells.join(", "))
        });
        Ok((format!("VALUES {}", rows.collect::<Vec<_>>().join(", ")), columns))
    }
}

/// An order by columns of the result, which is all that a combination of queries can have.
fn order_of_columns(
    translator: &mut Translator<'_>,
    columns: &Columns,
    kind: &OrderByKind,
) -> Result<String, Unsupported> {
    let OrderByKind::Expressions(terms) = kind else {
        return Err(Unsupported::new("order by all", "this order"));
    };
    let terms = terms.iter().map(|term| {
        let at = match &term.expr {
            Expr::Identifier(name) => columns.iter().position(|(column, _)| *column == ident(name)),
            Expr::Value(number) => number.to_string().parse().ok().and_then(|at: usize| at.checked_sub(1)),
            _ => None,
        };
        let found = at.and_then(|at| columns.get(at));
        let (name, ty) = found.ok_or_else(|| Unsupported::new(&term.expr, "no column of the result"))?;
        let cell = Term { sql: quote(name), ty: ty.clone() };
        Ok(translator.ordered(&cell, &term.options)?.whole())
    });
    Ok(format!(" ORDER BY {}", terms.collect::<Result<Vec<_>, Unsupported>>()?.join(", ")))
}

/// Columns under the names an alias gives to the first of them.
pub(super) fn renamed(mut columns: Columns, given: &[String]) -> Columns {
    for (column, name) in columns.iter_mut().zip(given) {
        column.0.clone_from(name);
    }
    columns
}

/// Columns whose types are settled: what has no type is a text.
pub(crate) fn known(columns: Columns) -> Result<Vec<(String, Type)>, Unsupported> {
    let known = |(name, ty): (String, TermType)| match ty {
        TermType::Known(ty) => Ok((name, ty)),
        TermType::Null | TermType::Literal(_) => Ok((name, Type::Text)),
    };
    columns.into_iter().map(known).collect()
}
