//! Numbers, moments and texts put together.

use sqlparser::ast::{BinaryOperator, Expr, Interval};
use truststream_kernel::Type;
use truststream_kernel::value::Zone;

use super::cast::{is_float, is_integer, is_text};
use super::translate::Translator;
use super::{Term, TermType, Unsupported};

/// Why `%` of floats is refused.
pub(crate) const NO_REST_OF_FLOATS: &str = "PostgreSQL has no rest of a division of floats";

impl Translator<'_> {
    pub(super) fn arithmetic(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
    ) -> Result<Term, Unsupported> {
        let shown = format!("{left} {op} {right}");
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        let special = match self.moments(&left, op, &right)? {
            None => self.spans(&left, op, &right)?,
            found => found,
        };
        if let Some(term) = special {
            return Ok(term);
        }
        if let Some(term) = self.without(&left, op, &right)? {
            return Ok(term);
        }
        let (left, right, ty) = self.unified(left, right)?;
        let refuse = |why: &str| Err(Unsupported::new(&shown, why));
        let ty = match ty {
            // Results have digits of their own, whatever the operands may hold.
            Type::Numeric(_) => Type::Numeric(None),
            ty if is_float(&ty) && *op == BinaryOperator::Modulo => {
                return refuse(NO_REST_OF_FLOATS);
            }
            ty if is_integer(&ty) || is_float(&ty) => ty,
            _ => return refuse("this operator is for numbers, moments and intervals here"),
        };
        Ok(Term::new(format!("ts_math('{op}', {}, {})", left.sql, right.sql), ty))
    }

    pub(super) fn negative(&mut self, expr: &Expr) -> Result<Term, Unsupported> {
        let term = self.expr(expr)?;
        match term.known() {
            Some(ty) if is_integer(ty) => Ok(Term::new(format!("ts_math('-', 0, {})", term.sql), ty.clone())),
            Some(ty) if is_float(ty) => Ok(Term::new(format!("(-{})", term.sql), ty.clone())),
            Some(ty @ Type::Numeric(_)) => {
                Ok(Term::new(format!("ts_math('-', '0', {})", term.sql), ty.clone()))
            }
            _ => Err(Unsupported::new(expr, "the negative of this")),
        }
    }

    /// Sums and differences with a moment in them.
    fn moments(&self, left: &Term, op: &BinaryOperator, right: &Term) -> Result<Option<Term>, Unsupported> {
        use Type::{Date, Interval, Timestamp, Timestamptz};
        let sign = match op {
            BinaryOperator::Plus => 1,
            BinaryOperator::Minus => -1,
            _ => return Ok(None),
        };
        let (moment, other) = match (left.known(), right.known()) {
            (Some(Interval), Some(Timestamptz | Timestamp | Date)) if sign == 1 => (right, left),
            _ => (left, right),
        };
        let Some(ty) = moment.known().cloned() else { return Ok(None) };
        let other_type = match &other.ty {
            TermType::Known(other) => Some(other.clone()),
            // A bare literal beside a moment is an interval when added, a moment when taken away.
            TermType::Literal(_) if sign == 1 => Some(Interval),
            _ => None,
        };
        let term = match (&ty, other_type) {
            (Timestamptz | Timestamp, Some(Interval)) => {
                let interval = self.coerced(other.clone(), &Interval)?;
                let shift = if ty == Timestamptz { "ts_session_shift" } else { "ts_shift" };
                Term::new(format!("{shift}({}, {}, {sign})", moment.sql, interval.sql), ty)
            }
            (Date, Some(Interval)) => {
                let interval = self.coerced(other.clone(), &Interval)?;
                let moment = self.cast_to(moment.clone(), &Timestamp)?;
                Term::new(format!("ts_shift({}, {}, {sign})", moment.sql, interval.sql), Timestamp)
            }
            (Date, Some(days)) if is_integer(&days) => {
                Term::new(format!("ts_shift_date({}, {}, {sign})", moment.sql, other.sql), Date)
            }
            (Date, Some(Date)) if sign == -1 => {
                Term::new(format!("ts_days_between({}, {})", moment.sql, other.sql), Type::Int4)
            }
            (Timestamptz | Timestamp, Some(found)) if sign == -1 && found == ty => {
                Term::new(format!("ts_time_between({}, {})", moment.sql, other.sql), Interval)
            }
            _ => return Ok(None),
        };
        Ok(Some(term))
    }

    pub(super) fn interval(&mut self, interval: &Interval) -> Result<Term, Unsupported> {
        let shown = || Unsupported::new(interval, "only intervals written as one text");
        let Expr::Value(value) = interval.value.as_ref() else { return Err(shown()) };
        let text = value.clone().into_string().ok_or_else(shown)?;
        if interval.last_field.is_some() || interval.leading_precision.is_some() {
            return Err(shown());
        }
        match &interval.leading_field {
            Some(field) => self.read_literal(&format!("{text} {field}"), &Type::Interval),
            None => self.read_literal(&text, &Type::Interval),
        }
    }

    pub(super) fn concatenation(&mut self, left: &Expr, right: &Expr) -> Result<Term, Unsupported> {
        let shown = format!("{left} || {right}");
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        let joined = match self.documents_joined(&left, &right)? {
            None => self.arrays_joined(&left, &right)?,
            found => found,
        };
        if let Some(term) = joined {
            return Ok(term);
        }
        let textual = |term: &Term| term.known().is_none_or(is_text);
        if !textual(&left) && !textual(&right) {
            return Err(Unsupported::new(shown, "|| of anything but texts"));
        }
        let mut texts = Vec::new();
        for term in [left, right] {
            let array = matches!(term.known(), Some(Type::Array(_) | Type::Json | Type::Jsonb));
            if array {
                return Err(Unsupported::new(shown, "|| of anything but texts"));
            }
            texts.push(if textual(&term) {
                self.coerced(term, &Type::Text)?
            } else {
                self.cast_to(term, &Type::Text)?
            });
        }
        Ok(Term::new(format!("({} || {})", texts[0].sql, texts[1].sql), Type::Text))
    }

    /// `moment at time zone 'Europe/Berlin'`: the other kind of timestamp.
    pub(super) fn at_time_zone(&mut self, moment: &Expr, zone: &Expr) -> Result<Term, Unsupported> {
        let (zone, moment) = (self.expr(zone)?, self.expr(moment)?);
        self.in_zone(&zone, &moment)
    }

    pub(super) fn in_zone(&self, zone: &Term, moment: &Term) -> Result<Term, Unsupported> {
        let (function, ty) = match moment.known() {
            Some(Type::Timestamptz) => ("ts_local_in", Type::Timestamp),
            Some(Type::Timestamp) => ("ts_instant_in", Type::Timestamptz),
            _ => return Err(Unsupported::new(&moment.sql, "a timestamp is wanted here")),
        };
        if let TermType::Literal(text) = &zone.ty {
            match Zone::named(text) {
                Some(zone) if zone.is_utc() => return Ok(Term::new(&moment.sql, ty)),
                Some(_) => {}
                None => return Err(Unsupported::new(text, "time zones that IANA's database doesn't name")),
            }
        }
        let zone = self.as_text(zone)?;
        Ok(Term::new(format!("{function}({}, {})", zone.sql, moment.sql), ty))
    }
}
