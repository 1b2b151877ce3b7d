//! Functions and operators of intervals and of times of day.

use sqlparser::ast::{BinaryOperator, Expr};
use truststream_kernel::Type;

use super::cast::{is_float, is_integer};
use super::translate::Translator;
use super::{Term, Unsupported};
use crate::quote::literal;

/// The parameters of `make_interval`.
const PARTS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];

impl Translator<'_> {
    /// Functions that make intervals and moments, or take them apart.
    pub(super) fn of_span(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        let integers = |terms: &[Term]| {
            let each = terms.iter().map(|term| Ok(self.coerced(term.clone(), &Type::Int4)?.sql));
            each.collect::<Result<Vec<_>, Unsupported>>()
        };
        let called =
            |sql: Vec<String>, ty: Type| Ok(Some(Term::new(format!("ts_{name}({})", sql.join(", ")), ty)));
        match (name, arguments) {
            ("make_date", [_, _, _]) => called(integers(arguments)?, Type::Date),
            ("make_time", [_, _, seconds]) => {
                let mut parts = integers(&arguments[..2])?;
                parts.push(self.coerced(seconds.clone(), &Type::Float8)?.sql);
                called(parts, Type::Time)
            }
            ("make_timestamp", [_, _, _, _, _, seconds]) => {
                let mut parts = integers(&arguments[..5])?;
                parts.push(self.coerced(seconds.clone(), &Type::Float8)?.sql);
                called(parts, Type::Timestamp)
            }
            ("age", [later, earlier]) => {
                let moments = [self.shown_by_clocks(later)?, self.shown_by_clocks(earlier)?];
                called(moments.to_vec(), Type::Interval)
            }
            ("age", [earlier]) => {
                let earlier = self.shown_by_clocks(earlier)?;
                let today = "ts_truncate('day', ts_local(ts_now()))".to_owned();
                called(vec![today, earlier], Type::Interval)
            }
            ("justify_days" | "justify_hours", [interval]) => {
                let interval = self.coerced(interval.clone(), &Type::Interval)?;
                let what = literal(name.trim_start_matches("justify_"));
                Ok(Some(Term::new(format!("ts_justify({what}, {})", interval.sql), Type::Interval)))
            }
            ("isfinite", [moment]) => match moment.known() {
                Some(Type::Timestamptz | Type::Timestamp) => {
                    let sql = format!("({} NOT IN ({}, {}))", moment.sql, i64::MAX, i64::MIN);
                    Ok(Some(Term::new(sql, Type::Bool)))
                }
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// A moment as clocks of the session's zone show it.
    pub(super) fn shown_by_clocks(&self, moment: &Term) -> Result<String, Unsupported> {
        match moment.known() {
            Some(Type::Timestamptz | Type::Date | Type::Timestamp) => {
                Ok(self.cast_to(moment.clone(), &Type::Timestamp)?.sql)
            }
            None => {
                Ok(self.cast_to(self.coerced(moment.clone(), &Type::Timestamptz)?, &Type::Timestamp)?.sql)
            }
            Some(_) => Err(Unsupported::new(&moment.sql, "a moment is wanted here")),
        }
    }

    /// `make_interval(…)`: parts in order, or by their names; those that are missing are 0.
    pub(super) fn make_interval(&self, given: &[(Option<String>, Term)]) -> Result<Term, Unsupported> {
        let mut parts = PARTS.map(|_| "0".to_owned());
        for (at, (name, term)) in given.iter().enumerate() {
            let place = name.as_ref().map_or(Some(at), |name| PARTS.iter().position(|part| part == name));
            let Some(place) = place.filter(|place| *place < PARTS.len()) else {
                return Err(Unsupported::new(&term.sql, "make_interval has no such parameter"));
            };
            let ty = if place == 6 { Type::Float8 } else { Type::Int4 };
            parts[place] = self.coerced(term.clone(), &ty)?.sql;
        }
        Ok(Term::new(format!("ts_make_interval({})", parts.join(", ")), Type::Interval))
    }

    /// Arithmetic with intervals that has no moment in it, and with times of day.
    pub(super) fn spans(
        &self,
        left: &Term,
        op: &BinaryOperator,
        right: &Term,
    ) -> Result<Option<Term>, Unsupported> {
        use BinaryOperator::{Divide, Minus, Multiply, Plus};
        use Type::{Interval, Time};
        let number = |ty: &Type| is_integer(ty) || is_float(ty) || matches!(ty, Type::Numeric(_));
        let sign = if *op == Minus { -1 } else { 1 };
        let sql = match (left.known(), op, right.known()) {
            (Some(Interval), Multiply | Divide, Some(ty)) if number(ty) => {
                let factor = self.coerced(right.clone(), &Type::Float8)?;
                format!("ts_interval_scale({}, {}, {})", left.sql, factor.sql, u8::from(*op == Divide))
            }
            (Some(ty), Multiply, Some(Interval)) if number(ty) => {
                let factor = self.coerced(left.clone(), &Type::Float8)?;
                format!("ts_interval_scale({}, {}, 0)", right.sql, factor.sql)
            }
            (Some(Interval), Plus | Minus, Some(Interval) | None) => {
                let right = self.coerced(right.clone(), &Interval)?;
                format!("ts_interval_sum({}, {}, {sign})", left.sql, right.sql)
            }
            (Some(Time), Minus, Some(Time)) => format!("ts_between_times({}, {})", left.sql, right.sql),
            (Some(Time), Plus | Minus, Some(Interval)) => {
                let sql = format!("ts_shift_time({}, {}, {sign})", left.sql, right.sql);
                return Ok(Some(Term::new(sql, Time)));
            }
            _ => return Ok(None),
        };
        Ok(Some(Term::new(sql, Interval)))
    }

    /// `(from, to) overlaps (from, to)`, either end of which may be an interval.
    pub(super) fn overlaps(&mut self, left: &Expr, right: &Expr) -> Result<Term, Unsupported> {
        let shown = format!("{left} OVERLAPS {right}");
        let (Expr::Tuple(left), Expr::Tuple(right)) = (left, right) else {
            return Err(Unsupported::new(shown, "two pairs are wanted here"));
        };
        let (Some([from, to]), Some([other_from, other_to])) = (self.pair(left)?, self.pair(right)?) else {
            return Err(Unsupported::new(shown, "these pairs"));
        };
        let same = [&to, &other_from, &other_to].iter().all(|term| term.known() == from.known());
        if !same {
            return Err(Unsupported::new(shown, "moments of one type are wanted here"));
        }
        // A pair that ends before it begins is meant the other way round; one without length is a moment.
        let bounds = |from: &Term, to: &Term| {
            (format!("min({}, {})", from.sql, to.sql), format!("max({}, {})", from.sql, to.sql))
        };
        let ((from, to), (other_from, other_to)) = (bounds(&from, &to), bounds(&other_from, &other_to));
        let sql = format!(
            "iif({from} = {other_from}, 1, iif({from} > {other_from}, {from} < {other_to}, {other_from} < {to}))"
        );
        Ok(Term::new(sql, Type::Bool))
    }

    fn pair(&mut self, pair: &[Expr]) -> Result<Option<[Term; 2]>, Unsupported> {
        let [from, to] = pair else { return Ok(None) };
        let (from, to) = (self.expr(from)?, self.expr(to)?);
        let Some(ty @ (Type::Timestamptz | Type::Timestamp | Type::Date)) = from.known() else {
            return Ok(None);
        };
        let to = match to.known() {
            Some(Type::Interval) if *ty != Type::Date => {
                let shift = if *ty == Type::Timestamptz { "ts_session_shift" } else { "ts_shift" };
                Term::new(format!("{shift}({}, {}, 1)", from.sql, to.sql), ty.clone())
            }
            _ => to,
        };
        Ok(Some([from, to]))
    }
}
