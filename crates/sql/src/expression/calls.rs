//! Functions: those of PostgreSQL, of Supabase's `auth` and `storage`, and of common extensions.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, TrimWhereField};
use truststream_kernel::Type;
use truststream_services::database::Function as Called;

use super::aggregates::is_aggregate;
use super::cast::is_text;
use super::signatures::TEXTS;
use super::translate::{Rights, Translator};
use super::{Term, TermType, Unsupported};
use crate::schema::ident;
use crate::server;

impl<'a> Translator<'a> {
    pub(super) fn call(&mut self, function: &Function) -> Result<Term, Unsupported> {
        let name = self.function_named(&function.name);
        let schema = (function.name.0.len() > 1).then_some(name.schema.as_str());
        if schema.is_none_or(|schema| schema == "pg_catalog") && is_aggregate(&name.name) {
            return self.aggregate(function, &name.name);
        }
        let plain = function.filter.is_none() && function.over.is_none() && function.within_group.is_empty();
        let arguments = match &function.args {
            FunctionArguments::None => &[],
            FunctionArguments::List(list)
                if plain && list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
            {
                list.args.as_slice()
            }
            _ => return Err(Unsupported::new(function, "these arguments")),
        };
        if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(row))] = arguments
            && let Some((called, row)) = self.row_function(&name, row)
        {
            return self.row_call(called, row);
        }
        let terms = self.given(arguments)?;
        let positional: Vec<Term> = terms.iter().map(|(_, term)| term.clone()).collect();
        let known = match schema {
            None | Some("pg_catalog") if name.name == "make_interval" => Some(self.make_interval(&terms)?),
            _ if terms.iter().any(|(name, _)| name.is_some()) => None,
            None | Some("pg_catalog") => self.built_in(&name.name, &positional)?,
            Some("auth") => of_auth(&name.name, &positional),
            Some("storage") => self.of_storage(&name.name, &positional)?,
            Some("extensions") => match of_extensions(&name.name, &positional) {
                Some(term) => Some(term),
                None => self.of_format(&name.name, &positional)?,
            },
            Some(_) => None,
        };
        match known {
            Some(term) => Ok(term),
            None => self.routine(&function.name, &terms, &function.to_string()),
        }
    }

    /// The function that a call of one of the catalog's means, and its arguments in the order of the
    /// parameters.
    pub(crate) fn chosen_call(
        &mut self,
        function: &Function,
    ) -> Result<(&'a Called, Vec<Term>), Unsupported> {
        let FunctionArguments::List(list) = &function.args else {
            return Err(Unsupported::new(function, "these arguments"));
        };
        let terms = self.given(&list.args)?;
        self.chosen(&self.function_named(&function.name), &terms, &function.to_string())
    }

    /// Arguments, with their names where they have some.
    fn given(&mut self, arguments: &[FunctionArg]) -> Result<Vec<(Option<String>, Term)>, Unsupported> {
        let mut terms = Vec::with_capacity(arguments.len());
        for argument in arguments {
            terms.push(match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => (None, self.argument(expr)?),
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. }
                | FunctionArg::ExprNamed {
                    name: Expr::Identifier(name),
                    arg: FunctionArgExpr::Expr(expr),
                    ..
                } => (Some(ident(name)), self.argument(expr)?),
                other => return Err(Unsupported::new(other, "this argument")),
            });
        }
        Ok(terms)
    }

    /// An argument: a value, or a whole row.
    fn argument(&mut self, expr: &Expr) -> Result<Term, Unsupported> {
        self.row(expr).map_or_else(|| self.expr(expr), Ok)
    }

    fn built_in(&mut self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        if self.rights == Rights::Owner && matches!(name, "current_user" | "current_role" | "user") {
            return Err(Unsupported::new(name, "the owner's name, in a \"security definer\" function"));
        }
        if let Some(term) = moment(name, arguments).or_else(|| of_extensions(name, arguments)) {
            return Ok(Some(term));
        }
        if let Some(term) = self.found_by(name, arguments)? {
            return Ok(Some(term));
        }
        if let Some(term) = self.of_text(name, arguments)? {
            return Ok(Some(term));
        }
        if let Some(term) = crate::sqlite::numbers::call(self.scope.catalog, name, arguments)? {
            return Ok(Some(term));
        }
        if let Some(term) = self.of_search(name, arguments)? {
            return Ok(Some(term));
        }
        match (name, arguments) {
            // What `raise` in a body becomes.
            ("ts_raise", [code, message]) => {
                let message = self.coerced(message.clone(), &Type::Text)?;
                Ok(Some(Term { sql: format!("ts_raise({}, {})", code.sql, message.sql), ty: TermType::Null }))
            }
            ("coalesce", terms) if !terms.is_empty() => self.coalesce(terms).map(Some),
            ("nullif", [left, right]) => {
                let same = self.comparison(left.clone(), "=", right.clone())?;
                let left = self.settled(left.clone())?;
                let sql = format!("CASE WHEN {} THEN NULL ELSE {} END", same.sql, left.sql);
                Ok(Some(Term { sql: format!("({sql})"), ty: left.ty }))
            }
            ("greatest", terms) if !terms.is_empty() => self.extreme(terms, ">").map(Some),
            ("least", terms) if !terms.is_empty() => self.extreme(terms, "<").map(Some),
            ("concat", terms) if !terms.is_empty() => {
                let terms = terms.iter().map(|term| Ok(self.printed(term)?.sql));
                let terms = terms.collect::<Result<Vec<_>, Unsupported>>()?;
                Ok(Some(Term::new(format!("concat({})", terms.join(", ")), Type::Text)))
            }
            ("current_setting", [setting]) => self.setting(setting, &Term::new("0", Type::Bool)).map(Some),
            ("current_setting", [setting, missing]) => self.setting(setting, missing).map(Some),
            ("set_config", [name, value, _]) => {
                let (name, value) = (self.as_text(name)?, self.as_text(value)?);
                Ok(Some(Term::new(format!("ts_set_setting({}, {})", name.sql, value.sql), Type::Text)))
            }
            ("timezone", [zone, moment]) => self.in_zone(zone, moment).map(Some),
            ("to_timestamp", [seconds]) => {
                let seconds = self.coerced(seconds.clone(), &Type::Float8)?;
                Ok(Some(Term::new(format!("ts_from_epoch({})", seconds.sql), Type::Timestamptz)))
            }
            ("to_jsonb" | "to_json" | "row_to_json", [term]) => self.to_json(name, term).map(Some),
            ("date_part" | "date_trunc", _) => self.of_moment(name, arguments),
            _ => self.of_library(name, arguments),
        }
    }

    /// Functions whose result's type follows from that of what they are given, by what they are about.
    fn of_library(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        type Group<'a> = fn(&Translator<'a>, &str, &[Term]) -> Result<Option<Term>, Unsupported>;
        let groups: [Group<'a>; 7] = [
            Translator::built,
            Translator::of_array,
            Translator::of_number,
            Translator::of_document,
            Translator::of_span,
            Translator::of_format,
            Translator::of_pattern,
        ];
        for group in groups {
            if let Some(term) = group(self, name, arguments)? {
                return Ok(Some(term));
            }
        }
        Ok(None)
    }

    fn of_text(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        let fits = |entry: &&(&str, &[Type], &str, Type)| entry.0 == name && entry.1.len() == arguments.len();
        let Some((_, parameters, function, result)) = TEXTS.iter().find(fits) else { return Ok(None) };
        let arguments = arguments.iter().zip(*parameters).map(|(term, ty)| {
            let padded = matches!(term.known(), Some(Type::Char(_))) && *ty == Type::Text;
            let term = if padded { self.cast_to(term.clone(), ty)? } else { self.coerced(term.clone(), ty)? };
            Ok(term.sql)
        });
        let arguments = arguments.collect::<Result<Vec<_>, Unsupported>>()?;
        Ok(Some(Term::new(format!("{function}({})", arguments.join(", ")), result.clone())))
    }

    fn of_storage(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        match (name, arguments) {
            ("foldername", [path]) => {
                let path = self.coerced(path.clone(), &Type::Text)?;
                let ty = Type::Array(Box::new(Type::Text));
                Ok(Some(Term::new(format!("ts_foldername({})", path.sql), ty)))
            }
            ("filename" | "extension", _) => self.of_text(name, arguments),
            _ => Ok(None),
        }
    }

    fn coalesce(&self, terms: &[Term]) -> Result<Term, Unsupported> {
        let (terms, ty) = self.unified_all(terms.to_vec())?;
        let mut terms: Vec<_> = terms.into_iter().map(|term| term.sql).collect();
        let sql = if terms.len() == 1 { terms.remove(0) } else { format!("coalesce({})", terms.join(", ")) };
        Ok(Term::new(sql, ty))
    }

    /// The greatest or least that is not null.
    fn extreme(&self, terms: &[Term], op: &str) -> Result<Term, Unsupported> {
        let (terms, _) = self.unified_all(terms.to_vec())?;
        let mut terms = terms.into_iter();
        let Some(mut best) = terms.next() else { return Ok(Term::null()) };
        for term in terms {
            let beats = self.comparison(best.clone(), op, term.clone())?;
            let (left, right) = (&best.sql, &term.sql);
            let sql = format!(
                "(CASE WHEN {left} IS NULL THEN {right} WHEN {right} IS NULL OR {} THEN {left} ELSE {right} END)",
                beats.sql
            );
            best = Term { sql, ty: best.ty };
        }
        Ok(best)
    }

    /// A value as it is printed, which of truth values is less than what a cast makes of them.
    pub(super) fn printed(&self, term: &Term) -> Result<Term, Unsupported> {
        match term.known() {
            Some(Type::Bool) => {
                let sql = format!("(CASE {} WHEN 1 THEN 't' WHEN 0 THEN 'f' END)", term.sql);
                Ok(Term::new(sql, Type::Text))
            }
            _ => self.as_text(term),
        }
    }

    pub(super) fn as_text(&self, term: &Term) -> Result<Term, Unsupported> {
        match &term.ty {
            TermType::Known(ty) if !is_text(ty) => self.cast_to(term.clone(), &Type::Text),
            _ => self.coerced(term.clone(), &Type::Text),
        }
    }

    /// A setting: the claims and facts of the request as PostgREST gives them, and what functions set.
    fn setting(&self, name: &Term, missing: &Term) -> Result<Term, Unsupported> {
        let TermType::Literal(text) = &name.ty else {
            let (name, missing) = (self.as_text(name)?, self.coerced(missing.clone(), &Type::Bool)?);
            return Ok(Term::new(format!("ts_setting({}, {})", name.sql, missing.sql), Type::Text));
        };
        if text == "request.jwt.claims" {
            return Ok(Term::new("ts_auth_jwt()", Type::Text));
        }
        let claim = text.strip_prefix("request.jwt.claim.").filter(|claim| !claim.contains(['\'', '.']));
        match claim {
            Some(claim) => Ok(Term::new(format!("ts_get(ts_auth_jwt(), '{claim}', 1)"), Type::Text)),
            None if text == "role" => Ok(Term::new("ts_current_user()", Type::Text)),
            // Those with a dot are for everybody to make.
            None if text.contains('.') || server::setting(text, false).is_some() => {
                let missing = self.coerced(missing.clone(), &Type::Bool)?;
                Ok(Term::new(format!("ts_setting({}, {})", name.sql, missing.sql), Type::Text))
            }
            None => Err(Unsupported::new(&name.sql, "a setting that only PostgreSQL has")),
        }
    }

    /// `trim(both from x)`, `substring(x from 1 for 2)`, `position(x in y)`.
    pub(super) fn worded_call(&mut self, expr: &Expr) -> Result<Term, Unsupported> {
        let (name, parts): (&str, Vec<&Expr>) = match expr {
            Expr::Trim { trim_where, trim_what, expr: text, trim_characters: None } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    _ => "btrim",
                };
                (name, std::iter::once(text.as_ref()).chain(trim_what.as_deref()).collect())
            }
            Expr::Trim { trim_characters: Some(characters), expr: text, .. } => {
                ("btrim", std::iter::once(text.as_ref()).chain(characters).collect())
            }
            Expr::Substring { expr: text, substring_from: Some(from), substring_for, .. } => {
                let length = substring_for.as_deref();
                ("substring", [text.as_ref(), from.as_ref()].into_iter().chain(length).collect())
            }
            Expr::Overlay { expr: text, overlay_what, overlay_from, overlay_for } => {
                let parts = [text.as_ref(), overlay_what.as_ref(), overlay_from.as_ref()];
                ("overlay", parts.into_iter().chain(overlay_for.as_deref()).collect())
            }
            Expr::Position { expr: part, r#in: whole } => ("strpos", vec![whole.as_ref(), part.as_ref()]),
            other => return Err(Unsupported::new(other, "this form of the function")),
        };
        let terms = parts.into_iter().map(|part| self.expr(part)).collect::<Result<Vec<_>, _>>()?;
        let found = match self.found_by(name, &terms)? {
            None => self.of_text(name, &terms)?,
            found => found,
        };
        found.ok_or_else(|| Unsupported::new(expr, "this form of the function"))
    }
}

/// Who and when.
fn moment(name: &str, arguments: &[Term]) -> Option<Term> {
    if !arguments.is_empty() {
        return None;
    }
    Some(match name {
        "now" | "current_timestamp" | "transaction_timestamp" | "statement_timestamp" | "clock_timestamp" => {
            Term::new("ts_now()", Type::Timestamptz)
        }
        "localtimestamp" => Term::new("ts_local(ts_now())", Type::Timestamp),
        "current_date" => Term::new("ts_date(ts_local(ts_now()))", Type::Date),
        "current_user" | "current_role" | "user" => Term::new("ts_current_user()", Type::Text),
        _ => return None,
    })
}

fn of_extensions(name: &str, arguments: &[Term]) -> Option<Term> {
    let random = matches!(name, "gen_random_uuid" | "uuid_generate_v4") && arguments.is_empty();
    random.then(|| Term::new("ts_uuid()", Type::Uuid))
}

fn of_auth(name: &str, arguments: &[Term]) -> Option<Term> {
    if !arguments.is_empty() {
        return None;
    }
    Some(match name {
        "uid" => Term::new("ts_auth_uid()", Type::Uuid),
        "role" => Term::new("ts_auth_role()", Type::Text),
        "email" => Term::new("ts_auth_email()", Type::Text),
        "jwt" => Term::new("ts_auth_jwt()", Type::Jsonb),
        _ => return None,
    })
}
