//! Whether policies keep everybody to the rows of one tenant, that of a claim.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem, SetExpr,
    Value,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;
use truststream_services::database::{Policy, PolicyCommand, Table, TableName, is_above_policies};

/// Types that a tenant's value may be cast to without becoming another one.
const CASTS: [&str; 9] =
    ["text", "uuid", "bigint", "integer", "int", "int8", "int4", "smallint", "character varying"];

/// Whether the policies of a table let nobody under them at rows whose column is not the claim at a
/// path, such as `app_metadata.org_id`.
pub(super) fn is_pinned(name: &TableName, table: &Table, column: &str, claim: &str) -> bool {
    let pins = |text: &Option<String>| {
        text.as_deref().is_some_and(|text| Pin { table: name, column, claim }.is_in(text))
    };
    let concerns = |policy: &&Policy| {
        policy.roles.is_empty() || policy.roles.iter().any(|role| !is_above_policies(role))
    };
    let keeps = |policy: &Policy| {
        let new = || pins(if policy.check.is_some() { &policy.check } else { &policy.using });
        match policy.command {
            PolicyCommand::Select | PolicyCommand::Delete => pins(&policy.using),
            PolicyCommand::Insert => pins(&policy.check),
            PolicyCommand::Update | PolicyCommand::All => pins(&policy.using) && new(),
        }
    };
    let is_public =
        |policy: &Policy| policy.roles.is_empty() || policy.roles.iter().any(|role| role == "public");
    let of_everybody =
        |policy: &&Policy| !policy.permissive && is_public(policy) && policy.command == PolicyCommand::All;
    let all = || table.policies.iter();
    let restricted = all().filter(of_everybody).any(keeps);
    table.row_security && (restricted || all().filter(|policy| policy.permissive).filter(concerns).all(keeps))
}

struct Pin<'p> {
    table: &'p TableName,
    column: &'p str,
    claim: &'p str,
}

impl Pin<'_> {
    /// Whether a condition holds only where the column is the claim. What is not understood may hold
    /// anywhere.
    fn is_in(&self, text: &str) -> bool {
        parse(text).is_some_and(|condition| self.holds(&condition))
    }

    fn holds(&self, condition: &Expr) -> bool {
        match condition {
            Expr::Nested(inner) => self.holds(inner),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => self.holds(left) || self.holds(right),
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                (self.is_column(left) && self.is_claim(right))
                    || (self.is_column(right) && self.is_claim(left))
            }
            _ => false,
        }
    }

    fn is_column(&self, expr: &Expr) -> bool {
        match bare(expr) {
            Expr::Identifier(name) => name.value == self.column,
            Expr::CompoundIdentifier(names) => {
                let mut names = names.iter().rev().map(|name| name.value.as_str());
                names.next() == Some(self.column)
                    && names.next() == Some(&self.table.name)
                    && names.next().is_none_or(|schema| schema == self.table.schema)
            }
            _ => false,
        }
    }

    fn is_claim(&self, expr: &Expr) -> bool {
        path(bare(expr), BinaryOperator::LongArrow).is_some_and(|path| path.join(".") == self.claim)
    }
}

/// The path into the claims that an expression takes, the last step as a text.
fn path(expr: &Expr, step: BinaryOperator) -> Option<Vec<String>> {
    match expr {
        Expr::Function(function) if named(function, "auth.uid") && step == BinaryOperator::LongArrow => {
            Some(vec!["sub".to_owned()])
        }
        Expr::BinaryOp { left, op, right } if *op == step => {
            let left = bare(left);
            let mut path = if is_claims(left) { Vec::new() } else { path(left, BinaryOperator::Arrow)? };
            path.push(literal(bare(right))?);
            Some(path)
        }
        _ => None,
    }
}

/// `auth.jwt()`, or the setting that it reads.
fn is_claims(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    if named(function, "auth.jwt") {
        return true;
    }
    let FunctionArguments::List(list) = &function.args else { return false };
    let first = list.args.first().and_then(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    let Some(first) = first else { return false };
    match function.name.to_string().to_lowercase().as_str() {
        "current_setting" => literal(bare(first)).as_deref() == Some("request.jwt.claims"),
        "nullif" => is_claims(bare(first)),
        _ => false,
    }
}

fn named(function: &Function, name: &str) -> bool {
    function.name.to_string().to_lowercase() == name
}

fn literal(expr: &Expr) -> Option<String> {
    let Expr::Value(value) = expr else { return None };
    match &value.value {
        Value::SingleQuotedString(text) => Some(text.clone()),
        _ => None,
    }
}

/// Without parentheses, casts that keep a value what it is, and `(select …)` of one value.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        Expr::Cast { expr: inner, data_type, .. } => {
            let ty = data_type.to_string().to_lowercase();
            let is_kept = CASTS.contains(&ty.as_str()) || ["json", "jsonb"].contains(&ty.as_str());
            if is_kept { bare(inner) } else { expr }
        }
        Expr::Subquery(query) => {
            let SetExpr::Select(select) = query.body.as_ref() else { return expr };
            let is_plain = select.from.is_empty() && select.selection.is_none() && query.with.is_none();
            match &select.projection[..] {
                [SelectItem::UnnamedExpr(inner) | SelectItem::ExprWithAlias { expr: inner, .. }]
                    if is_plain =>
                {
                    bare(inner)
                }
                _ => expr,
            }
        }
        _ => expr,
    }
}

fn parse(text: &str) -> Option<Expr> {
    let mut parser = Parser::new(&PostgreSqlDialect {}).with_recursion_limit(128).try_with_sql(text).ok()?;
    let expr = parser.parse_expr().ok()?;
    (parser.peek_token().token == Token::EOF).then_some(expr)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(claim: &str, text: &str) -> bool {
        Pin { table: &TableName::public("notes"), column: "org_id", claim }.is_in(text)
    }

    #[test]
    fn a_condition_is_understood_in_the_forms_that_it_is_kept_in() {
        for text in [
            "org_id = (auth.jwt() -> 'app_metadata' ->> 'org_id')",
            "((org_id)::text = ((auth.jwt() -> 'app_metadata'::text) ->> 'org_id'::text))",
            "done = false and (select auth.jwt() -> 'app_metadata' ->> 'org_id')::uuid = notes.org_id",
            "(org_id = ( SELECT ((auth.jwt() -> 'app_metadata'::text) ->> 'org_id'::text) AS org))",
            "org_id = current_setting('request.jwt.claims', true)::json -> 'app_metadata' ->> 'org_id'",
        ] {
            assert!(pins("app_metadata.org_id", text), "{text}");
        }
        assert!(pins("org", "org_id = auth.jwt() ->> 'org'"));
        assert!(pins("sub", "auth.uid() = org_id"));
    }

    #[test]
    fn what_may_hold_for_other_rows_pins_nothing() {
        for text in [
            "true",
            "org_id = auth.jwt() ->> 'org' or public",
            "not (org_id = auth.jwt() ->> 'org')",
            "org_id <> auth.jwt() ->> 'org'",
            "org_id = auth.jwt() ->> 'other'",
            "org_id = auth.jwt() -> 'org'",
            "other.org_id = auth.jwt() ->> 'org'",
            "org_id = any (array[auth.jwt() ->> 'org'])",
            "org_id::varchar(2) = auth.jwt() ->> 'org'",
            "org_id = (select auth.jwt() ->> 'org' from orgs)",
            "org_id = coalesce(auth.jwt() ->> 'org', 'acme')",
            "org_id = auth.jwt() ->> 'org' ;",
            "org_id =",
        ] {
            assert!(!pins("org", text), "{text}");
        }
    }
}
