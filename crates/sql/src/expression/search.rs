//! Full-text search in expressions: `to_tsvector`, the makers of queries, `@@`.

use sqlparser::ast::Expr;
use truststream_kernel::Type;

use super::cast::is_text;
use super::translate::Translator;
use super::{Term, TermType, Unsupported};

/// The makers of queries, which take an optional configuration and a text.
const QUERIES: &[&str] = &["to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery"];

pub(super) fn vector() -> Type {
    Type::Other("tsvector".into())
}

pub(super) fn query() -> Type {
    Type::Other("tsquery".into())
}

impl Translator<'_> {
    /// A function of full-text search; `None` if it is none.
    pub(super) fn of_search(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        let maker = QUERIES.contains(&name);
        if !maker && name != "to_tsvector" {
            return Ok(None);
        }
        let (configuration, subject) = match arguments {
            [subject] => ("NULL".to_owned(), subject),
            [configuration, subject] => (self.coerced(configuration.clone(), &Type::Text)?.sql, subject),
            _ => return Ok(None),
        };
        let json = matches!(subject.known(), Some(Type::Json | Type::Jsonb));
        let subject = if json { subject.clone() } else { self.coerced(subject.clone(), &Type::Text)? };
        Ok(Some(match (maker, json) {
            (true, _) => Term::new(format!("ts_{name}({configuration}, {})", subject.sql), query()),
            (false, true) => {
                Term::new(format!("ts_json_to_tsvector({configuration}, {})", subject.sql), vector())
            }
            (false, false) => {
                Term::new(format!("ts_to_tsvector({configuration}, {})", subject.sql), vector())
            }
        }))
    }

    /// `document @@ query`, either way round.
    pub(super) fn search(&mut self, left: &Expr, right: &Expr) -> Result<Term, Unsupported> {
        let (mut document, mut asked) = (self.expr(left)?, self.expr(right)?);
        if document.known() == Some(&query()) {
            std::mem::swap(&mut document, &mut asked);
        }
        let is_plain = |term: &Term| match &term.ty {
            TermType::Known(ty) => is_text(ty),
            TermType::Literal(_) | TermType::Null => true,
        };
        if is_plain(&document) {
            document = Term::new(format!("ts_to_tsvector(NULL, {})", document.sql), vector());
        }
        if is_plain(&asked) {
            asked = Term::new(format!("ts_plainto_tsquery(NULL, {})", asked.sql), query());
        }
        if document.known() != Some(&vector()) || asked.known() != Some(&query()) {
            return Err(Unsupported::new(format!("{left} @@ {right}"), "this operator"));
        }
        Ok(Term::new(format!("ts_text_match({}, {})", document.sql, asked.sql), Type::Bool))
    }
}
