//! Values of domains, which meet the rules of theirs.

use sqlparser::ast::DataType;
use truststream_kernel::Type;
use truststream_services::database::{Check, Domain, TableName};

use super::names::Relation;
use super::translate::Translator;
use super::{Term, TermType, Unsupported, parse};
use crate::quote::literal;
use crate::schema::{breach, enum_name, enum_table, parts, table_name, with_column};

impl<'a> Translator<'a> {
    /// The domain that a type's name means here.
    pub(super) fn domain_meant(&self, data_type: &DataType) -> Option<(&'a TableName, &'a Domain)> {
        let DataType::Custom(name, arguments) = data_type else { return None };
        let domains = &self.scope.catalog.domains;
        if !arguments.is_empty() || domains.is_empty() {
            return None;
        }
        let of_path = match (&self.path, parts(name).as_slice()) {
            (Some(schema), [only]) => domains.get_key_value(&TableName::new(schema.as_str(), only.as_str())),
            _ => None,
        };
        of_path.or_else(|| domains.get_key_value(&table_name(name)))
    }

    /// The domain that a type is by the name that the catalog has of it.
    pub(super) fn domain_of(&self, type_name: &str) -> Option<(&'a TableName, &'a Domain)> {
        self.scope.catalog.domains.get_key_value(&enum_table(&type_name.replace('"', "")))
    }

    /// A value of a domain's base type as one of the domain: an error where it breaks a rule of it.
    pub(super) fn of_domain(
        &mut self,
        term: Term,
        (name, domain): (&TableName, &Domain),
    ) -> Result<Term, Unsupported> {
        let TermType::Known(ty) = term.ty.clone() else { return Ok(term) };
        let mut rules = Vec::new();
        self.rules(&mut rules, (name, domain), &ty)?;
        if rules.is_empty() {
            return Ok(term);
        }
        let rules: Vec<_> = rules
            .into_iter()
            .map(|(broken, code, message)| {
                format!("WHEN {broken} THEN ts_raise({}, {})", literal(code), literal(&message))
            })
            .collect();
        let sql = format!(
            "(SELECT CASE {} ELSE \"d\".\"value\" END FROM (SELECT {} AS \"value\") AS \"d\")",
            rules.join(" "),
            term.sql
        );
        if self.alone {
            return Err(Unsupported::new(
                name,
                "a cast to a domain with rules, where there are no sub-selects",
            ));
        }
        Ok(Term { sql, ty: term.ty })
    }

    /// When a value breaks the rules of a domain and of the one below it, each with the error.
    fn rules(
        &mut self,
        rules: &mut Vec<(String, &'static str, String)>,
        (name, domain): (&TableName, &Domain),
        ty: &Type,
    ) -> Result<(), Unsupported> {
        if let Some(below) = self.domain_of(&domain.base) {
            self.rules(rules, below, ty)?;
        }
        let shown = enum_name(name);
        if domain.not_null {
            let message = format!("domain {shown} does not allow null values");
            rules.push(("\"d\".\"value\" IS NULL".into(), "23502", message));
        }
        let mut checks: Vec<&Check> = domain.checks.iter().collect();
        checks.sort_by(|one, other| one.name.cmp(&other.name));
        for check in checks {
            let value = Relation::new("", vec![("value".to_owned(), ty.clone())]).aliased("d");
            let levels = std::mem::replace(&mut self.levels, vec![vec![value]]);
            let condition = parse(&with_column(&check.expression, "value"))
                .and_then(|condition| self.expr(&condition))
                .and_then(|term| self.coerced(term, &Type::Bool));
            self.levels = levels;
            let message = breach(name, &check.name);
            rules.push((format!("({}) IS 0", condition?.sql), "23514", message));
        }
        Ok(())
    }
}
