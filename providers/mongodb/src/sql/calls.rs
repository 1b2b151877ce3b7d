//! Functions: who asks, when, and a few of values.

use mongodb::bson::Bson;
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};
use truststream_kernel::value::range::element;
use truststream_kernel::value::{letters, zone};
use truststream_kernel::{Result, Type, Value};
use uuid::Uuid;

use super::value::{Family, family, untyped};
use super::{Translator, call, unsupported};
use crate::clock;
use crate::storage;
use crate::term::{Term, Want, constant, constant_of};

impl Translator<'_, '_> {
    pub(super) fn function(&mut self, function: &Function, hint: Option<&Type>) -> Result<Term> {
        let own = self.function_named(&function.name);
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
            ("current_setting", [setting]) => self.setting(setting, None),
            ("current_setting", [setting, missing]) => self.setting(setting, Some(missing)),
            ("nullif", [left, right]) => self.null_if(left, right),
            ("now" | "transaction_timestamp" | "statement_timestamp", []) => {
                Ok(Term::new(constant(clock::began()), Type::Timestamptz))
            }
            ("clock_timestamp", []) => Ok(Term::new(constant(clock::now()), Type::Timestamptz)),
            ("current_timestamp", _)
            | ("current_date" | "current_user" | "current_role" | "session_user", []) => self.keyword(name),
            ("timezone", [zone, moment]) => self.at_time_zone(moment, zone),
            ("gen_random_uuid" | "uuid_generate_v4", []) => {
                Term::value(&Value::Uuid(Uuid::new_v4()), &Type::Uuid)
            }
            ("coalesce", [first, rest @ ..]) => {
                let first = self.value(first, hint)?;
                if family(&first.ty) == Family::Json {
                    return self.first_json(first, rest, &function.to_string());
                }
                let mut all = vec![first.expr];
                for one in rest {
                    let term = self.value(one, Some(&first.ty))?;
                    if family(&term.ty) != family(&first.ty) {
                        return Err(unsupported("coalesce of two types", function));
                    }
                    all.push(term.expr);
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
                    (Some(text), "upper") => Term::value(&Value::Text(letters::to_upper(text)), &Type::Text),
                    (Some(text), _) => Term::value(&Value::Text(letters::to_lower(text)), &Type::Text),
                    // The engine knows of ASCII only.
                    (None, _) => Ok(Term::new(super::letters::cased(&term, name == "upper"), Type::Text)),
                }
            }
            ("storage.foldername", [path]) => self.folders(path),
            ("storage.filename", [path]) => self.file_name(path),
            ("string_to_array", [text, by]) => self.split(text, by),
            ("btrim", [text]) => self.trimmed(text),
            ("int4range" | "int8range" | "numrange" | "tstzrange" | "tsrange" | "daterange", [low, high]) => {
                self.range_of(name, [low, high])
            }
            ("concat", parts) => self.concat(parts),
            ("replace", [text, from, to]) => self.replaced(text, from, to),
            ("left", [text, wanted]) => self.end_of(text, wanted, true),
            ("right", [text, wanted]) => self.end_of(text, wanted, false),
            ("format", [template, given @ ..]) => self.formatted(template, given),
            ("pg_typeof", [of]) if untyped(of) => Term::value(&Value::Text("unknown".into()), &Type::Text),
            ("pg_typeof", [of]) => {
                let named = name_of_type(&self.value(of, None)?.ty)
                    .ok_or_else(|| unsupported("the name of this type", function))?;
                Term::value(&Value::Text(named), &Type::Text)
            }
            ("abs", [number]) => {
                let number = self.value(number, None)?;
                if family(&number.ty) != Family::Number {
                    return Err(unsupported("abs of what is no number", function));
                }
                Ok(Term::new(call("$abs", number.expr), number.ty))
            }
            ("round", [number]) => self.rounding(number, None),
            ("round", [number, digits]) => self.rounding(number, Some(digits)),
            ("cardinality", [array]) => {
                let array = self.value(array, None)?;
                let size = call("$size", call("$ifNull", vec![array.expr.clone(), Bson::Array(Vec::new())]));
                Ok(Term::new(call("$cond", vec![array.is_null(Want::True), Bson::Null, size]), Type::Int4))
            }
            _ => self.document(name, &arguments)?.ok_or_else(|| unsupported("this function", function)),
        }
    }

    pub(super) fn text(&mut self, expr: &Expr) -> Result<Term> {
        let term = self.value(expr, Some(&Type::Text))?;
        match family(&term.ty) {
            Family::Text => Ok(term),
            _ => Err(unsupported("a function of text on what is none", expr)),
        }
    }

    /// A range from its lower bound up to its upper one.
    fn range_of(&mut self, name: &str, bounds: [&Expr; 2]) -> Result<Term> {
        let ty = Type::parse(name);
        let of = element(&ty).ok_or_else(|| unsupported("this range", name))?;
        let mut texts = Vec::new();
        for bound in bounds {
            let term = self.value(bound, Some(&of))?;
            let term = self.assigned(term, &of)?;
            if term.is_unknown() {
                return Ok(Term::unknown(ty));
            }
            let known = constant_of(&term.expr).ok_or_else(|| unsupported("a range of columns", bound))?;
            let text = storage::value(known, &of)?.to_text_as(&of);
            texts.push(text.map(|text| format!("\"{text}\"")).unwrap_or_default());
        }
        Term::literal(&self.planner.schema.catalog, &format!("[{},{})", texts[0], texts[1]), &ty)
    }

    /// Words that are functions without parentheses.
    pub(super) fn keyword(&self, word: &str) -> Result<Term> {
        match word.to_lowercase().as_str() {
            "current_timestamp" => Ok(Term::new(constant(clock::began()), Type::Timestamptz)),
            "current_date" => {
                Ok(Term::new(constant(zone::local(clock::began()).div_euclid(86_400_000_000)), Type::Date))
            }
            _ => {
                let role = self.planner.cx.identity().map_or("postgres", |identity| &identity.role);
                Ok(Term::new(constant(role), Type::Text))
            }
        }
    }
}

pub(super) fn arguments(function: &Function) -> Result<Vec<Expr>> {
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

/// What PostgreSQL calls a type whatever it is bound to; none for those of a schema, which it may leave out.
fn name_of_type(ty: &Type) -> Option<String> {
    match ty {
        Type::Numeric(_) => Some(Type::Numeric(None).sql_name()),
        Type::Varchar(_) => Some(Type::Varchar(None).sql_name()),
        Type::Char(_) => Some("character".to_owned()),
        Type::Array(element) => name_of_type(element).map(|element| format!("{element}[]")),
        Type::Enum(_) => None,
        other => Some(other.sql_name()),
    }
}
