//! Values of composite types: made of their fields, compared, and taken apart.

use sqlparser::ast::{AccessExpr, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};
use truststream_kernel::Type;

use super::translate::Translator;
use super::{Columns, Term, TermType, Unsupported};
use crate::composite::Composite;
use crate::quote::{literal, quote};
use crate::schema::{ident, parts};

impl Translator<'_> {
    /// The composite type that a type is.
    pub(super) fn composite(&self, ty: &Type) -> Option<Composite> {
        Composite::of(self.scope.catalog, ty)
    }

    /// `row(…)::ty`, if the type is a composite one and the expression makes a row.
    pub(super) fn record(&mut self, expr: &Expr, ty: &Type) -> Result<Option<Term>, Unsupported> {
        let (Some(composite), Some(items)) = (self.composite(ty), row(expr)) else { return Ok(None) };
        let types = composite.types();
        if types.len() != items.len() || types.is_empty() {
            return Err(Unsupported::new(expr, format!("a row of {} fields as {ty}", items.len())));
        }
        let mut cells = Vec::new();
        for (item, ty) in items.into_iter().zip(&types) {
            let item = self.expr(item)?;
            cells.push(self.assigned(item, ty)?.sql);
        }
        cells.insert(1, literal(&composite.description()));
        Ok(Some(Term::new(format!("ts_record({})", cells.join(", ")), ty.clone())))
    }

    /// `(value).field`
    pub(super) fn field_of(&self, value: &Term, chain: &[AccessExpr]) -> Result<Option<Term>, Unsupported> {
        let Some((ty, composite)) = value.known().and_then(|ty| Some((ty, self.composite(ty)?))) else {
            return Ok(None);
        };
        let [AccessExpr::Dot(Expr::Identifier(field)), within @ ..] = chain else { return Ok(None) };
        let field = ident(field);
        match composite.field(&field) {
            Some(of) => {
                let description = literal(&composite.description());
                let sql = format!("ts_record_get({}, {description}, {})", value.sql, literal(&field));
                let found = Term::new(sql, of);
                if within.is_empty() { Ok(Some(found)) } else { self.field_of(&found, within) }
            }
            None => {
                let reason = format!("column \"{field}\" not found in data type {ty}");
                Err(Unsupported { text: String::new(), reason, code: Some("42703".into()) })
            }
        }
    }

    /// The fields of the one value of a composite type that a query gives, where they are the columns that
    /// are declared.
    pub(super) fn fields_found(&self, found: &Columns, declared: &[(String, Type)]) -> Option<Vec<String>> {
        let [(_, TermType::Known(ty))] = found.as_slice() else { return None };
        let composite = self.composite(ty)?;
        let types = Some(composite.types()).filter(|types| types.len() == declared.len())?;
        let description = literal(&composite.description());
        let cell = |((name, of), ty): (&(String, Type), &Type)| {
            let same = composite.field(name).as_ref() == Some(of) && of == ty;
            same.then(|| {
                format!("ts_record_get(\"c0\", {description}, {}) AS {}", literal(name), quote(name))
            })
        };
        declared.iter().zip(&types).map(cell).collect()
    }

    /// A text read as a value of a composite type.
    pub(super) fn text_as_record(&self, sql: &str, ty: &Type) -> String {
        let description = self.composite(ty).map(|composite| composite.description());
        format!("ts_record_read({sql}, {})", literal(&description.unwrap_or_default()))
    }

    /// The text that the session shows of a value of a composite type.
    pub(super) fn record_as_text(&self, sql: String, ty: &Type) -> String {
        match self.composite(ty).filter(Composite::is_of_session) {
            Some(composite) => format!("ts_record_shown({sql}, {})", literal(&composite.description())),
            None => sql,
        }
    }

    /// A value of a composite type as JSON; `None` for other types.
    pub(super) fn record_json(&self, sql: &str, ty: &Type) -> Option<String> {
        let description = literal(&self.composite(ty)?.description());
        Some(format!("ts_raw(ts_record_json({sql}, {description}))"))
    }

    /// What stands for values of a composite type where they are told apart; `None` for other types, and
    /// where PostgreSQL compares a field in a way that is not known here.
    pub(super) fn record_key(&self, ty: &Type) -> Option<impl Fn(&str) -> String + use<>> {
        let composite = self.composite(ty).filter(Composite::is_comparable)?;
        let description = literal(&composite.description());
        Some(move |sql: &str| format!("ts_record_key({sql}, {description})"))
    }
}

/// The fields of `row(…)` or `(…, …)`.
fn row(expr: &Expr) -> Option<Vec<&Expr>> {
    match expr {
        Expr::Nested(inner) => row(inner),
        Expr::Tuple(items) => Some(items.iter().collect()),
        Expr::Function(Function { name, args: FunctionArguments::List(list), .. })
            if parts(name).as_slice() == ["row"] =>
        {
            list.args.iter().map(item).collect()
        }
        _ => None,
    }
}

fn item(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(item)) => Some(item),
        _ => None,
    }
}
