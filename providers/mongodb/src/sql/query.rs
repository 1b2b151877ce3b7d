//! Sub-selects as `$lookup`, with the policies of their tables.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{Expr, Query};
use truststream_kernel::{Result, Type};
use truststream_sql::expression;

use super::select::{Rows, Shown};
use super::value::{Family, family};
use super::{Translator, call, unsupported};
use crate::term::{Term, Want, all, any, is_json, not};

impl Translator<'_, '_> {
    /// `exists (select … from …)`
    pub(super) fn exists(&mut self, query: &Query) -> Result<Bson> {
        let mut rows = self.query(query, Shown::Nothing)?;
        rows.stages.push(doc! { "$limit": 1 });
        rows.stages.push(doc! { "$project": { "_id": 1 } });
        let field = self.looked_up(rows, query)?;
        Ok(call("$gt", vec![call("$size", field), 0.into()]))
    }

    /// `x in (select …)`
    pub(super) fn in_query(&mut self, expr: &Expr, query: &Query, want: Want) -> Result<Bson> {
        let left = self.value(expr, None)?;
        let rows = self.query(query, Shown::One(Some(&left.ty)))?;
        let ty = rows.columns.first().map_or(Type::Text, |(_, ty)| ty.clone());
        if family(&ty) != family(&left.ty) || family(&ty) == Family::Json || self.is_record(&ty) {
            return Err(unsupported("a comparison of two types", query));
        }
        let field = self.looked_up(rows, query)?;
        // Spelled out: not every server reads `$field.v` through an array.
        let each = doc! { "input": field.as_str(), "as": "row", "in": "$$row.v" };
        let values = call("$map", each);
        let within = call("$in", vec![left.expr.clone(), values.clone()]);
        if want == Want::True {
            return Ok(all(vec![left.is_null(Want::False), within]));
        }
        let null = call("$in", vec![Bson::Null, values]);
        let empty = call("$eq", vec![field.into(), Bson::Array(Vec::new())]);
        let differs = all(vec![left.is_null(Want::False), not(any(vec![within, null]))]);
        Ok(any(vec![empty, differs]))
    }

    /// `(select …)` for one value.
    pub(super) fn scalar(&mut self, query: &Query, hint: Option<&Type>) -> Result<Term> {
        if let Some(expr) = lone_expression(query) {
            return self.value(expr, hint);
        }
        let mut rows = self.query(query, Shown::One(hint))?;
        if rows.at_most_one {
            return self.first(rows, query);
        }
        let ty = rows.columns.first().map_or(Type::Text, |(_, ty)| ty.clone());
        rows.stages.push(doc! { "$limit": 2 });
        let field = self.looked_up(rows, query)?;
        // Of several rows PostgreSQL makes an error, and so does the engine of this number.
        let several = call("$gt", vec![call("$size", field.clone()), Bson::Int32(1)]);
        let number = call("$toString", call("$size", field.clone()));
        let refused = call("$toInt", call("$concat", vec!["too many rows: ".into(), number]));
        if is_json(&ty) {
            // What is missing stays so in a field, but not always in what leads to it.
            let name = field.trim_start_matches('$').to_owned();
            let known = call("$cond", vec![several, refused, field.as_str().into()]);
            self.top().push(doc! { "$addFields": { name: known } });
            return Ok(self.unwound(&field, ty));
        }
        let row = call("$arrayElemAt", vec![Bson::String(field.clone()), Bson::Int32(0)]);
        let first = call("$let", doc! { "vars": { "row": row }, "in": "$$row.v" });
        let one = call("$ifNull", vec![first, Bson::Null]);
        Ok(Term::new(call("$cond", vec![several, refused, one]), ty))
    }

    /// The value of the first row; null if there is none.
    pub(super) fn first(&mut self, mut rows: Rows, shown: impl std::fmt::Display) -> Result<Term> {
        let ty = rows.columns.first().map_or(Type::Text, |(_, ty)| ty.clone());
        rows.stages.push(doc! { "$limit": 1 });
        let field = self.looked_up(rows, shown)?;
        Ok(self.unwound(&field, ty))
    }

    /// The value of the one row that a field has, or has not.
    fn unwound(&mut self, field: &str, ty: Type) -> Term {
        self.top().push(doc! { "$unwind": { "path": field, "preserveNullAndEmptyArrays": true } });
        Term::stored(format!("{field}.v"), ty)
    }

    /// Brings rows into a field, and gives its path.
    pub(super) fn looked_up(&mut self, rows: Rows, shown: impl std::fmt::Display) -> Result<String> {
        let field = self.planner.temporary();
        let Some(outer) = self.frames.last_mut() else {
            return Err(unsupported("a sub-select here", shown));
        };
        outer.push(lookup(rows.from, rows.lets, rows.stages, &field));
        Ok(format!("${field}"))
    }
}

pub(super) fn lookup(from: String, lets: Document, pipeline: Vec<Document>, into: &str) -> Document {
    doc! { "$lookup": { "from": from, "let": lets, "pipeline": pipeline, "as": into } }
}

/// The expression that a query without a table is, and no aggregate.
pub(crate) fn lone_expression(query: &Query) -> Option<&Expr> {
    expression::lone_expression(query).filter(|expr| !super::aggregates::within(expr))
}
