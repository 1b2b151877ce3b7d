//! Columns and paths into them.

use mongodb::bson::{Bson, doc};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Column, Field, JsonKey, TableName};

use super::Planner;
use crate::names::path;
use crate::schema::column;
use crate::term::{Term, constant};

impl Planner<'_> {
    /// A column of a table, or a path into it.
    ///
    /// # Errors
    /// 42703 for unknown columns, 42883 for a path into what is no JSON.
    pub(super) fn term(&self, table: &TableName, field: &Field) -> Result<Term> {
        let (term, as_text) = self.json_term(table, field)?;
        Ok(if as_text { Term::new(text_of(&term.expr), Type::Text) } else { term })
    }

    /// The same, with a last `->>` told apart: its value is still JSON.
    pub(super) fn json_term(&self, table: &TableName, field: &Field) -> Result<(Term, bool)> {
        let found = column(self.schema.table(table)?, table, &field.name)?;
        let mut term = column_term(found);
        let mut as_text = false;
        for step in &field.path {
            match &term.ty {
                Type::Json | Type::Jsonb if !as_text => {}
                other => {
                    let other = if as_text { "text".to_owned() } else { other.sql_name() };
                    let sign = if step.as_text { "->>" } else { "->" };
                    let message = format!("operator does not exist: {other} {sign} unknown");
                    return Err(Error::new(ErrorKind::InvalidInput, "42883", message));
                }
            }
            term.expr = step_into(&term.expr, &step.key);
            term.ty = Type::Jsonb;
            as_text = step.as_text;
        }
        Ok((term, as_text))
    }
}

/// A column of the document at hand.
pub(crate) fn column_term(column: &Column) -> Term {
    let path = path(&column.name);
    match column.ty {
        // For SQL's null, which is no document, this is missing.
        Type::Json | Type::Jsonb => Term::new(format!("{path}.v"), column.ty.clone()),
        _ => Term::new(path, column.ty.clone()),
    }
}

/// `->`: a member or an element; missing where there is none.
pub(crate) fn step_into(json: &Bson, key: &JsonKey) -> Bson {
    // Without a variable, where it can be: not every server keeps missing what a variable leads to.
    if let (Some(path), JsonKey::Key(key)) = (path_of(json), key)
        && is_plain(key)
    {
        let is_object = doc! { "$eq": [{ "$type": json.clone() }, "object"] };
        return doc! { "$cond": [is_object, format!("{path}.{key}"), "$$REMOVE"] }.into();
    }
    let (kind, taken) = match key {
        // Of an object a plain path takes nothing else than the member.
        JsonKey::Key(key) if is_plain(key) => ("object", Bson::String(format!("$$j.{key}"))),
        JsonKey::Key(key) => {
            ("object", doc! { "$getField": { "field": constant(key), "input": "$$j" } }.into())
        }
        JsonKey::Index(at) => ("array", doc! { "$arrayElemAt": ["$$j", constant(*at)] }.into()),
    };
    Bson::Document(doc! { "$let": {
        "vars": { "j": json.clone() },
        "in": { "$cond": [{ "$eq": [{ "$type": "$$j" }, kind] }, taken, "$$REMOVE"] },
    } })
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

/// `->>`: a JSON value as text. The engine refuses to make one of objects and arrays.
pub(crate) fn text_of(json: &Bson) -> Bson {
    Bson::Document(doc! { "$let": {
        "vars": { "j": json.clone() },
        "in": { "$cond": [
            { "$in": [{ "$type": "$$j" }, ["missing", "null"]] },
            Bson::Null,
            { "$toString": "$$j" },
        ] },
    } })
}
