//! Groups and aggregates.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Select, SelectItem,
};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_sql::schema::table_name;

use super::frame::Groups;
use super::select::stored_form;
use super::{Translator, call, unsupported};
use crate::plan::{has_extremes, sum_type};
use crate::span;
use crate::term::{Term, Want, all, constant, is_wide, narrow, reckoned};

/// Aggregates that are translated.
const AGGREGATES: &[&str] = &["count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every"];
/// Those that gather values (`lists.rs`).
const GATHERING: &[&str] =
    &["array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg"];

/// The accumulators of an aggregate, what it makes of them, and its type.
pub(super) type Accumulated = (Vec<Document>, Shown, Type);

/// Makes of the paths of what was accumulated what the aggregate is, and what that is written in, where it is
/// JSON that is not written as `jsonb`.
pub(super) type Shown = Box<dyn Fn(&[Bson]) -> (Bson, Option<Bson>)>;

fn name_of(function: &Function) -> String {
    table_name(&function.name).name
}

pub(super) fn is_aggregate(function: &Function) -> bool {
    let name = name_of(function);
    let known = [AGGREGATES, GATHERING].iter().any(|names| names.contains(&&*name));
    function.over.is_none() && known
}

/// Whether an expression has an aggregate of the rows at hand.
pub(super) fn within(expr: &Expr) -> bool {
    match expr {
        Expr::Function(function) => is_aggregate(function) || arguments(function).any(within),
        Expr::Nested(expr)
        | Expr::Cast { expr, .. }
        | Expr::UnaryOp { expr, .. }
        | Expr::IsNull(expr)
        | Expr::IsNotNull(expr)
        | Expr::IsTrue(expr)
        | Expr::IsFalse(expr) => within(expr),
        Expr::BinaryOp { left, right, .. } => within(left) || within(right),
        Expr::Case { conditions, else_result, .. } => {
            conditions.iter().any(|branch| within(&branch.condition) || within(&branch.result))
                || else_result.as_deref().is_some_and(within)
        }
        Expr::Between { expr, low, high, .. } => within(expr) || within(low) || within(high),
        _ => false,
    }
}

/// Whether a select aggregates its rows.
pub(super) fn select(select: &Select) -> bool {
    select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => within(expr),
        _ => false,
    })
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
}

impl Translator<'_, '_> {
    /// Begins to group the rows of the innermost frame.
    pub(super) fn group_by(&mut self, keys: &[Expr], select: &Select) -> Result<()> {
        let mut groups = Groups::default();
        if keys.is_empty() {
            groups.prefix = format!("{}.", self.planner.temporary());
        }
        for (at, key) in keys.iter().enumerate() {
            let expr = match key {
                Expr::Value(_) => numbered(key, select).ok_or_else(|| unsupported("this group", key))?,
                _ => key,
            };
            let term = self.value(expr, None)?;
            if term.ty == Type::Interval || span::is_range(&term.ty) || self.is_record(&term.ty) {
                return Err(unsupported("a group by intervals, ranges or records", key));
            }
            let name = format!("k{at}");
            groups.ids.insert(&name, stored_form(&term));
            let stored = Term::stored(format!("$_id.{name}"), term.ty.clone());
            groups.keys.push((term, stored.expr));
        }
        self.top().groups = Some(groups);
        Ok(())
    }

    /// What an expression is that the rows are grouped by.
    pub(super) fn key_of_group(&mut self, expr: &Expr) -> Option<Term> {
        let groups = self.frames.last()?.groups.as_ref().filter(|groups| !groups.inside)?;
        if groups.keys.is_empty() || matches!(expr, Expr::Value(_) | Expr::Identifier(_)) || within(expr) {
            return None;
        }
        self.inside(true);
        let term = self.value(expr, None).ok();
        self.inside(false);
        let (term, groups) = (term?, self.frames.last()?.groups.as_ref()?);
        let (key, found) = groups.keys.iter().find(|(key, _)| key.expr == term.expr)?;
        Some(Term::new(found.clone(), key.ty.clone()))
    }

    fn inside(&mut self, inside: bool) {
        if let Some(groups) = self.frames.last_mut().and_then(|frame| frame.groups.as_mut()) {
            groups.inside = inside;
        }
    }

    /// An aggregate of the rows of the innermost frame.
    pub(super) fn aggregate(&mut self, function: &Function) -> Result<Term> {
        let grouping =
            self.frames.last().is_some_and(|frame| frame.groups.as_ref().is_some_and(|one| !one.inside));
        if !grouping {
            let message = "aggregate functions are not allowed here";
            return Err(Error::new(ErrorKind::InvalidInput, "42803", message));
        }
        self.inside(true);
        let made = self.accumulated(function);
        self.inside(false);
        let (accumulators, shown, ty) = made?;
        let Some(groups) = self.frames.last_mut().and_then(|frame| frame.groups.as_mut()) else {
            return Err(unsupported("an aggregate here", function));
        };
        let at = groups.accumulators.len();
        let paths: Vec<String> = (0..accumulators.len()).map(|one| format!("a{}", at + one)).collect();
        for (path, accumulator) in paths.iter().zip(accumulators) {
            groups.accumulators.insert(path, accumulator);
        }
        let paths: Vec<Bson> = paths.iter().map(|path| format!("${}{path}", groups.prefix).into()).collect();
        let (expr, text) = shown(&paths);
        Ok(Term { expr, ty, text })
    }

    pub(super) fn accumulated(&mut self, function: &Function) -> Result<Accumulated> {
        let name = name_of(function);
        let FunctionArguments::List(list) = &function.args else {
            return Err(unsupported("these arguments", function));
        };
        let gathers = GATHERING.contains(&&*name);
        let plain = (gathers || list.clauses.is_empty()) && function.within_group.is_empty();
        if !plain {
            return Err(unsupported("this aggregate", function));
        }
        let filter = function.filter.as_deref().map(|filter| self.truth(filter, Want::True)).transpose()?;
        if gathers {
            let arguments: Vec<&Expr> = arguments(function).collect();
            return self.gathered((&name, function), list, &arguments, filter);
        }
        let where_true = |value: Bson, otherwise: Bson| match &filter {
            Some(filter) => call("$cond", vec![filter.clone(), value, otherwise]),
            None => value,
        };
        let number = |path: &Bson| call("$ifNull", vec![path.clone(), constant(0_i64)]);
        let one = where_true(constant(1_i64), constant(0_i64));
        if let [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] = list.args.as_slice() {
            return Ok((
                vec![doc! { "$sum": one }],
                Box::new(move |paths| (number(&paths[0]), None)),
                Type::Int8,
            ));
        }
        let [argument] = arguments(function).collect::<Vec<_>>()[..] else {
            return Err(unsupported("these arguments", function));
        };
        let term = self.value(argument, None)?;
        let given = filter.iter().cloned().chain([term.is_null(Want::False)]).collect();
        let present = call("$cond", vec![all(given), constant(1_i64), constant(0_i64)]);
        let value = where_true(call("$ifNull", vec![term.expr.clone(), Bson::Null]), Bson::Null);
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        if distinct && name != "count" && !matches!(&*name, "min" | "max") {
            return Err(unsupported("a distinct aggregate", function));
        }
        match &*name {
            "count" if distinct => {
                self.told_by_text([&term.ty])?;
                let set = doc! { "$addToSet": where_true(stored_form(&term), Bson::Null) };
                let sized = |paths: &[Bson]| {
                    let known =
                        doc! { "$setDifference": [{ "$ifNull": [paths[0].clone(), []] }, [Bson::Null]] };
                    (call("$size", known), None)
                };
                Ok((vec![set], Box::new(sized), Type::Int8))
            }
            "count" => Ok((
                vec![doc! { "$sum": present }],
                Box::new(move |paths| (number(&paths[0]), None)),
                Type::Int8,
            )),
            "min" | "max" => {
                if !has_extremes(&term.ty) || matches!(term.ty, Type::Array(_) | Type::Enum(_)) {
                    return Err(unsupported("the extremes of this type", function));
                }
                let value =
                    if is_wide(&term.ty) { where_true(narrow(&term.expr), Bson::Null) } else { value };
                let word = format!("${name}");
                Ok((vec![Document::from_iter([(word, value)])], or_null(), term.ty))
            }
            "bool_and" | "bool_or" | "every" if term.ty == Type::Bool => {
                let word = if name == "bool_or" { "$max" } else { "$min" };
                Ok((vec![Document::from_iter([(word.to_owned(), value)])], or_null(), Type::Bool))
            }
            "sum" if term.ty.is_number() => {
                let float = matches!(term.ty, Type::Float4 | Type::Float8);
                let expr = if is_wide(&term.ty) { narrow(&term.expr) } else { term.expr.clone() };
                let added = if float { reckoned(&expr) } else { call("$toDecimal", expr) };
                let shown = |paths: &[Bson]| {
                    let none = call("$eq", vec![call("$ifNull", vec![paths[1].clone(), 0.into()]), 0.into()]);
                    (call("$cond", vec![none, Bson::Null, paths[0].clone()]), None)
                };
                let sums = vec![doc! { "$sum": where_true(added, Bson::Null) }, doc! { "$sum": present }];
                Ok((sums, Box::new(shown), sum_type(&term.ty)))
            }
            "avg" if matches!(term.ty, Type::Float4 | Type::Float8) => {
                let floats = where_true(reckoned(&term.expr), Bson::Null);
                Ok((vec![doc! { "$avg": floats }], or_null(), Type::Float8))
            }
            _ => Err(unsupported("this aggregate", function)),
        }
    }
}

fn or_null() -> Shown {
    Box::new(|paths| (call("$ifNull", vec![paths[0].clone(), Bson::Null]), None))
}

/// The item that a number in `group by` means.
fn numbered<'s>(key: &Expr, select: &'s Select) -> Option<&'s Expr> {
    let Expr::Value(value) = key else { return None };
    let sqlparser::ast::Value::Number(text, _) = &value.value else { return None };
    match select.projection.get(text.parse::<usize>().ok()?.checked_sub(1)?)? {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}
