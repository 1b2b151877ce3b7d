//! Functions: who asks, when, and a few of values.

use std::time::{SystemTime, UNIX_EPOCH};

use mongodb::bson::Bson;
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value as Literal};
use truststream_kernel::value::jsonb;
use truststream_kernel::{Result, Type, Value};
use truststream_sql::schema::table_name;
use uuid::Uuid;

use super::value::{Family, family};
use super::{Translator, call, unsupported};
use crate::term::{Term, Want, constant, constant_of};

impl Translator<'_, '_> {
    pub(super) fn function(&mut self, function: &Function, hint: Option<&Type>) -> Result<Term> {
        let own = table_name(&function.name);
        if self.planner.schema.catalog.functions.iter().any(|one| one.name == own) {
            return self.routine(&own, &arguments(function)?, &function.to_string());
        }
        let name = function.name.to_string().to_lowercase().replace('"', "");
        let name = name.strip_prefix("pg_catalog.").or(name.strip_prefix("extensions.")).unwrap_or(&name);
        let arguments = arguments(function)?;
        match (name, arguments.as_slice()) {
            ("auth.uid", []) => {
                let subject = self.planner.cx.identity().and_then(|identity| identity.subject());
                match subject {
                    Some(subject) => Term::value(&Value::parse(&Type::Uuid, subject)?, &Type::Uuid),
                    None => Term::value(&Value::Null, &Type::Uuid),
                }
            }
            ("auth.role", []) => self.claim("role"),
            ("auth.email", []) => self.claim("email"),
            ("auth.jwt", []) => self.claims(&Type::Jsonb),
            ("current_setting", [setting, ..]) => self.setting(setting),
            ("now" | "transaction_timestamp" | "statement_timestamp" | "clock_timestamp", []) => {
                Ok(Term::new(constant(now()), Type::Timestamptz))
            }
            ("current_timestamp", _)
            | ("current_date" | "current_user" | "current_role" | "session_user", []) => self.keyword(name),
            ("gen_random_uuid" | "uuid_generate_v4", []) => {
                Term::value(&Value::Uuid(Uuid::new_v4()), &Type::Uuid)
            }
            ("coalesce", [first, rest @ ..]) => {
                let first = self.value(first, hint)?;
                let mut all = vec![first.expr];
                for one in rest {
                    let term = self.value(one, Some(&first.ty))?;
                    if family(&term.ty) != family(&first.ty) {
                        return Err(unsupported("coalesce of two types", function));
                    }
                    all.push(term.expr);
                }
                if family(&first.ty) == Family::Json {
                    return Err(unsupported("coalesce of JSON", function));
                }
                Ok(Term::new(call("$ifNull", all), first.ty))
            }
            ("length" | "char_length" | "character_length", [text]) => {
                let text = self.text(text)?;
                let length = call("$strLenCP", text.expr.clone());
                Ok(Term::new(call("$cond", vec![text.is_null(Want::True), Bson::Null, length]), Type::Int4))
            }
            ("upper" | "lower", [text]) => {
                let term = self.text(text)?;
                let known = constant_of(&term.expr).and_then(Bson::as_str);
                match (known, name) {
                    (Some(text), "upper") => Term::value(&Value::Text(text.to_uppercase()), &Type::Text),
                    (Some(text), _) => Term::value(&Value::Text(text.to_lowercase()), &Type::Text),
                    // The engine knows of ASCII only.
                    (None, _) => Ok(Term::new(super::letters::cased(&term, name == "upper"), Type::Text)),
                }
            }
            ("storage.foldername", [path]) => self.folders(path),
            ("storage.filename", [path]) => self.file_name(path),
            ("btrim", [text]) => self.trimmed(text),
            ("abs", [number]) => {
                let number = self.value(number, None)?;
                if family(&number.ty) != Family::Number {
                    return Err(unsupported("abs of what is no number", function));
                }
                Ok(Term::new(call("$abs", number.expr), number.ty))
            }
            ("cardinality", [array]) => {
                let array = self.value(array, None)?;
                let size = call("$size", call("$ifNull", vec![array.expr.clone(), Bson::Array(Vec::new())]));
                Ok(Term::new(call("$cond", vec![array.is_null(Want::True), Bson::Null, size]), Type::Int4))
            }
            _ => Err(unsupported("this function", function)),
        }
    }

    pub(super) fn text(&mut self, expr: &Expr) -> Result<Term> {
        let term = self.value(expr, Some(&Type::Text))?;
        match family(&term.ty) {
            Family::Text => Ok(term),
            _ => Err(unsupported("a function of text on what is none", expr)),
        }
    }

    /// Words that are functions without parentheses.
    pub(super) fn keyword(&self, word: &str) -> Result<Term> {
        match word.to_lowercase().as_str() {
            "current_timestamp" => Ok(Term::new(constant(now()), Type::Timestamptz)),
            "current_date" => Ok(Term::new(constant(now().div_euclid(86_400_000_000)), Type::Date)),
            _ => {
                let role = self.planner.cx.identity().map_or("postgres", |identity| &identity.role);
                Ok(Term::new(constant(role), Type::Text))
            }
        }
    }

    fn claim(&self, name: &str) -> Result<Term> {
        let claim = self.planner.cx.identity().and_then(|identity| identity.claims.get(name));
        let text = match claim {
            None | Some(serde_json::Value::Null) => Value::Null,
            Some(serde_json::Value::String(text)) => Value::Text(text.clone()),
            Some(other) => Value::Text(other.to_string()),
        };
        Term::value(&text, &Type::Text)
    }

    fn claims(&self, ty: &Type) -> Result<Term> {
        match self.planner.cx.identity() {
            None => Term::value(&Value::Null, ty),
            Some(identity) if *ty == Type::Jsonb => {
                Term::value(&Value::Json(jsonb::normalize(&identity.claims_text)?), ty)
            }
            Some(identity) => Term::value(&Value::Text(identity.claims_text.clone()), ty),
        }
    }

    fn setting(&self, name: &Expr) -> Result<Term> {
        let Expr::Value(value) = name else { return Err(unsupported("this setting", name)) };
        let Literal::SingleQuotedString(setting) = &value.value else {
            return Err(unsupported("this setting", name));
        };
        match setting.as_str() {
            "request.jwt.claims" => self.claims(&Type::Text),
            "role" => self.keyword("current_role"),
            other => match other.strip_prefix("request.jwt.claim.") {
                Some(claim) => self.claim(claim),
                None => Err(unsupported("this setting", name)),
            },
        }
    }
}

fn arguments(function: &Function) -> Result<Vec<Expr>> {
    let refused = || unsupported("these arguments", function);
    if function.filter.is_some() || function.over.is_some() {
        return Err(refused());
    }
    match &function.args {
        FunctionArguments::None => Ok(Vec::new()),
        FunctionArguments::Subquery(_) => Err(refused()),
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
                _ => Err(refused()),
            })
            .collect(),
    }
}

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
