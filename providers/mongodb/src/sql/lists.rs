//! Aggregates that gather values: `array_agg`, `json_agg`, `json_object_agg`, `string_agg`.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArgumentClause, FunctionArgumentList, OrderByExpr,
};
use truststream_kernel::{Result, Type};

use super::aggregates::{Accumulated, Shown};
use super::{Translator, call, unsupported};
use crate::plan::Sort;
use crate::term::{Want, constant, constant_of, is_json, refusal};
use crate::written::Way;

/// What is gathered, and how it is put together.
struct Gathered {
    value: Bson,
    /// What a value is written in, where that is not as `jsonb` prints it.
    form: Option<(Way, Bson)>,
    /// What has to hold for a row to count.
    conditions: Vec<Bson>,
    ty: Type,
    put: Put,
}

/// What gathered values become.
enum Put {
    List,
    /// One text, with this between them.
    Text(Bson),
    /// An object of which they are the members.
    Object,
}

impl Put {
    /// What becomes of gathered rows that are in order.
    fn together(&self, rows: Bson) -> Bson {
        match self {
            Put::List => each(rows, "$$x.v"),
            Put::Text(between) => {
                let next = doc! { "$concat": ["$$value", between.clone(), "$$this.v"] };
                let first = doc! { "$eq": ["$$value", Bson::Null] };
                doc! { "$reduce": {
                    "input": rows,
                    "initialValue": Bson::Null,
                    "in": { "$cond": [first, "$$this.v", next] },
                } }
                .into()
            }
            Put::Object => object(each(rows, "$$x.v")),
        }
    }

    /// What it is written in.
    fn written(&self, way: Way, rows: Bson) -> Bson {
        way.of(match self {
            Put::Object => each(rows, doc! { "k": "$$x.v.k", "e": "$$x.e" }),
            _ => each(rows, "$$x.e"),
        })
    }
}

/// Something of each row `$$x`.
fn each(rows: Bson, of: impl Into<Bson>) -> Bson {
    doc! { "$map": { "input": rows, "as": "x", "in": of.into() } }.into()
}

/// An object of members `{k, v}`, the last of each name, in `jsonb`'s order: by the length of their names, then
/// by the names.
pub(super) fn object(members: Bson) -> Bson {
    let named = doc! { "k": "$$o.k", "v": "$$o.v", "n": { "$strLenBytes": "$$o.k" } };
    let each = doc! { "$objectToArray": { "$arrayToObject": [members] } };
    let measured = doc! { "$map": { "input": each, "as": "o", "in": named } };
    let sorted = doc! { "$sortArray": { "input": measured, "sortBy": { "n": 1, "k": 1 } } };
    let bare = doc! { "$map": { "input": sorted, "as": "o", "in": { "k": "$$o.k", "v": "$$o.v" } } };
    doc! { "$arrayToObject": bare }.into()
}

/// The order that an aggregate asks for; `None` for clauses that are not known.
pub(super) fn order_of(list: &FunctionArgumentList) -> Option<&[OrderByExpr]> {
    match list.clauses.as_slice() {
        [] => Some(&[]),
        [FunctionArgumentClause::OrderBy(orders)] => Some(orders),
        _ => None,
    }
}

impl Translator<'_, '_> {
    /// Values of rows that `filter` holds for, in the order that is asked for; null for no rows.
    pub(super) fn gathered(
        &mut self,
        (name, function): (&str, &Function),
        list: &FunctionArgumentList,
        arguments: &[&Expr],
        filter: Option<Bson>,
    ) -> Result<Accumulated> {
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let orders = order_of(list).filter(|_| !distinct);
        let orders = orders.ok_or_else(|| unsupported("this aggregate", function))?;
        let Gathered { value, form, mut conditions, ty, put } = self.gathering(name, arguments, function)?;
        conditions.extend(filter);
        let mut sort = Sort::default();
        for order in orders {
            let term = self.value(&order.expr, None)?;
            self.sort(&mut sort, &term, order)?;
        }
        let (mut one, by) = sort.parts();
        one.insert("v", value);
        let way = form.map(|(way, form)| {
            one.insert("e", form);
            way
        });
        let filtered = !conditions.is_empty();
        let pushed: Bson = match filtered {
            true => call("$cond", vec![crate::term::all(conditions), one.into(), Bson::Null]),
            false => one.into(),
        };
        let none: Bson = if is_json(&ty) { "$$REMOVE".into() } else { Bson::Null };
        let shown: Shown = Box::new(move |paths| {
            let mut rows: Bson = doc! { "$ifNull": [paths[0].clone(), []] }.into();
            if filtered {
                rows =
                    doc! { "$filter": { "input": rows, "as": "x", "cond": { "$gt": ["$$x", Bson::Null] } } }
                        .into();
            }
            let empty = call("$eq", vec![rows.clone(), Bson::Array(Vec::new())]);
            let rows = sorted(rows, &by);
            let text = way.map(|way| put.written(way, rows.clone()));
            (call("$cond", vec![empty, none.clone(), put.together(rows)]), text)
        });
        Ok((vec![doc! { "$push": pushed }], shown, ty))
    }

    fn gathering(&mut self, name: &str, arguments: &[&Expr], function: &Function) -> Result<Gathered> {
        let of = |value, ty, put| Gathered { value, form: None, conditions: Vec::new(), ty, put };
        let plain = |value, ty| of(value, ty, Put::List);
        match (name, arguments) {
            ("json_agg", [one]) => {
                let (part, is_list) = self.part_of_list(one)?;
                let way = if is_list { Way::Lines } else { Way::Array };
                let form = part.form().map(|form| (way, form));
                Ok(Gathered { form, ..plain(part.value(), Type::Json) })
            }
            ("jsonb_agg", [one]) => Ok(plain(self.part_of_list(one)?.0.value(), Type::Jsonb)),
            ("array_agg", [one]) => {
                let term = self.value(one, None)?;
                if is_json(&term.ty) || matches!(term.ty, Type::Array(_)) {
                    return Err(unsupported("an array of these", function));
                }
                Ok(plain(call("$ifNull", vec![term.expr, Bson::Null]), Type::Array(Box::new(term.ty))))
            }
            ("string_agg", [one, between]) => {
                let (term, between) = (self.text(one)?, self.text(between)?);
                let conditions = vec![term.is_null(Want::False)];
                let between = match constant_of(&between.expr) {
                    Some(Bson::String(text)) => constant(text.as_str()),
                    _ if between.is_unknown() => constant(""),
                    _ => return Err(unsupported("what is not known beforehand between texts", function)),
                };
                Ok(Gathered { conditions, ..of(term.expr, Type::Text, Put::Text(between)) })
            }
            ("json_object_agg" | "jsonb_object_agg", [key, value]) => {
                let ty = if name == "jsonb_object_agg" { Type::Jsonb } else { Type::Json };
                let key = self.value(key, Some(&Type::Text))?;
                let key = self.assigned(key, &Type::Text)?;
                let unnamed = refusal("field name must not be null");
                let key = call("$cond", vec![key.is_null(Want::True), unnamed, key.expr]);
                let (part, _) = self.part_of_list(value)?;
                let form = (ty == Type::Json).then(|| (Way::Gathered, part.written()));
                let member = doc! { "k": key, "v": part.value() };
                Ok(Gathered { form, ..of(member.into(), ty, Put::Object) })
            }
            _ => Err(unsupported("this aggregate", function)),
        }
    }
}

/// Gathered rows in order.
fn sorted(rows: Bson, by: &Document) -> Bson {
    match by.is_empty() {
        true => rows,
        false => doc! { "$sortArray": { "input": rows, "sortBy": by.clone() } }.into(),
    }
}
