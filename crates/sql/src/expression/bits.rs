//! Bits, which are held only on the way from a text to a number: `('x' || digits)::bit(32)::int`, PostgreSQL's
//! way to read hexadecimal digits.

use sqlparser::ast::{DataType, Expr};
use truststream_kernel::Type;

use super::translate::Translator;
use super::{Term, Unsupported};

impl Translator<'_> {
    /// `text::bit(n)::int`; `None` for what is no such cast.
    pub(super) fn bits(&mut self, expr: &Expr, ty: &Type) -> Result<Option<Term>, Unsupported> {
        let width = match ty {
            Type::Int4 => 32,
            Type::Int8 => 64,
            _ => return Ok(None),
        };
        let mut inner = expr;
        while let Expr::Nested(nested) = inner {
            inner = nested;
        }
        let Expr::Cast { expr: digits, data_type: DataType::Bit(length), .. } = inner else {
            return Ok(None);
        };
        let length = length.unwrap_or(1);
        if length > width {
            return Err(Unsupported::new(expr, "more bits than the number has"));
        }
        let digits = self.expr(digits)?;
        let digits = self.coerced(digits, &Type::Text)?;
        Ok(Some(Term::new(format!("ts_bits({}, {length}, {width})", digits.sql), ty.clone())))
    }
}
