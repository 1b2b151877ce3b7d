//! Literals in the forms SQLite stores, and casts between types.

use truststream_kernel::value::zone;
use truststream_kernel::{Error, Type, Value};

use super::caseless::{as_text, is_caseless};
use super::translate::Translator;
use super::{Term, TermType, Unsupported};
use crate::composite::Composite;
use crate::quote::literal;
use crate::schema::enum_table;

/// A value as an SQLite literal in the form its column stores; `None` for what SQLite can't hold
/// (not-a-number and infinite floats).
pub fn stored_literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "NULL".into(),
        Value::Bool(value) => i64::from(*value).to_string(),
        Value::Int(value) | Value::Timestamptz(value) | Value::Timestamp(value) => value.to_string(),
        Value::Float(value) if !value.is_finite() => return None,
        Value::Float(value) => format!("{value:?}"),
        Value::Decimal(text) | Value::Text(text) | Value::Json(text) => literal(text),
        Value::Bytes(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{digits}'")
        }
        Value::Array(_) => literal(&zone::within(None, || value.to_json())),
        Value::Uuid(_) | Value::Date(_) | Value::Time(_) | Value::Interval { .. } => {
            literal(&value.to_text()?)
        }
    })
}

/// A type as `ts_cast` is told of it: an enum is a text.
fn cast_name(ty: &Type) -> String {
    match ty {
        Type::Enum(_) => "text".into(),
        other => other.sql_name(),
    }
}

pub(crate) fn is_text(ty: &Type) -> bool {
    matches!(ty, Type::Text | Type::Varchar(_) | Type::Char(_))
}

pub(super) fn is_integer(ty: &Type) -> bool {
    matches!(ty, Type::Int2 | Type::Int4 | Type::Int8)
}

pub(super) fn is_float(ty: &Type) -> bool {
    matches!(ty, Type::Float4 | Type::Float8)
}

impl Translator<'_> {
    /// A string literal read as a type.
    pub(super) fn read_literal(&self, text: &str, ty: &Type) -> Result<Term, Unsupported> {
        if let Type::Enum(name) = ty {
            let labels = self.scope.catalog.enums.get(&enum_table(name));
            if !labels.is_some_and(|labels| labels.iter().any(|label| label == text)) {
                let reason = format!("invalid input value for enum {name}");
                return Err(Unsupported::new(literal(text), reason));
            }
        }
        if let Some(composite) = Composite::of(self.scope.catalog, ty) {
            let read = zone::within(None, || composite.parse(text));
            let value = read.map(Value::Text).map_err(|error| self.misread(text, &error))?;
            return self.written(value, text, ty);
        }
        if matches!(ty, Type::Other(_)) && !crate::sqlite::is_held(ty) {
            let reason = format!("values of type {ty} live on PostgreSQL only");
            return Err(Unsupported::new(literal(text), reason));
        }
        // What is translated serves sessions of all zones.
        let value =
            zone::within(None, || Value::parse(ty, text)).map_err(|error| self.misread(text, &error))?;
        self.written(value, text, ty)
    }

    fn misread(&self, text: &str, error: &Error) -> Unsupported {
        match self.bound {
            // It came with the request.
            Some(_) => Unsupported::carried(error),
            None => Unsupported::new(literal(text), error.message().to_owned()),
        }
    }

    /// A value that a literal was read as: bound, or written where it stands.
    fn written(&self, value: Value, text: &str, ty: &Type) -> Result<Term, Unsupported> {
        if let Some(bound) = &self.bound {
            return Ok(Term::new(bound.push(value), ty.clone()));
        }
        let sql = stored_literal(&value)
            .ok_or_else(|| Unsupported::new(literal(text), "SQLite can't hold this number"))?;
        Ok(Term::new(sql, ty.clone()))
    }

    /// A term whose type is settled: a bare literal is a text.
    pub(super) fn settled(&self, term: Term) -> Result<Term, Unsupported> {
        match &term.ty {
            TermType::Literal(_) => Ok(Term::new(term.sql, Type::Text)),
            _ => Ok(term),
        }
    }

    /// A term as a type that PostgreSQL would cast it to on its own accord.
    pub(super) fn coerced(&self, term: Term, ty: &Type) -> Result<Term, Unsupported> {
        let from = match &term.ty {
            TermType::Null => return Ok(term),
            TermType::Literal(text) => return self.read_literal(text, ty),
            TermType::Known(from) => from,
        };
        if from == ty || (is_text(from) && is_text(ty)) || (is_integer(from) && is_integer(ty)) {
            return Ok(Term { ty: TermType::Known(ty.clone()), ..term });
        }
        let sql = match (from, ty) {
            (from, Type::Numeric(_)) if is_integer(from) => format!("CAST({} AS TEXT)", term.sql),
            (Type::Numeric(_), Type::Numeric(None)) => term.sql,
            (from, to) if is_caseless(from) && is_text(to) => as_text(&term.sql),
            (from, to) if is_float(to) && (is_integer(from) || is_float(from)) => {
                format!("CAST({} AS REAL)", term.sql)
            }
            (Type::Numeric(_), to) if is_float(to) => format!("CAST({} AS REAL)", term.sql),
            (Type::Timestamp, Type::Timestamptz) => instant(&term.sql),
            (Type::Date, Type::Timestamptz | Type::Timestamp) => cast(&term.sql, from, ty),
            (from, to) => {
                return Err(Unsupported::new(term.sql.clone(), format!("{from} where {to} is wanted")));
            }
        };
        Ok(Term::new(sql, ty.clone()))
    }

    /// A term as a value of a column: what assignment casts.
    pub(crate) fn assigned(&self, term: Term, ty: &Type) -> Result<Term, Unsupported> {
        let TermType::Known(from) = &term.ty else { return self.coerced(term, ty) };
        let numbers = from.is_number() && ty.is_number();
        let times = |ty: &Type| matches!(ty, Type::Timestamptz | Type::Timestamp | Type::Date | Type::Time);
        let same = from == ty;
        if same || matches!(ty, Type::Numeric(None)) {
            return self.coerced(term, ty);
        }
        if is_text(ty) || (numbers && from != ty) || (times(from) && times(ty)) {
            return self.cast_to(term, ty);
        }
        if matches!((from, ty), (Type::Json, Type::Jsonb) | (Type::Jsonb, Type::Json)) {
            return self.cast_to(term, ty);
        }
        self.coerced(term, ty)
    }

    /// `term::ty`
    pub(crate) fn cast_to(&self, term: Term, ty: &Type) -> Result<Term, Unsupported> {
        let from = match &term.ty {
            TermType::Null => return Ok(Term { ty: TermType::Known(ty.clone()), ..term }),
            TermType::Literal(text) => return self.explicit_literal(text, ty),
            TermType::Known(from) => from.clone(),
        };
        if from == *ty {
            return Ok(term);
        }
        let sql = match (&from, ty) {
            (from, Type::Varchar(Some(length))) if is_text(from) => {
                format!("substr({}, 1, {length})", term.sql)
            }
            (Type::Char(_), to) if is_text(to) => format!("rtrim({}, ' ')", term.sql),
            (from, Type::Text | Type::Varchar(None)) if is_text(from) => term.sql,
            (Type::Uuid | Type::Enum(_) | Type::Numeric(_), Type::Text | Type::Varchar(None)) => term.sql,
            (from, Type::Text | Type::Varchar(None)) if is_caseless(from) => as_text(&term.sql),
            (Type::Text | Type::Varchar(_), to) if is_caseless(to) => term.sql,
            (from, Type::Text) if is_integer(from) => format!("CAST({} AS TEXT)", term.sql),
            (from, Type::Int8) if is_integer(from) => term.sql,
            (Type::Jsonb, Type::Json) => term.sql,
            (Type::Timestamp, Type::Timestamptz) => instant(&term.sql),
            (Type::Timestamptz, Type::Timestamp) => local(&term.sql),
            (from, to) if matches!(from, Type::Text | Type::Enum(_)) && self.labels(to).is_some() => {
                self.text_as_enum(&term.sql, to)?
            }
            (from, to) if is_text(from) && self.composite(to).is_some() => self.text_as_record(&term.sql, to),
            (from, Type::Text | Type::Varchar(None)) if self.composite(from).is_some() => {
                self.record_as_text(term.sql, from)
            }
            (_, Type::Enum(_) | Type::Other(_)) | (Type::Other(_), _) => {
                return Err(Unsupported::new(&term.sql, format!("a cast from {from} to {ty}")));
            }
            (Type::Array(left), Type::Array(right)) if is_text(left) && is_text(right) => term.sql,
            (from, to) => cast(&term.sql, from, to),
        };
        Ok(Term::new(sql, ty.clone()))
    }

    fn explicit_literal(&self, text: &str, ty: &Type) -> Result<Term, Unsupported> {
        // An explicit cast cuts a text to its length where an assignment refuses it.
        match ty {
            Type::Varchar(Some(length)) | Type::Char(length) => {
                let length = usize::try_from(*length).unwrap_or(usize::MAX);
                self.read_literal(&text.chars().take(length).collect::<String>(), ty)
            }
            _ => self.read_literal(text, ty),
        }
    }

    fn labels(&self, ty: &Type) -> Option<&[String]> {
        let Type::Enum(name) = ty else { return None };
        self.scope.catalog.enums.get(&enum_table(name)).map(Vec::as_slice)
    }

    fn text_as_enum(&self, sql: &str, ty: &Type) -> Result<String, Unsupported> {
        let labels = self.labels(ty).unwrap_or_default();
        let labels: Vec<_> = labels.iter().map(|label| literal(label)).collect();
        let message = literal(&format!("invalid input value for enum {ty}"));
        Ok(format!(
            "CASE WHEN {sql} IS NULL OR {sql} IN ({}) THEN {sql} ELSE ts_raise('22P02', {message}) END",
            labels.join(", ")
        ))
    }
}

/// What clocks of the session's zone show at a moment.
pub(super) fn local(moment: &str) -> String {
    format!("ts_local({moment})")
}

/// The moment at which clocks of the session's zone show this.
pub(super) fn instant(local: &str) -> String {
    format!("ts_instant({local})")
}

fn cast(sql: &str, from: &Type, to: &Type) -> String {
    let of_session = |ty: &Type| *ty == Type::Timestamptz;
    let name = if of_session(from) || of_session(to) { "ts_session_cast" } else { "ts_cast" };
    format!("{name}({sql}, {}, {})", literal(&cast_name(from)), literal(&cast_name(to)))
}
