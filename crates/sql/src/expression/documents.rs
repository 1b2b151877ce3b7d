//! Values and rows made into JSON.

use sqlparser::ast::Expr;
use truststream_kernel::Type;

use super::translate::Translator;
use super::{Term, Unsupported};
use crate::quote::literal;
use crate::schema::ident;

/// A stored value of a type as an argument of SQLite's JSON functions.
pub fn as_json(sql: &str, ty: &Type) -> String {
    match ty {
        Type::Bool => format!("ts_bool({sql})"),
        Type::Json | Type::Jsonb => format!("ts_raw({sql})"),
        Type::Array(element) if **element != Type::Float4 => format!("ts_raw({sql})"),
        // The hexadecimal of null is empty.
        Type::Bytes => format!("iif({sql} IS NULL, NULL, '\\x' || lower(hex({sql})))"),
        Type::Timestamptz
        | Type::Timestamp
        | Type::Float4
        | Type::Float8
        | Type::Numeric(_)
        | Type::Array(_) => format!("ts_json({sql}, {})", literal(&ty.sql_name())),
        _ => sql.to_owned(),
    }
}

impl Translator<'_> {
    /// A whole row as JSON, if the expression is the name of what it comes from.
    pub(super) fn row(&self, expr: &Expr) -> Option<Term> {
        let Expr::Identifier(name) = expr else { return None };
        if super::names::column(&self.levels, std::slice::from_ref(name)).is_ok() {
            return None;
        }
        let relation = self.relation(&ident(name))?;
        let members = relation
            .terms()
            .into_iter()
            .map(|(name, term)| format!("{}, {}", literal(&name), self.as_json(&term)));
        let members: Vec<_> = members.collect();
        Some(Term::new(format!("json_object({})", members.join(", ")), Type::Json))
    }

    /// `to_json`, `to_jsonb`, `row_to_json`.
    pub(super) fn to_json(&self, name: &str, term: &Term) -> Result<Term, Unsupported> {
        let term = self.settled(term.clone())?;
        let null = format!("CASE WHEN {} IS NULL THEN NULL ELSE {} END", term.sql, self.json_text(&term));
        match (name, term.known()) {
            ("to_jsonb", Some(Type::Jsonb)) | ("to_json", Some(Type::Json)) => Ok(term),
            ("to_jsonb", _) => Ok(Term::new(format!("ts_cast(({null}), 'json', 'jsonb')"), Type::Jsonb)),
            _ => Ok(Term::new(format!("({null})"), Type::Json)),
        }
    }

    /// `json_build_object` and `json_build_array`, and those of `jsonb`.
    pub(super) fn built(&self, name: &str, terms: &[Term]) -> Result<Option<Term>, Unsupported> {
        let sql = match name {
            "jsonb_build_object" | "json_build_object" if terms.len().is_multiple_of(2) => {
                let mut members = Vec::new();
                for pair in terms.chunks(2) {
                    let (key, value) = (self.as_text(&pair[0])?, self.settled(pair[1].clone())?);
                    members.push(format!("json_quote({}) || ' : ' || {}", key.sql, self.json_text(&value)));
                }
                surrounded("{", &members, "}")
            }
            "jsonb_build_array" | "json_build_array" => {
                let items = terms.iter().map(|term| Ok(self.json_text(&self.settled(term.clone())?)));
                surrounded("[", &items.collect::<Result<Vec<_>, Unsupported>>()?, "]")
            }
            _ => return Ok(None),
        };
        Ok(Some(match name.starts_with("jsonb") {
            true => Term::new(format!("ts_cast({sql}, 'json', 'jsonb')"), Type::Jsonb),
            false => Term::new(sql, Type::Json),
        }))
    }
}

fn surrounded(open: &str, parts: &[String], close: &str) -> String {
    if parts.is_empty() {
        return literal(&format!("{open}{close}"));
    }
    format!("('{open}' || {} || '{close}')", parts.join(" || ', ' || "))
}
