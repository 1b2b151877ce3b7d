//! Functions of floats, with PostgreSQL's errors where IEEE's arithmetic would go on.
//!
//! <https://www.postgresql.org/docs/15/functions-math.html>

use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::text;

fn number(arguments: &[Value], index: usize) -> Result<f64> {
    match arguments.get(index) {
        Some(Value::Float(number)) => Ok(*number),
        Some(Value::Int(number)) => Ok(*number as f64),
        _ => Err(Error::internal("a function was called with something else than a number")),
    }
}

fn refused(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, code, message)
}

fn input_out_of_range() -> Error {
    refused("22003", "input is out of range")
}

/// A function of one number, by its name in PostgreSQL.
pub(super) fn unary(arguments: &[Value]) -> Result<Value> {
    let (name, x) = (text(arguments, 0)?, number(arguments, 1)?);
    let result = match name {
        "sqrt" if x < 0.0 => return Err(refused("2201F", "cannot take square root of a negative number")),
        "sqrt" => x.sqrt(),
        "exp" => x.exp(),
        "ln" | "log" | "log10" if x == 0.0 => return Err(refused("2201E", "cannot take logarithm of zero")),
        "ln" | "log" | "log10" if x < 0.0 => {
            return Err(refused("2201E", "cannot take logarithm of a negative number"));
        }
        "ln" => x.ln(),
        "log" | "log10" => x.log10(),
        "acos" | "asin" if x.abs() > 1.0 => return Err(input_out_of_range()),
        "acos" => x.acos(),
        "asin" => x.asin(),
        "atan" => x.atan(),
        "sin" | "cos" | "tan" if x.is_infinite() => return Err(input_out_of_range()),
        "floor" => x.floor(),
        "sin" => x.sin(),
        "ceil" => x.ceil(),
        "cos" => x.cos(),
        "tan" => x.tan(),
        "trunc" => x.trunc(),
        "degrees" => x / (std::f64::consts::PI / 180.0),
        "radians" => x * (std::f64::consts::PI / 180.0),
        "round" => x.round_ties_even(),
        "sign" if x == 0.0 => 0.0,
        "sign" => x.signum(),
        _ => return Err(Error::internal("an unknown function of a number")),
    };
    bounded(result, x.is_finite(), x != 0.0 && name == "exp")
}

/// `power(a, b)` and `a ^ b`.
pub(super) fn power(arguments: &[Value]) -> Result<Value> {
    let (base, exponent) = (number(arguments, 0)?, number(arguments, 1)?);
    if base == 0.0 && exponent < 0.0 {
        return Err(refused("2201F", "zero raised to a negative power is undefined"));
    }
    if base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        return Err(refused(
            "2201F",
            "a negative number raised to a non-integer power yields a complex result",
        ));
    }
    let finite = base.is_finite() && exponent.is_finite();
    bounded(base.powf(exponent), finite, base != 0.0)
}

/// `atan2(y, x)`
pub(super) fn atan2(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Float(number(arguments, 0)?.atan2(number(arguments, 1)?)))
}

/// A result of finite numbers is finite, and of those that can't give zero it is not zero.
fn bounded(result: f64, finite: bool, never_zero: bool) -> Result<Value> {
    if finite && result.is_infinite() {
        return Err(refused("22003", "value out of range: overflow"));
    }
    if finite && never_zero && result == 0.0 {
        return Err(refused("22003", "value out of range: underflow"));
    }
    Ok(Value::Float(result))
}
