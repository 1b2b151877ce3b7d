//! Values and rows made into JSON. A made value is in `jsonb`'s normal form, as stored ones are, also where
//! PostgreSQL's `json` would keep the order of the members.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::Expr;
use truststream_kernel::value::jsonb;
use truststream_kernel::{Result, Type};

use super::frame::{WholeRow, inner};
use super::moments::moment;
use super::{Translator, call, unsupported};
use crate::json;
use crate::record;
use crate::storage;
use crate::term::{Term, Want, constant, constant_of, is_json, is_wide, narrow, refusal};

/// What stands for no value at all.
const NOTHING: &str = "$$REMOVE";

/// What JSON is made of.
enum Part {
    /// Something that is not known before a function is called.
    Unknown,
    Known(Bson),
    Made(Bson),
}

impl Translator<'_, '_> {
    /// `json_build_object` and its like; `None` for other functions.
    pub(super) fn document(&mut self, name: &str, arguments: &[Expr], shown: &str) -> Result<Option<Term>> {
        let ty = if name.contains("jsonb") { Type::Jsonb } else { Type::Json };
        Ok(Some(match (name, arguments) {
            ("json_build_object" | "jsonb_build_object", pairs) if pairs.len().is_multiple_of(2) => {
                let mut members = Vec::new();
                for pair in pairs.chunks(2) {
                    let key = self.text(&pair[0])?;
                    if key.is_unknown() {
                        return Ok(Some(Term::unknown(ty)));
                    }
                    members.push((key, self.part(&pair[1])?));
                }
                let known = |(key, _): &(Term, Part)| matches!(constant_of(&key.expr), Some(Bson::String(_)));
                match members.iter().all(known) {
                    true => {
                        let known = members.into_iter().filter_map(|(key, part)| {
                            let key = constant_of(&key.expr)?.as_str()?.to_owned();
                            Some((key, part))
                        });
                        object(known.collect(), ty, shown)?
                    }
                    false => named_by_rows(members, ty),
                }
            }
            ("json_build_array" | "jsonb_build_array", elements) => {
                let parts = elements.iter().map(|one| self.part(one)).collect::<Result<Vec<_>>>()?;
                array(parts, ty)
            }
            ("to_json" | "to_jsonb" | "row_to_json", [expr]) => {
                let made = self.json_of(expr)?;
                Term { ty, ..made }
            }
            _ => return Ok(None),
        }))
    }

    /// A whole row, if the expression is the name of what it comes from; missing where there is none.
    fn row_as_json(&mut self, expr: &Expr) -> Result<Option<Term>> {
        let Expr::Identifier(name) = inner(expr) else { return Ok(None) };
        let Some(WholeRow { columns, path }) = self.whole_row(name)? else { return Ok(None) };
        let parts = columns.into_iter().map(|(name, term)| Ok((name, self.part_of(&term)?)));
        let row = object(parts.collect::<Result<_>>()?, Type::Json, &expr.to_string())?;
        Ok(Some(match path {
            // Only what is missing sorts before null.
            Some(path) if !row.is_unknown() => {
                let none = call("$lt", vec![path.into(), Bson::Null]);
                Term { expr: call("$cond", vec![none, NOTHING.into(), row.expr]), ..row }
            }
            _ => row,
        }))
    }

    /// A value, or a whole row, as JSON; missing for null.
    fn json_of(&mut self, expr: &Expr) -> Result<Term> {
        if let Some(row) = self.row_as_json(expr)? {
            return Ok(row);
        }
        let term = self.value(expr, None)?;
        if term.is_unknown() || is_json(&term.ty) {
            return Ok(Term { ty: Type::Json, ..term });
        }
        Ok(match self.part_of(&term)? {
            Part::Unknown => Term::unknown(Type::Json),
            Part::Known(Bson::Null) => Term::new(NOTHING, Type::Json),
            Part::Known(known) => Term::new(constant(known), Type::Json),
            Part::Made(made) => {
                let made = call("$cond", vec![term.is_null(Want::True), NOTHING.into(), made]);
                Term::new(made, Type::Json)
            }
        })
    }

    /// A value as an element or a member, where it is never missing.
    pub(super) fn element_of_json(&mut self, expr: &Expr) -> Result<Bson> {
        Ok(match self.part(expr)? {
            Part::Unknown => constant(Bson::Null),
            Part::Known(known) => constant(known),
            Part::Made(made) => made,
        })
    }

    fn part(&mut self, expr: &Expr) -> Result<Part> {
        let term = match self.row_as_json(expr)? {
            Some(row) => row,
            None => self.value(expr, None)?,
        };
        self.part_of(&term)
    }

    fn part_of(&self, term: &Term) -> Result<Part> {
        if term.is_unknown() {
            return Ok(Part::Unknown);
        }
        if term.expr == Bson::String(NOTHING.to_owned()) {
            return Ok(Part::Known(Bson::Null));
        }
        if let Some(known) = constant_of(&term.expr) {
            let known = match known {
                known if is_json(&term.ty) => known.clone(),
                Bson::Null => Bson::Null,
                _ if self.is_record(&term.ty) => {
                    let json = record::as_json(self.catalog(), term)?;
                    constant_of(&json).cloned().unwrap_or(Bson::Null)
                }
                known => {
                    let text = storage::value(known, &term.ty)?.to_json_as(&term.ty);
                    json::native(&jsonb::normalize(&text)?)?
                }
            };
            return Ok(Part::Known(known));
        }
        let expr = match &term.ty {
            ty if is_wide(ty) => narrow(&term.expr),
            ty if is_as_json(ty) => term.expr.clone(),
            Type::Array(element) if is_as_json(element) => term.expr.clone(),
            Type::Timestamptz => moment(&term.expr, &term.ty, ["T", "+00:00"])?,
            Type::Timestamp | Type::Date => moment(&term.expr, &term.ty, ["T", ""])?,
            ty if self.is_record(ty) => record::as_json(self.catalog(), term)?,
            other => return Err(unsupported("a value within JSON of type", other.sql_name())),
        };
        Ok(Part::Made(call("$ifNull", vec![expr, Bson::Null])))
    }

    /// `coalesce` of JSON, whose null is a value.
    pub(super) fn first_json(&mut self, first: Term, rest: &[Expr], shown: &str) -> Result<Term> {
        let mut all = vec![first];
        for one in rest {
            let term = self.value(one, Some(&all[0].ty))?;
            if !is_json(&term.ty) {
                return Err(unsupported("coalesce of two types", shown));
            }
            all.push(term);
        }
        let ty = all[0].ty.clone();
        if all.iter().any(Term::is_unknown) {
            return Ok(Term::unknown(ty));
        }
        let chosen = all.into_iter().rev().reduce(|other, one| {
            let missing = one.is_null(Want::True);
            match missing {
                Bson::Boolean(true) => other,
                Bson::Boolean(false) => one,
                missing => Term::new(call("$cond", vec![missing, other.expr, one.expr]), one.ty),
            }
        });
        let chosen = chosen.ok_or_else(|| unsupported("coalesce of nothing", shown))?;
        Ok(Term { ty, ..chosen })
    }
}

/// Types whose values are stored as JSON has them, or written like that (`json.rs`).
fn is_as_json(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Json
            | Type::Jsonb
            | Type::Bool
            | Type::Int2
            | Type::Int4
            | Type::Int8
            | Type::Numeric(Some(_))
            | Type::Float8
            | Type::Text
            | Type::Varchar(_)
            | Type::Enum(_)
            | Type::Uuid
    )
}

fn object(mut members: Vec<(String, Part)>, ty: Type, shown: &str) -> Result<Term> {
    members.sort_by(|(one, _), (other, _)| (one.len(), one).cmp(&(other.len(), other)));
    if members.windows(2).any(|two| two[0].0 == two[1].0) {
        return Err(unsupported("two members of one name", shown));
    }
    if members.iter().any(|(_, part)| matches!(part, Part::Unknown)) {
        return Ok(Term::unknown(ty));
    }
    let (mut known, mut pairs) = (Document::new(), Vec::new());
    let all_known = members.iter().all(|(_, part)| matches!(part, Part::Known(_)));
    for (name, part) in members {
        match part {
            Part::Known(value) if all_known => {
                known.insert(name, value);
            }
            Part::Known(value) => pairs.push(pair(name, constant(value))),
            Part::Made(expr) => pairs.push(pair(name, expr)),
            Part::Unknown => {}
        }
    }
    let made = if all_known { constant(known) } else { call("$arrayToObject", vec![Bson::Array(pairs)]) };
    Ok(Term::new(made, ty))
}

/// An object whose members have names that rows tell.
fn named_by_rows(members: Vec<(Term, Part)>, ty: Type) -> Term {
    let mut pairs = Vec::new();
    for (at, (key, part)) in members.into_iter().enumerate() {
        let value = match part {
            Part::Unknown => return Term::unknown(ty),
            Part::Known(value) => constant(value),
            Part::Made(expr) => expr,
        };
        let unnamed = refusal(format!("argument {}: key must not be null", at * 2 + 1));
        let key = call("$cond", vec![key.is_null(Want::True), unnamed, key.expr]);
        pairs.push(Bson::from(doc! { "k": key, "v": value }));
    }
    Term::new(super::lists::object(Bson::Array(pairs), &ty), ty)
}

fn pair(name: String, value: Bson) -> Bson {
    doc! { "k": constant(name), "v": value }.into()
}

fn array(parts: Vec<Part>, ty: Type) -> Term {
    if parts.iter().any(|part| matches!(part, Part::Unknown)) {
        return Term::unknown(ty);
    }
    let all_known = parts.iter().all(|part| matches!(part, Part::Known(_)));
    let elements = parts.into_iter().map(|part| match part {
        Part::Known(value) if all_known => value,
        Part::Known(value) => constant(value),
        Part::Made(expr) => expr,
        Part::Unknown => Bson::Null,
    });
    let elements = Bson::Array(elements.collect());
    let made = if all_known { constant(elements) } else { call("$concatArrays", vec![elements]) };
    Term::new(made, ty)
}
