//! Columns and paths into them.

use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Field, JsonKey, TableName, errors};
use truststream_sql::composite::Composite;
use truststream_sql::computed;
use truststream_sql::expression::{self, Unsupported, compared_type, is_caseless};
use truststream_sql::quote::{literal, quote};

use super::{Planner, Scope};
use crate::collation;
use crate::storage;
use crate::translate;

/// A column or path as SQL, with its type.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) sql: String,
    pub(crate) ty: Type,
}

impl Planner<'_> {
    /// A column of a table, or a path into it.
    ///
    /// # Errors
    /// 42703 for unknown columns.
    pub(super) fn term(&mut self, scope: &Scope, field: &Field) -> Result<Term> {
        let mut term = self.column(scope, &field.name)?;
        if !field.path.is_empty() && !is_json(&term.ty) {
            term = self.to_jsonb(&term);
        }
        for step in &field.path {
            if !is_json(&term.ty) {
                let sign = if step.as_text { "->>" } else { "->" };
                let key = if matches!(step.key, JsonKey::Index(_)) { "integer" } else { "unknown" };
                return Err(errors::no_operator(&term.ty.to_string(), sign, key));
            }
            let key = match &step.key {
                JsonKey::Index(index) => index.to_string(),
                JsonKey::Key(key) => self.bind(rusqlite::types::Value::Text(key.clone())),
            };
            let flags = u8::from(step.as_text) | u8::from(term.ty == Type::Json) << 1;
            term.sql = format!("ts_get({}, {key}, {flags})", term.sql);
            term.ty = match &term.ty {
                _ if step.as_text => Type::Text,
                Type::Json => Type::Json,
                _ => Type::Jsonb,
            };
        }
        Ok(term)
    }

    /// A value of any type as what paths lead into.
    fn to_jsonb(&self, term: &Term) -> Term {
        let json = match self.schema.composite(&term.ty) {
            Some(composite) => record_json(composite, &term.sql),
            None => format!("json_quote({})", as_json(term)),
        };
        let sql = format!("CASE WHEN {} IS NOT NULL THEN ts_cast({json}, 'json', 'jsonb') END", term.sql);
        Term { sql, ty: Type::Jsonb }
    }

    /// A column of a table, be it one that a function computes.
    pub(super) fn column(&mut self, scope: &Scope, name: &str) -> Result<Term> {
        let table = self.schema.table(&scope.table)?;
        if table.column(name).is_none()
            && let Some(function) = computed::column(&self.schema.catalog, &scope.table, name)
        {
            let computed = |within: &expression::Scope<'_>| expression::computed_value(function, within);
            let (sql, ty) = self.computed(scope, computed)?;
            return Ok(Term { sql, ty });
        }
        let column = table.column(name).ok_or_else(|| errors::no_column(&scope.called(), table, name))?;
        self.access.may_read(table, &scope.table, &column.name)?;
        Ok(Term { sql: format!("{}.{}", scope.alias, quote(&column.name)), ty: compared_type(column) })
    }

    /// What a function makes of a row, which it must be allowed to see whole.
    pub(super) fn computed<T>(
        &self,
        row: &Scope,
        translate: impl FnOnce(&expression::Scope<'_>) -> Result<T, Unsupported>,
    ) -> Result<T> {
        let table = self.schema.table(&row.table)?;
        for column in &table.columns {
            self.access.may_read(table, &row.table, &column.name)?;
        }
        let access = self.access.deeper();
        let source = |name: &TableName| {
            translate::source(self.schema, name, access).map_err(|error| Unsupported::carried(&error))
        };
        let within = expression::Scope {
            table: Some(&row.table),
            alias: Some(&row.alias),
            source: Some(&source),
            role: access.role(),
            ..expression::Scope::new(&self.schema.catalog)
        };
        translate(&within).map_err(Error::from)
    }

    /// The term cast to a type by name.
    ///
    /// # Errors
    /// 42704 for a type that there is not.
    pub(super) fn cast(&self, term: Term, cast: Option<&String>) -> Result<Term> {
        let Some(name) = cast else { return Ok(term) };
        let ty = Type::parse(name);
        if matches!(ty, Type::Other(_)) && self.schema.labels(&ty).is_none() {
            let message = format!("type \"{name}\" does not exist");
            return Err(Error::new(ErrorKind::InvalidInput, "42704", message));
        }
        if ty == term.ty {
            return Ok(term);
        }
        if !casts(&term.ty, &ty) {
            let message = format!("cannot cast type {} to {ty}", term.ty);
            return Err(Error::new(ErrorKind::InvalidInput, "42846", message));
        }
        let (from, to) = (literal(&term.ty.sql_name()), literal(&ty.sql_name()));
        let record = self.schema.composite(&term.ty).filter(|record| record.is_of_session());
        let sql = record.map_or_else(|| plain(&term), |record| record_shown(record, &term.sql));
        Ok(Term { sql: format!("ts_cast({sql}, {from}, {to})"), ty })
    }

    /// The term in a form that sorts and compares as PostgreSQL does.
    pub(super) fn comparable(&self, term: &Term) -> String {
        let sql = plain(term);
        match self.ranked(&sql, &term.ty) {
            Some(ranked) if !matches!(term.ty, Type::Array(_)) => ranked,
            ranked => format!("{}{}", ranked.unwrap_or(sql), collation::sql(&term.ty)),
        }
    }

    /// A label, or an array of them, by where they stand among their enum's; `None` for other types.
    pub(super) fn ranked(&self, sql: &str, ty: &Type) -> Option<String> {
        if let Type::Array(element) = ty {
            let labels = literal(&serde_json::to_string(self.schema.labels(element)?).ok()?);
            return Some(format!("ts_ranks({sql}, {labels})"));
        }
        self.schema.labels(ty).map(|labels| rank(sql, labels))
    }
}

fn is_json(ty: &Type) -> bool {
    matches!(ty, Type::Json | Type::Jsonb)
}

/// The term without what its type does not compare: blanks behind a `char(n)`.
pub(super) fn plain(term: &Term) -> String {
    if matches!(term.ty, Type::Char(_)) { without_blanks(&term.sql) } else { term.sql.clone() }
}

/// A text without blanks behind it.
pub(super) fn without_blanks(sql: &str) -> String {
    format!("rtrim({sql}, ' ')")
}

/// Whether PostgreSQL casts one type to another.
fn casts(from: &Type, to: &Type) -> bool {
    let text = |ty: &Type| matches!(ty, Type::Text | Type::Varchar(_) | Type::Char(_)) || is_caseless(ty);
    match (from, to) {
        _ if text(from) || text(to) => true,
        (Type::Array(from), Type::Array(to)) => casts(from, to),
        (Type::Bool, Type::Int4) | (Type::Int4, Type::Bool) => true,
        (Type::Jsonb, to) => *to == Type::Bool || *to == Type::Json || to.is_number(),
        (Type::Json, to) => *to == Type::Jsonb,
        (Type::Date, to) => matches!(to, Type::Timestamp | Type::Timestamptz),
        (Type::Timestamp | Type::Timestamptz, to) => {
            matches!(to, Type::Date | Type::Time | Type::Timestamp | Type::Timestamptz)
        }
        (Type::Time, to) => *to == Type::Interval,
        (Type::Interval, to) => *to == Type::Time,
        _ => from == to || (from.is_number() && to.is_number()),
    }
}

/// Where a label stands among its enum's.
pub(super) fn rank(sql: &str, labels: &[String]) -> String {
    let cases: Vec<String> =
        labels.iter().enumerate().map(|(at, label)| format!("WHEN {} THEN {at}", literal(label))).collect();
    format!("CASE {sql} {} END", cases.join(" "))
}

/// The label that stands at a place among its enum's.
pub(super) fn unrank(sql: &str, labels: &[String]) -> String {
    let cases: Vec<String> =
        labels.iter().enumerate().map(|(at, label)| format!("WHEN {at} THEN {}", literal(label))).collect();
    format!("CASE {sql} {} END", cases.join(" "))
}

/// A value of a composite type as the JSON that is shown of it.
pub(super) fn record_json(composite: &Composite, sql: &str) -> String {
    format!("ts_record_json({sql}, {})", literal(&composite.description()))
}

/// A value of a composite type as the text that the session shows of it.
fn record_shown(composite: &Composite, sql: &str) -> String {
    format!("ts_record_shown({sql}, {})", literal(&composite.description()))
}

/// The term as an argument of SQLite's JSON functions.
pub(crate) fn as_json(term: &Term) -> String {
    match &term.ty {
        ty if storage::is_of_session(ty) => format!("ts_json({}, {})", term.sql, literal(&ty.sql_name())),
        ty => expression::as_json(&term.sql, ty),
    }
}
