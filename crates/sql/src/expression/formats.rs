//! Values made into texts by templates, texts read by them, and digests.

use truststream_kernel::Type;

use super::cast::{is_integer, is_text};
use super::translate::Translator;
use super::{Term, Unsupported};
use crate::quote::literal;

impl Translator<'_> {
    /// `to_char` and what reads such texts, `format`, `concat_ws`, `quote_nullable`, digests.
    pub(super) fn of_format(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        let text = |term: &Term| Ok(self.printed(term)?.sql);
        let texts = |terms: &[Term]| terms.iter().map(text).collect::<Result<Vec<_>, Unsupported>>();
        let of_text = |sql: String| Ok(Some(Term::new(sql, Type::Text)));
        match (name, arguments) {
            ("to_char", [value, template]) => {
                let template = self.coerced(template.clone(), &Type::Text)?.sql;
                match value.known() {
                    Some(Type::Timestamptz | Type::Timestamp | Type::Date) => {
                        let moment = self.shown_by_clocks(value)?;
                        of_text(format!("ts_moment_to_char({moment}, {template})"))
                    }
                    Some(ty) if is_integer(ty) || *ty == Type::Float8 || matches!(ty, Type::Numeric(_)) => {
                        of_text(format!("ts_number_to_char({}, {template})", value.sql))
                    }
                    _ => Ok(None),
                }
            }
            ("to_date" | "to_timestamp", [given, template]) => {
                let given = self.coerced(given.clone(), &Type::Text)?.sql;
                let template = self.coerced(template.clone(), &Type::Text)?.sql;
                let moment = Term::new(format!("ts_{name}({given}, {template})"), Type::Timestamp);
                let ty = if name == "to_date" { Type::Date } else { Type::Timestamptz };
                self.cast_to(moment, &ty).map(Some)
            }
            ("format", [_, ..]) => of_text(format!("ts_format({})", texts(arguments)?.join(", "))),
            ("concat_ws", [_, _, ..]) => of_text(format!("concat_ws({})", texts(arguments)?.join(", "))),
            ("quote_nullable", [_]) => {
                of_text(format!("ts_quote_nullable({})", texts(arguments)?.join(", ")))
            }
            ("md5", [data]) => {
                let Some(data) = self.digested(data)? else { return Ok(None) };
                of_text(format!("lower(hex(ts_digest({}, 'md5')))", data.sql))
            }
            ("sha224" | "sha256" | "sha384" | "sha512", [data]) => {
                let data = self.coerced(data.clone(), &Type::Bytes)?;
                Ok(Some(Term::new(format!("ts_digest({}, {})", data.sql, literal(name)), Type::Bytes)))
            }
            ("digest", [data, algorithm]) => {
                let Some(data) = self.digested(data)? else { return Ok(None) };
                let algorithm = self.coerced(algorithm.clone(), &Type::Text)?;
                Ok(Some(Term::new(format!("ts_digest({}, {})", data.sql, algorithm.sql), Type::Bytes)))
            }
            _ => Ok(None),
        }
    }

    /// What a digest can be made of: a text or bytes.
    fn digested(&self, data: &Term) -> Result<Option<Term>, Unsupported> {
        match data.known() {
            Some(Type::Bytes) => Ok(Some(data.clone())),
            Some(ty) if !is_text(ty) => Ok(None),
            _ => self.coerced(data.clone(), &Type::Text).map(Some),
        }
    }
}
