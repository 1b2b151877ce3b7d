//! Hashes that decide the partition of a row.

use truststream_kernel::{Error, Result, Type, Value};

use super::{integer, text};
use crate::hash;

/// The hash of a cell that holds a value of a type.
pub(super) fn hash(arguments: &[Value]) -> Result<Value> {
    let ty = Type::parse(text(arguments, 0)?);
    let value = match ty {
        Type::Timestamp | Type::Timestamptz => Value::Timestamp(integer(arguments, 1)?),
        Type::Uuid | Type::Date | Type::Time | Type::Numeric(_) => Value::parse(&ty, text(arguments, 1)?)?,
        _ => arguments.get(1).cloned().unwrap_or(Value::Null),
    };
    let hash = hash::of(&value).ok_or_else(|| Error::internal("a value without a hash"))?;
    Ok(Value::Int(hash.cast_signed()))
}

/// What the hashes of a row leave; a text stands for that of a null.
pub(super) fn remainder(arguments: &[Value]) -> Result<Value> {
    let modulus = integer(arguments, 0)?.cast_unsigned();
    let hashes = arguments.iter().skip(1).map(|hash| match hash {
        Value::Int(hash) => Some(hash.cast_unsigned()),
        _ => None,
    });
    Ok(Value::Int(hash::remainder(hashes, modulus).cast_signed()))
}
