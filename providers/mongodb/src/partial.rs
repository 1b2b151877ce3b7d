//! Conditions of partial indexes, in what the engine takes as a `partialFilterExpression`.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{BinaryOperator, Expr};
use truststream_kernel::{Context, Type};
use truststream_services::database::{Catalog, Column, Table};

use crate::ddl::types;
use crate::names::field;
use crate::plan::Planner;
use crate::schema::Schema;
use crate::sql::{Translator, parse};
use crate::term::constant_of;

/// The rows that an index with this condition is about; `None` where the engine can't tell them.
///
/// Taken are `and`, `is null`, `is not null`, truth values, and `=` with a literal.
pub(crate) fn filter(catalog: &Catalog, table: &Table, predicate: &str) -> Option<Document> {
    let mut parts = Vec::new();
    collect(catalog, table, &parse(predicate).ok()?, &mut parts)?;
    Some(doc! { "$and": parts })
}

fn collect(catalog: &Catalog, table: &Table, expr: &Expr, parts: &mut Vec<Bson>) -> Option<()> {
    let (name, test) = match expr {
        Expr::Nested(inner) => return collect(catalog, table, inner, parts),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            collect(catalog, table, left, parts)?;
            return collect(catalog, table, right, parts);
        }
        Expr::IsNull(inner) => (column(table, inner)?.name.clone(), Bson::from(doc! { "$type": "null" })),
        Expr::IsNotNull(inner) => {
            let column = column(table, inner)?;
            (column.name.clone(), Bson::from(doc! { "$type": types(&column.ty) }))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            let column = column(table, left)?;
            (column.name.clone(), literal(catalog, column, right)?)
        }
        Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Not, expr } => (truth(table, expr)?, false.into()),
        Expr::IsTrue(inner) => (truth(table, inner)?, true.into()),
        Expr::IsFalse(inner) => (truth(table, inner)?, false.into()),
        other => (truth(table, other)?, true.into()),
    };
    parts.push(Bson::Document(Document::from_iter([(field(&name), test)])));
    Some(())
}

fn column<'t>(table: &'t Table, expr: &Expr) -> Option<&'t Column> {
    match expr {
        Expr::Nested(inner) => column(table, inner),
        Expr::Identifier(name) => table.column(&crate::sql::ident(name)),
        _ => None,
    }
}

fn truth(table: &Table, expr: &Expr) -> Option<String> {
    column(table, expr).filter(|column| column.ty == Type::Bool).map(|column| column.name.clone())
}

/// A literal of a type whose equal values are stored alike.
fn literal(catalog: &Catalog, column: &Column, expr: &Expr) -> Option<Bson> {
    let alike = column.ty.has_one_form() || matches!(column.ty, Type::Enum(_));
    let (schema, cx) = (Schema::new(catalog.clone(), false), Context::system());
    let term = Translator::value_of_expr(&mut Planner::new(&schema, &cx), None, expr, &column.ty).ok()?;
    let known = constant_of(&term.expr).filter(|known| **known != Bson::Null)?;
    (alike && term.ty == column.ty).then(|| known.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use truststream_sql::schema;

    #[test]
    fn what_the_engine_takes_is_told() {
        let mut catalog = Catalog::default();
        for statement in schema::parse("create table t (a int, b boolean, c text, d date);").unwrap() {
            schema::apply(&mut catalog, &statement).unwrap();
        }
        let table = catalog.tables.values().next().unwrap();
        let told = |text: &str| filter(&catalog, table, text);
        assert_eq!(told("a is null"), Some(doc! { "$and": [{ "a": { "$type": "null" } }] }));
        assert_eq!(told("b and (c = 'x')"), Some(doc! { "$and": [{ "b": true }, { "c": "x" }] }));
        assert_eq!(told("not b"), Some(doc! { "$and": [{ "b": false }] }));
        for text in
            ["a > 1", "a = 1 or b", "lower(c) = 'x'", "d = '2024-01-01'", "c", "c = null", "z is null"]
        {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
