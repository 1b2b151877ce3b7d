//! What is known of the request and of who asks, and what functions set.

use mongodb::bson::Bson;
use sqlparser::ast::Expr;
use truststream_kernel::value::jsonb;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_sql::server;

use super::{Translator, unsupported};
use crate::term::{Term, constant_of};

impl Translator<'_, '_> {
    pub(super) fn claim(&self, name: &str) -> Result<Term> {
        let claim = self.planner.cx.identity().and_then(|identity| identity.claims.get(name));
        let text = match claim {
            None | Some(serde_json::Value::Null) => Value::Null,
            Some(serde_json::Value::String(text)) => Value::Text(text.clone()),
            Some(other) => Value::Text(other.to_string()),
        };
        Term::value(&text, &Type::Text)
    }

    pub(super) fn claims(&self, ty: &Type) -> Result<Term> {
        match self.planner.cx.identity() {
            None => Term::value(&Value::Null, ty),
            Some(identity) if *ty == Type::Jsonb => {
                Term::value(&Value::Json(jsonb::normalize(&identity.claims_text)?), ty)
            }
            Some(identity) => Term::value(&Value::Text(identity.claims_text.clone()), ty),
        }
    }

    /// `current_setting(name, missing_ok)`
    pub(super) fn setting(&mut self, name: &Expr, missing: Option<&Expr>) -> Result<Term> {
        let called = self.text(name)?;
        if called.is_unknown() {
            return Ok(called);
        }
        let Some(setting) = constant_of(&called.expr).and_then(Bson::as_str) else {
            return Err(unsupported("a setting that is not known beforehand", name));
        };
        match setting {
            "request.jwt.claims" => return self.claims(&Type::Text),
            "role" => return self.keyword("current_role"),
            _ => {}
        }
        if let Some(claim) = setting.strip_prefix("request.jwt.claim.") {
            return self.claim(claim);
        }
        let may_miss = match missing {
            Some(missing) => {
                constant_of(&self.value(missing, Some(&Type::Bool))?.expr) == Some(&Bson::Boolean(true))
            }
            None => false,
        };
        match self.known_setting(setting) {
            Some(text) => Term::value(&Value::Text(text), &Type::Text),
            None if may_miss || self.planner.trial => Term::value(&Value::Null, &Type::Text),
            None => {
                let message = format!("unrecognized configuration parameter \"{setting}\"");
                Err(Error::new(ErrorKind::NotFound, "42704", message))
            }
        }
    }

    fn known_setting(&self, name: &str) -> Option<String> {
        if let Some(text) = self.planner.settings.and_then(|settings| settings.get(name)) {
            return Some(text.clone());
        }
        if let Some((_, value)) = self.planner.cx.settings.iter().find(|(known, _)| *known == name) {
            return Some((*value).to_owned());
        }
        match (name, &self.planner.cx.request) {
            ("request.method", Some(facts)) => Some(facts.method().to_owned()),
            ("request.path", Some(facts)) => Some(facts.path().to_owned()),
            ("request.headers", Some(facts)) => Some(facts.headers()),
            ("request.cookies", Some(facts)) => Some(facts.cookies()),
            _ => server::setting(name, self.planner.cx.identity().is_none()),
        }
    }
}
