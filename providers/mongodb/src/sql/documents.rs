//! Values and rows made into JSON. The value of what is made is in `jsonb`'s normal form, as stored ones are; what
//! PostgreSQL's `json` has more, the order of the members and all of one name, is in its text (`written.rs`).

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::Expr;
use truststream_kernel::value::jsonb;
use truststream_kernel::{Result, Type};

use super::frame::{WholeRow, inner};
use super::moments::moment;
use super::{Translator, call, unsupported};
use crate::json;
use crate::plan::Planner;
use crate::record;
use crate::storage;
use crate::term::{NOTHING, Term, Want, constant, constant_of, is_json, is_wide, narrow, refusal};
use crate::written::{Way, compact, member, member_made, plain};

/// What JSON is made of: a value, and the form it is written in where that is not `jsonb`'s.
pub(super) enum Part {
    /// Something that is not known before a function is called.
    Unknown,
    Known(Bson, Option<Bson>),
    /// Both are expressions.
    Made(Bson, Option<Bson>),
}

impl Part {
    /// Its value as an expression.
    pub(super) fn value(&self) -> Bson {
        match self {
            Part::Unknown => constant(Bson::Null),
            Part::Known(known, _) => constant(known.clone()),
            Part::Made(made, _) => made.clone(),
        }
    }

    /// Its form as an expression, where it has one.
    pub(super) fn form(&self) -> Option<Bson> {
        match self {
            Part::Unknown => None,
            Part::Known(_, form) => form.clone().map(constant),
            Part::Made(_, form) => form.clone(),
        }
    }

    /// The form it is written in, as an expression.
    pub(super) fn written(&self) -> Bson {
        self.form().unwrap_or_else(|| plain(self.value()))
    }

    /// The value and its form, if both are known.
    fn known(&self) -> Option<(Bson, Bson)> {
        match self {
            Part::Known(value, form) => {
                Some((value.clone(), form.clone().unwrap_or_else(|| plain(value.clone()))))
            }
            _ => None,
        }
    }
}

impl Translator<'_, '_> {
    /// `json_build_object` and its like; `None` for other functions.
    pub(super) fn document(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Term>> {
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
                        object(known.collect(), ty, Way::Object)
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
                if ty == Type::Json { made } else { Term::new(made.expr, ty) }
            }
            _ => return Ok(None),
        }))
    }

    /// A whole row, if the expression is the name of what it comes from; missing where there is none.
    fn row_as_json(&mut self, expr: &Expr) -> Result<Option<Term>> {
        let Expr::Identifier(name) = inner(expr) else { return Ok(None) };
        let Some(WholeRow { columns, path }) = self.whole_row(name)? else { return Ok(None) };
        let parts = columns.into_iter().map(|(name, term)| Ok((name, self.part_of(&term)?)));
        let row = object(parts.collect::<Result<_>>()?, Type::Json, Way::Row);
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
        let part = self.part_of(&term)?;
        let text = part.form();
        Ok(match part {
            Part::Unknown => Term::unknown(Type::Json),
            Part::Known(Bson::Null, _) => Term::new(NOTHING, Type::Json),
            Part::Known(known, _) => Term { text, ..Term::new(constant(known), Type::Json) },
            Part::Made(made, _) => {
                let made = call("$cond", vec![term.is_null(Want::True), NOTHING.into(), made]);
                Term { text, ..Term::new(made, Type::Json) }
            }
        })
    }

    /// A value as what paths lead into; missing for null.
    ///
    /// # Errors
    /// 0A000 for a type that there is no JSON of.
    pub(crate) fn as_jsonb(planner: &mut Planner<'_>, term: &Term) -> Result<Term> {
        let translator = Translator::new(planner);
        if translator.is_record(&term.ty) {
            return Ok(Term::new(record::as_json(translator.catalog(), term)?, Type::Jsonb));
        }
        let value = translator.part_of(term)?.value();
        Ok(Term::new(call("$cond", vec![term.is_null(Want::True), NOTHING.into(), value]), Type::Jsonb))
    }

    /// A value, or a whole row, as an element or a member, where it is never missing; and whether it is an array
    /// or a row.
    pub(super) fn part_of_list(&mut self, expr: &Expr) -> Result<(Part, bool)> {
        if let Some(row) = self.row_as_json(expr)? {
            return Ok((self.part_of(&row)?, true));
        }
        let term = self.value(expr, None)?;
        Ok((self.part_of(&term)?, self.is_list(&term)))
    }

    fn part(&mut self, expr: &Expr) -> Result<Part> {
        self.part_of_list(expr).map(|(part, _)| part)
    }

    fn is_list(&self, term: &Term) -> bool {
        matches!(term.ty, Type::Array(_)) || self.is_record(&term.ty)
    }

    fn part_of(&self, term: &Term) -> Result<Part> {
        if term.is_unknown() {
            return Ok(Part::Unknown);
        }
        if term.expr == Bson::String(NOTHING.to_owned()) {
            return Ok(Part::Known(Bson::Null, None));
        }
        let is_list = self.is_list(term);
        if let Some(known) = constant_of(&term.expr) {
            let known = match known {
                known if is_json(&term.ty) => known.clone(),
                Bson::Null => return Ok(Part::Known(Bson::Null, None)),
                _ if self.is_record(&term.ty) => {
                    let json = record::as_json(self.catalog(), term)?;
                    constant_of(&json).cloned().unwrap_or(Bson::Null)
                }
                known => {
                    let text = storage::value(known, &term.ty)?.to_json_as(&term.ty);
                    json::native(&jsonb::normalize(&text)?)?
                }
            };
            let form = match term.text.as_ref().and_then(constant_of) {
                Some(text) => Some(text.clone()),
                None => is_list.then(|| compact(known.clone())),
            };
            return Ok(Part::Known(known, form));
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
        let value = call("$ifNull", vec![expr, Bson::Null]);
        let form = match &term.text {
            Some(text) => {
                let text = call("$cond", vec![term.is_null(Want::True), NOTHING.into(), text.clone()]);
                Some(doc! { "v": value.clone(), "t": text }.into())
            }
            None => is_list.then(|| compact(value.clone())),
        };
        Ok(Part::Made(value, form))
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
                missing => Term::either(missing, other, one),
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

fn object(members: Vec<(String, Part)>, ty: Type, way: Way) -> Term {
    if members.iter().any(|(_, part)| matches!(part, Part::Unknown)) {
        return Term::unknown(ty);
    }
    let is_json = ty == Type::Json;
    // Of members of one name the last one counts.
    let mut last: Vec<&(String, Part)> = Vec::new();
    for one in &members {
        last.retain(|(name, _)| *name != one.0);
        last.push(one);
    }
    last.sort_by(|(one, _), (other, _)| (one.len(), one).cmp(&(other.len(), other)));
    let known: Option<Vec<_>> = members.iter().map(|(name, part)| Some((name, part.known()?))).collect();
    let (expr, text) = match known {
        Some(known) => {
            let value =
                |name: &String| known.iter().rfind(|(one, _)| *one == name).map(|(_, one)| one.0.clone());
            let object: Document =
                last.iter().filter_map(|(name, _)| Some((name.clone(), value(name)?))).collect();
            let list: Vec<Bson> = known.iter().map(|(name, (_, form))| member(name, form.clone())).collect();
            (constant(object), constant(way.of(list)))
        }
        None => {
            let pairs: Vec<Bson> = last.iter().map(|(name, part)| pair(name, part.value())).collect();
            let list: Vec<Bson> =
                members.iter().map(|(name, part)| member_made(name, part.written())).collect();
            (call("$arrayToObject", vec![Bson::Array(pairs)]), way.of(list))
        }
    };
    Term { text: is_json.then_some(text), ..Term::new(expr, ty) }
}

/// An object whose members have names that rows tell.
fn named_by_rows(members: Vec<(Term, Part)>, ty: Type) -> Term {
    let (mut pairs, mut list) = (Vec::new(), Vec::new());
    for (at, (key, part)) in members.into_iter().enumerate() {
        if matches!(part, Part::Unknown) {
            return Term::unknown(ty);
        }
        let unnamed = refusal(format!("argument {}: key must not be null", at * 2 + 1));
        let key = call("$cond", vec![key.is_null(Want::True), unnamed, key.expr]);
        list.push(Bson::from(doc! { "k": key.clone(), "e": part.written() }));
        pairs.push(Bson::from(doc! { "k": key, "v": part.value() }));
    }
    let text = (ty == Type::Json).then(|| Way::Object.of(list));
    Term { text, ..Term::new(super::lists::object(Bson::Array(pairs)), ty) }
}

fn pair(name: &str, value: Bson) -> Bson {
    doc! { "k": constant(name), "v": value }.into()
}

fn array(parts: Vec<Part>, ty: Type) -> Term {
    if parts.iter().any(|part| matches!(part, Part::Unknown)) {
        return Term::unknown(ty);
    }
    let formed = ty == Type::Json && parts.iter().any(|part| part.form().is_some());
    let known: Option<Vec<(Bson, Bson)>> = parts.iter().map(Part::known).collect();
    let (expr, text) = match known {
        Some(known) => {
            let (elements, forms): (Vec<Bson>, Vec<Bson>) = known.into_iter().unzip();
            (constant(elements), constant(Way::Array.of(forms)))
        }
        None => {
            let elements: Vec<Bson> = parts.iter().map(Part::value).collect();
            let forms: Vec<Bson> = parts.iter().map(Part::written).collect();
            (call("$concatArrays", vec![Bson::Array(elements)]), Way::Array.of(forms))
        }
    };
    Term { text: formed.then_some(text), ..Term::new(expr, ty) }
}
