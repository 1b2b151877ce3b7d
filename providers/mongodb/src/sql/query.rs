//! Sub-selects as `$lookup`, with the policies of their tables.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{Expr, Query, Select, SelectItem, SetExpr, TableFactor};
use truststream_kernel::{Result, Type};
use truststream_services::database::PolicyCommand;
use truststream_sql::schema::table_name;

use super::value::{Family, family, ident};
use super::{Frame, Translator, call, unsupported};
use crate::names::collection;
use crate::term::{Term, Want, all, any, not};

impl Translator<'_, '_> {
    /// `exists (select … from …)`
    pub(super) fn exists(&mut self, query: &Query) -> Result<Bson> {
        let field = self.looked_up(query, None, Some(1))?;
        Ok(call("$gt", vec![call("$size", field), 0.into()]))
    }

    /// `x in (select …)`
    pub(super) fn in_query(&mut self, expr: &Expr, query: &Query, want: Want) -> Result<Bson> {
        let left = self.value(expr, None)?;
        let mut ty = left.ty.clone();
        let field = self.looked_up(query, Some(&mut ty), None)?;
        if family(&ty) != family(&left.ty) || family(&ty) == Family::Json {
            return Err(unsupported("a comparison of two types", query));
        }
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
        if let SetExpr::Select(select) = query.body.as_ref()
            && select.from.is_empty()
            && select.selection.is_none()
            && let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] =
                select.projection.as_slice()
        {
            return self.value(expr, hint);
        }
        let mut ty = hint.cloned().unwrap_or(Type::Text);
        let field = self.looked_up(query, Some(&mut ty), Some(2))?;
        if family(&ty) == Family::Json {
            return Err(unsupported("a sub-select of JSON", query));
        }
        // Of several rows PostgreSQL makes an error, and so does the engine of this number.
        let several = call("$gt", vec![call("$size", field.clone()), Bson::Int32(1)]);
        let number = call("$toString", call("$size", field.clone()));
        let refused = call("$toInt", call("$concat", vec!["too many rows: ".into(), number]));
        let row = call("$arrayElemAt", vec![Bson::String(field.clone()), Bson::Int32(0)]);
        let first = call("$let", doc! { "vars": { "row": row }, "in": "$$row.v" });
        let one = call("$ifNull", vec![first, Bson::Null]);
        Ok(Term::new(call("$cond", vec![several, refused, one]), ty))
    }

    /// Brings the rows of a sub-select into a field, and gives its path; with `ty` their one value
    /// is in `v`, and its type is told.
    fn looked_up(&mut self, query: &Query, ty: Option<&mut Type>, most: Option<i32>) -> Result<String> {
        let plain = query.with.is_none()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.fetch.is_none();
        let SetExpr::Select(select) = query.body.as_ref() else {
            return Err(unsupported("this sub-select", query));
        };
        if !plain || !is_simple(select) {
            return Err(unsupported("this sub-select", query));
        }
        let frame = self.frame(select, query)?;
        let from = collection(&frame.table);
        let mut pipeline = self.planner.guarded(&frame.table.clone(), PolicyCommand::Select)?;
        if self.frames.is_empty() {
            return Err(unsupported("a sub-select here", query));
        }
        self.frames.push(frame);
        let condition = match &select.selection {
            Some(selection) => self.truth(selection, Want::True)?,
            None => Bson::Boolean(true),
        };
        let projected = match ty {
            None => doc! { "_id": 1 },
            Some(ty) => {
                let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] =
                    select.projection.as_slice()
                else {
                    return Err(unsupported("this sub-select", query));
                };
                let term = self.value(expr, Some(ty))?;
                *ty = term.ty;
                doc! { "_id": 0, "v": { "$ifNull": [term.expr, Bson::Null] } }
            }
        };
        let Some(frame) = self.frames.pop() else { return Err(unsupported("this sub-select", query)) };
        pipeline.extend(frame.stages);
        pipeline.push(doc! { "$match": { "$expr": condition } });
        if let Some(most) = most {
            pipeline.push(doc! { "$limit": most });
        }
        pipeline.push(doc! { "$project": projected });
        let field = self.planner.temporary();
        let lookup = doc! { "$lookup": {
            "from": from, "let": frame.lets, "pipeline": pipeline, "as": field.as_str(),
        } };
        if let Some(outer) = self.frames.last_mut() {
            outer.stages.push(lookup);
        }
        Ok(format!("${field}"))
    }

    fn frame(&self, select: &Select, query: &Query) -> Result<Frame> {
        let [from] = select.from.as_slice() else { return Err(unsupported("this sub-select", query)) };
        let TableFactor::Table { name, alias, args: None, .. } = &from.relation else {
            return Err(unsupported("this sub-select", query));
        };
        if !from.joins.is_empty() {
            return Err(unsupported("a join in a sub-select", query));
        }
        let table = table_name(name);
        self.planner.schema.table(&table)?;
        let name = alias.as_ref().map_or_else(|| table.name.clone(), |alias| ident(&alias.name));
        Ok(Frame { table, name, lets: Document::new(), stages: Vec::new() })
    }
}

fn is_simple(select: &Select) -> bool {
    use sqlparser::ast::GroupByExpr;
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(terms, _) if terms.is_empty());
    ungrouped && select.having.is_none() && select.into.is_none()
}
