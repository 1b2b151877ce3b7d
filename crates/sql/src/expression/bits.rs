//! Bits, which are held only on the way from a text to a number: `('x' || digits)::bit(32)::int`, PostgreSQL's
//! way to read hexadecimal digits.

use sqlparser::ast::{DataType, Expr};
use truststream_kernel::Type;

use super::translate::Translator;
use super::{Term, Unsupported};

/// A text that is read as so many bits of a number that has room for `width`.
pub(crate) struct Bits<'e> {
    pub(crate) digits: &'e Expr,
    pub(crate) length: u64,
    pub(crate) width: u64,
}

impl<'e> Bits<'e> {
    /// `text::bit(n)`, of which a number of this type is made; `None` for what is no such cast.
    pub(crate) fn of(expr: &'e Expr, ty: &Type) -> Result<Option<Self>, Unsupported> {
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
        Ok(Some(Bits { digits, length, width }))
    }
}

impl Translator<'_> {
    /// `text::bit(n)::int`; `None` for what is no such cast.
    pub(super) fn bits(&mut self, expr: &Expr, ty: &Type) -> Result<Option<Term>, Unsupported> {
        let Some(Bits { digits, length, width }) = Bits::of(expr, ty)? else { return Ok(None) };
        let digits = self.expr(digits)?;
        let digits = self.coerced(digits, &Type::Text)?;
        Ok(Some(Term::new(format!("ts_bits({}, {length}, {width})", digits.sql), ty.clone())))
    }
}
