//! Functions and operators of numbers.

use sqlparser::ast::{BinaryOperator, Expr};
use truststream_kernel::Type;

use super::cast::{is_float, is_integer};
use super::translate::Translator;
use super::{Term, Unsupported};
use crate::quote::literal;

/// Functions of one float.
const OF_FLOAT: &[&str] = &[
    "acos", "asin", "atan", "ceil", "cos", "degrees", "exp", "floor", "ln", "log", "log10", "radians",
    "round", "sign", "sin", "sqrt", "tan", "trunc",
];

impl Translator<'_> {
    pub(super) fn rounded(&mut self, name: &str, expr: &Expr) -> Result<Term, Unsupported> {
        let term = self.expr(expr)?;
        let found = self.of_number(name, std::slice::from_ref(&term))?;
        found.ok_or_else(|| Unsupported::new(expr, format!("{name} of this type")))
    }

    /// The bits of a number; those of an integer are 32.
    fn to_hex(&self, number: &Term) -> Result<Term, Unsupported> {
        let sql = match number.known() {
            Some(Type::Int8) => number.sql.clone(),
            _ => format!("({} & 4294967295)", self.coerced(number.clone(), &Type::Int4)?.sql),
        };
        Ok(Term::new(format!("ts_to_hex({sql})"), Type::Text))
    }

    /// Functions of numbers; PostgreSQL chooses by the type of what they are given.
    pub(super) fn of_number(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        let float = |sql: String| Ok(Some(Term::new(sql, Type::Float8)));
        match (name, arguments) {
            ("to_hex", [number]) => return self.to_hex(number).map(Some),
            ("pi", []) => return float(std::f64::consts::PI.to_string()),
            // 53 bits, as many as a float holds.
            ("random", []) => {
                return float("((random() & 9007199254740991) * (1.0 / 9007199254740992))".into());
            }
            ("factorial", [number]) => {
                let number = self.coerced(number.clone(), &Type::Int8)?;
                return Ok(Some(Term::new(format!("ts_factorial({})", number.sql), Type::Numeric(None))));
            }
            ("num_nulls" | "num_nonnulls", terms) if !terms.is_empty() => {
                let not = if name == "num_nonnulls" { "NOT " } else { "" };
                let each: Vec<_> = terms.iter().map(|term| format!("({} IS {not}NULL)", term.sql)).collect();
                return Ok(Some(Term::new(format!("({})", each.join(" + ")), Type::Int4)));
            }
            ("mod" | "div" | "gcd" | "lcm" | "power" | "pow" | "atan2", [left, right]) => {
                return self.of_numbers(name, left, right);
            }
            _ => {}
        }
        let name = if name == "ceiling" { "ceil" } else { name };
        let decimal = |term: &Term| matches!(term.known(), Some(Type::Numeric(_)));
        let term = match arguments {
            [term] => term,
            [term, places] if decimal(term) && matches!(name, "round" | "trunc") => {
                let places = self.coerced(places.clone(), &Type::Int4)?.sql;
                let sql = match name {
                    "round" => format!("ts_round({}, {places})", term.sql),
                    _ => format!("ts_cut('trunc', {}, {places})", term.sql),
                };
                return Ok(Some(Term::new(sql, Type::Numeric(None))));
            }
            _ => return Ok(None),
        };
        let sql = match (name, term.known()) {
            ("abs", Some(ty)) if is_integer(ty) || is_float(ty) => format!("abs({})", term.sql),
            ("abs", Some(Type::Numeric(_))) => format!("ltrim({}, '-')", term.sql),
            ("round", Some(Type::Numeric(_))) => format!("ts_round({}, 0)", term.sql),
            ("floor" | "ceil" | "trunc" | "sign", Some(Type::Numeric(_))) => {
                let sql = format!("ts_cut({}, {}, 0)", literal(name), term.sql);
                return Ok(Some(Term::new(sql, Type::Numeric(None))));
            }
            ("floor" | "ceil" | "round" | "trunc", Some(ty)) if is_integer(ty) => {
                return float(format!("CAST({} AS REAL)", term.sql));
            }
            // PostgreSQL has these of decimals too, with digits of their own.
            (name, ty) if OF_FLOAT.contains(&name) && !matches!(ty, Some(Type::Numeric(_))) => {
                let term = self.coerced(term.clone(), &Type::Float8)?;
                return float(format!("ts_float({}, {})", literal(name), term.sql));
            }
            _ => return Ok(None),
        };
        Ok(Some(Term { sql, ty: term.ty.clone() }))
    }

    fn of_numbers(&self, name: &str, left: &Term, right: &Term) -> Result<Option<Term>, Unsupported> {
        if matches!(name, "power" | "pow" | "atan2") {
            return self.of_floats(if name == "pow" { "power" } else { name }, left, right);
        }
        let (left, right, ty) = self.unified(left.clone(), right.clone())?;
        let (left, right) = (left.sql, right.sql);
        let integer = is_integer(&ty);
        let sql = match (name, &ty) {
            ("mod", ty) if integer || matches!(ty, Type::Numeric(_)) => {
                format!("ts_math('%', {left}, {right})")
            }
            ("div", _) if integer => {
                let sql = format!("CAST(ts_math('/', {left}, {right}) AS TEXT)");
                return Ok(Some(Term::new(sql, Type::Numeric(None))));
            }
            ("gcd" | "lcm", _) if integer => {
                let found = format!("ts_divisor({left}, {right}, {})", u8::from(name == "lcm"));
                let fits = Term::new(found, Type::Int8);
                return self.cast_to(fits, &ty).map(Some);
            }
            _ => return Ok(None),
        };
        let ty = if integer { ty } else { Type::Numeric(None) };
        Ok(Some(Term::new(sql, ty)))
    }

    fn of_floats(&self, name: &str, left: &Term, right: &Term) -> Result<Option<Term>, Unsupported> {
        let decimal = |term: &Term| matches!(term.known(), Some(Type::Numeric(_)));
        let float = |term: &Term| term.known().is_some_and(is_float);
        if (decimal(left) || decimal(right)) && !float(left) && !float(right) {
            return Ok(None);
        }
        let (left, right) =
            (self.coerced(left.clone(), &Type::Float8)?, self.coerced(right.clone(), &Type::Float8)?);
        Ok(Some(Term::new(format!("ts_{name}({}, {})", left.sql, right.sql), Type::Float8)))
    }

    /// `left ^ right`
    pub(super) fn power(&mut self, left: &Expr, right: &Expr) -> Result<Term, Unsupported> {
        let shown = format!("{left} ^ {right}");
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        let found = self.of_floats("power", &left, &right)?;
        found.ok_or_else(|| Unsupported::new(shown, "powers of decimals run on PostgreSQL only"))
    }

    /// `&`, `|`, `#`, `<<`, `>>` of integers.
    pub(super) fn bitwise(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
    ) -> Result<Term, Unsupported> {
        let shown = format!("{left} {op} {right}");
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        let shifts = matches!(op, BinaryOperator::PGBitwiseShiftLeft | BinaryOperator::PGBitwiseShiftRight);
        let (left, right, ty) = match (shifts, left.known().cloned()) {
            (true, Some(ty)) => (left, self.coerced(right, &Type::Int4)?, ty),
            _ => self.unified(left, right)?,
        };
        let width = match ty {
            Type::Int2 => 16,
            Type::Int4 => 32,
            Type::Int8 => 64,
            _ => return Err(Unsupported::new(shown, "this operator is for integers here")),
        };
        Ok(Term::new(format!("ts_bitwise('{op}', {}, {}, {width})", left.sql, right.sql), ty))
    }

    /// `~number`
    pub(super) fn inverted(&mut self, expr: &Expr) -> Result<Term, Unsupported> {
        let term = self.expr(expr)?;
        match term.known() {
            Some(ty) if is_integer(ty) => Ok(Term::new(format!("(~{})", term.sql), ty.clone())),
            _ => Err(Unsupported::new(expr, "this operator is for integers here")),
        }
    }
}
