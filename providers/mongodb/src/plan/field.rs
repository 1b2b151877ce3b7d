//! Columns and paths into them.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Result, Type};
use truststream_services::database::{Field, JsonKey};
use truststream_sql::computed;

use super::filter::no_operator_between;
use super::{Place, Planner, text_of};
use crate::schema::column;
use crate::sql::Translator;
use crate::term::{Term, constant, is_json};

impl Planner<'_> {
    /// A column of a table, or a path into it; `stages` make what it reads.
    ///
    /// # Errors
    /// 42703 for unknown columns, 42883 for a path into the text that another one ends with, 0A000 for one into
    /// what there is no JSON of.
    pub(crate) fn term(&mut self, place: &Place, field: &Field, stages: &mut Vec<Document>) -> Result<Term> {
        let (term, as_text) = self.json_term(place, field, stages)?;
        Ok(if as_text { Term::new(text_of(&term.expr), Type::Text) } else { term })
    }

    /// The same, with a last `->>` told apart: its value is still JSON.
    pub(super) fn json_term(
        &mut self,
        place: &Place,
        field: &Field,
        stages: &mut Vec<Document>,
    ) -> Result<(Term, bool)> {
        let schema = self.schema;
        let table = schema.table(&place.table)?;
        let mut term = match table.column(&field.name) {
            Some(column) => {
                self.access.may_read(table, &place.table, &column.name)?;
                place.term(column)
            }
            None => match computed::column(&schema.catalog, &place.table, &field.name) {
                Some(function) => {
                    let (term, made) = Translator::computed_value(self, place, function)?;
                    stages.extend(made);
                    of_row(place, term)
                }
                None => place.term(column(table, &place.table, &field.name)?),
            },
        };
        if !field.path.is_empty() && !is_json(&term.ty) {
            term = Translator::as_jsonb(self, &term)?;
        }
        let (mut as_text, kind) = (false, term.ty.clone());
        for step in &field.path {
            if as_text {
                let sign = if step.as_text { "->>" } else { "->" };
                let key = if matches!(step.key, JsonKey::Index(_)) { "integer" } else { "unknown" };
                return Err(no_operator_between(&Type::Text, sign, key));
            }
            let ty = if kind == Type::Json { Type::Json } else { Type::Jsonb };
            term = Term::new(step_into(&term.expr, &step.key, &kind), ty);
            as_text = step.as_text;
        }
        Ok((term, as_text))
    }
}

/// What is computed of a row that need not be there: of none nothing.
fn of_row(place: &Place, term: Term) -> Term {
    let Some(row) = place.row() else { return term };
    let nothing = if is_json(&term.ty) { "$$REMOVE".into() } else { Bson::Null };
    // Only a missing row sorts before null.
    let there = doc! { "$gt": [format!("${row}"), Bson::Null] };
    Term { expr: doc! { "$cond": [there, term.expr, nothing] }.into(), ..term }
}

/// `->`: a member or an element; missing where there is none. Of `jsonb` a scalar is its own element.
pub(crate) fn step_into(json: &Bson, key: &JsonKey, ty: &Type) -> Bson {
    // Without a variable, where it can be: not every server keeps missing what a variable leads to.
    let Some(path) = path_of(json) else {
        let taken = taken("$$j", key, ty);
        return doc! { "$let": { "vars": { "j": json.clone() }, "in": taken } }.into();
    };
    match key {
        JsonKey::Key(key) if is_plain(key) => {
            let is_object = doc! { "$eq": [{ "$type": json.clone() }, "object"] };
            doc! { "$cond": [is_object, format!("{path}.{key}"), "$$REMOVE"] }.into()
        }
        _ => taken(path, key, ty),
    }
}

fn taken(json: &str, key: &JsonKey, ty: &Type) -> Bson {
    let is = |kind: &str| doc! { "$eq": [{ "$type": json }, kind] };
    let (kind, taken): (_, Bson) = match key {
        // Of an object a plain path takes nothing else than the member.
        JsonKey::Key(key) if is_plain(key) => ("object", format!("{json}.{key}").into()),
        JsonKey::Key(key) => {
            ("object", doc! { "$getField": { "field": constant(key), "input": json } }.into())
        }
        JsonKey::Index(at) => ("array", doc! { "$arrayElemAt": [json, constant(*at)] }.into()),
    };
    let itself = matches!(key, JsonKey::Index(0 | -1)) && *ty != Type::Json;
    let otherwise = match itself {
        true => doc! { "$cond": [is("object"), "$$REMOVE", json] }.into(),
        false => Bson::from("$$REMOVE"),
    };
    doc! { "$cond": [is(kind), taken, otherwise] }.into()
}

/// The path that a value is read by, if it is one: a column, or what was stepped into from one.
fn path_of(json: &Bson) -> Option<&str> {
    let path = match json {
        Bson::Document(step) => match step.get_array("$cond").ok()?.as_slice() {
            [_, path, Bson::String(end)] if end == "$$REMOVE" => path.as_str()?,
            _ => return None,
        },
        other => other.as_str()?,
    };
    path.starts_with('$').then_some(path)
}

/// Whether a key can be part of a path.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && !key.contains(['.', '$', '\0'])
}
