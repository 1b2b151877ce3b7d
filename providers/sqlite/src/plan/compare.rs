//! Operators, by the type of what they compare.

use truststream_kernel::value::range;
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Is, Operator, errors};
use truststream_sql::expression::is_caseless;
use truststream_sql::quote::literal;

use super::field::{plain, without_blanks};
use super::represented::Compared;
use super::{Planner, Scope};
use crate::collation;

impl Planner<'_> {
    /// A term compared with a literal.
    ///
    /// # Errors
    /// 42883 for an operator that the type has not, those of wrong literals.
    pub(super) fn compare(
        &mut self,
        scope: &Scope,
        term: &Compared<'_>,
        operator: &Operator,
        text: &str,
    ) -> Result<String> {
        if self.schema.composite(&term.ty).is_some() {
            return Err(anonymous(operator, term));
        }
        match operator {
            Operator::Eq | Operator::Neq | Operator::IsDistinct => self.equality(term, operator, text),
            Operator::Gt => self.ordered(term, ">", text),
            Operator::Gte => self.ordered(term, ">=", text),
            Operator::Lt => self.ordered(term, "<", text),
            Operator::Lte => self.ordered(term, "<=", text),
            Operator::Like => self.pattern(term, ("ts_like", "~~"), text),
            Operator::Ilike => self.pattern(term, ("ts_ilike", "~~*"), text),
            Operator::Match => self.pattern(term, ("ts_match", "~"), text),
            Operator::Imatch => self.pattern(term, ("ts_imatch", "~*"), text),
            Operator::In => self.list(term, std::slice::from_ref(&text.to_owned())),
            Operator::Is => Err(Error::invalid_input("is takes null, true, false or unknown")),
            Operator::FullText(parser, configuration) => {
                self.full_text(scope, term, (*parser, configuration.as_deref()), text)
            }
            _ => self.sets(term, operator, text),
        }
    }

    /// `in (…)`
    pub(super) fn list(&mut self, term: &Compared<'_>, literals: &[String]) -> Result<String> {
        match &term.ty {
            Type::Json => return Err(no_operator("=", term)),
            // A list is an array, and there are no arrays of arrays.
            Type::Array(_) => {
                let message = format!("could not find array type for data type {}", term.ty);
                return Err(Error::new(ErrorKind::InvalidInput, "42704", message));
            }
            _ => {}
        }
        if self.schema.composite(&term.ty).is_some() {
            return Err(anonymous(&Operator::In, term));
        }
        let bound =
            literals.iter().map(|text| self.operand(term, text)).collect::<Result<Vec<_>>>()?.join(", ");
        Ok(format!("{}{} IN ({bound})", plain(term), collation::sql(&term.ty)))
    }

    /// A literal to compare with: of the type without its bounds, for a comparison rounds nothing.
    fn operand(&mut self, term: &Compared<'_>, text: &str) -> Result<String> {
        let literal = match self.read_literal(term, text)? {
            Some(read) => read,
            None => self.literal(&unbounded(&term.ty), text)?,
        };
        Ok(if matches!(term.ty, Type::Char(_)) { without_blanks(&literal) } else { literal })
    }

    fn equality(&mut self, term: &Compared<'_>, operator: &Operator, text: &str) -> Result<String> {
        let sign = match operator {
            Operator::Eq => "=",
            Operator::Neq => "<>",
            _ => "IS NOT",
        };
        if term.ty == Type::Json {
            return Err(no_operator(if sign == "<>" { "<>" } else { "=" }, term));
        }
        let literal = self.operand(term, text)?;
        Ok(format!("{} {sign} {literal}{}", plain(term), collation::sql(&term.ty)))
    }

    fn ordered(&mut self, term: &Compared<'_>, sign: &str, text: &str) -> Result<String> {
        if term.ty == Type::Json {
            return Err(no_operator(sign, term));
        }
        let left = self.comparable(term);
        let literal = self.operand(term, text)?;
        let right = self.ranked(&literal, &term.ty).unwrap_or(literal);
        Ok(format!("{left} {sign} {right}"))
    }

    fn pattern(&mut self, term: &Compared<'_>, (function, sign): (&str, &str), text: &str) -> Result<String> {
        let is_text = match &term.ty {
            Type::Text | Type::Varchar(_) | Type::Char(_) => true,
            Type::Other(name) => {
                range::element(&term.ty).is_none() && !is_text_search(&term.ty) && name != "money"
            }
            _ => false,
        };
        if term.ty == Type::Bytes && sign == "~~" {
            return Err(Error::unsupported("this database has no patterns of bytes"));
        }
        if !is_text {
            return Err(no_operator(sign, term));
        }
        let read = if term.is_read_for(sign) { self.read_literal(term, text)? } else { None };
        let literal = read.map_or_else(|| self.literal(&Type::Text, text), Ok)?;
        let function = match function {
            "ts_like" if is_caseless(&term.ty) => "ts_ilike",
            "ts_match" if is_caseless(&term.ty) => "ts_imatch",
            _ => function,
        };
        Ok(format!("{function}({}, {literal})", term.sql))
    }

    /// Operators of arrays, ranges and jsonb.
    fn sets(&mut self, term: &Compared<'_>, operator: &Operator, text: &str) -> Result<String> {
        let (function, sign, swapped) = match operator {
            Operator::Contains => ("contains", "@>", false),
            Operator::ContainedBy => ("contains", "<@", true),
            Operator::Overlaps => ("overlaps", "&&", false),
            Operator::StrictlyLeft => ("left", "<<", false),
            Operator::StrictlyRight => ("left", ">>", true),
            Operator::NotRight => ("not_right", "&<", false),
            Operator::NotLeft => ("not_left", "&>", false),
            _ => ("adjacent", "-|-", false),
        };
        let (kind, last) = match &term.ty {
            Type::Jsonb if function == "contains" => ("json", String::new()),
            Type::Array(_) if matches!(function, "contains" | "overlaps") => ("array", String::new()),
            ty if range::element(ty).is_some() => ("range", format!(", {}", literal(&ty.sql_name()))),
            _ => return Err(no_operator(sign, term)),
        };
        let (left, right) = (term.sql.clone(), self.operand(term, text)?);
        let (left, right) = if swapped { (right, left) } else { (left, right) };
        Ok(format!("ts_{kind}_{function}({left}, {right}{last})"))
    }
}

/// `is null`, `is true` and so on.
///
/// # Errors
/// 42804 if a truth value is asked of what has none.
pub(super) fn is_sql(term: &Compared<'_>, is: Is) -> Result<String> {
    let sql = &term.sql;
    let word = match is {
        Is::Null => return Ok(format!("{sql} IS NULL")),
        Is::NotNull => return Ok(format!("{sql} IS NOT NULL")),
        Is::Unknown => "UNKNOWN",
        Is::True => "TRUE",
        Is::False => "FALSE",
    };
    if term.ty != Type::Bool {
        let message = format!("argument of IS {word} must be type boolean, not type {}", term.type_name());
        return Err(Error::new(ErrorKind::InvalidInput, "42804", message));
    }
    Ok(match is {
        Is::True => format!("{sql} IS 1"),
        Is::False => format!("{sql} IS 0"),
        _ => format!("{sql} IS NULL"),
    })
}

/// The type without length, precision and scale.
fn unbounded(ty: &Type) -> Type {
    match ty {
        Type::Numeric(_) => Type::Numeric(None),
        Type::Varchar(_) => Type::Varchar(None),
        Type::Char(_) => Type::Text,
        Type::Array(element) => Type::Array(Box::new(unbounded(element))),
        other => other.clone(),
    }
}

fn is_text_search(ty: &Type) -> bool {
    matches!(ty, Type::Other(name) if name == "tsvector")
}

/// Why a whole value of a composite type is compared with no literal: to PostgreSQL the literal is a row of
/// no type, which it does not read.
fn anonymous(operator: &Operator, term: &Compared<'_>) -> Error {
    match operator {
        Operator::Like => no_operator("~~", term),
        Operator::Ilike => no_operator("~~*", term),
        Operator::Match => no_operator("~", term),
        Operator::Imatch => no_operator("~*", term),
        _ => Error::unsupported("input of anonymous composite types is not implemented"),
    }
}

pub(super) fn no_operator(sign: &str, term: &Compared<'_>) -> Error {
    let ty = term.type_name();
    let right = if term.is_read_for(sign) { ty.as_str() } else { "unknown" };
    // PostgreSQL names operators by types without their lengths.
    let left = ty.split('(').next().unwrap_or_default();
    errors::no_operator(left, sign, right)
}
