//! Rows as the server sends them in binary, which neither side has to write or read as text.

use std::sync::Arc;

use tokio_postgres::Row as Found;
use truststream_kernel::value::real_as_double;
use truststream_kernel::{Error, Result, Row, Type, Value};
use truststream_services::database::Table;
use truststream_sql::printed::record;
use truststream_sql::quote::quote;
use uuid::Uuid;

use crate::error::failed;
use crate::rows;
use crate::wire::Raw;

/// From 1970-01-01, where our times begin, to 2000-01-01, where the server's do: days.
const DAYS: i32 = 10_957;

/// The same in microseconds.
const MICROS: i64 = DAYS as i64 * 86_400_000_000;

/// How the rows of one table are read.
pub(crate) struct CellReader {
    columns: Arc<[String]>,
    types: Vec<Type>,
    /// Columns that are read as texts, all of them from one record behind the others.
    texts: Vec<usize>,
}

impl CellReader {
    /// For a table of the schema.
    pub(crate) fn new(table: &Table) -> Self {
        let types: Vec<Type> = table.columns.iter().map(|column| column.ty.clone()).collect();
        let texts = (0..types.len()).filter(|index| !is_binary(&types[*index])).collect();
        CellReader { columns: table.columns.iter().map(|column| column.name.clone()).collect(), types, texts }
    }

    /// What is selected of the table, called `t`.
    pub(crate) fn list(&self, table: &Table) -> String {
        let own = |index: &usize| format!("t.{}", quote(&table.columns[*index].name));
        let all = 0..self.types.len();
        let mut list: Vec<String> =
            all.filter(|index| is_binary(&self.types[*index])).map(|i| own(&i)).collect();
        if !self.texts.is_empty() {
            let texts: Vec<String> = self.texts.iter().map(own).collect();
            list.push(format!("row({})::text", texts.join(", ")));
        }
        list.join(", ")
    }

    /// Reads a row of that list.
    pub(crate) fn row(&self, found: &Found) -> Result<Row> {
        let mut values = Vec::with_capacity(self.types.len());
        let mut at = 0;
        for ty in &self.types {
            if !is_binary(ty) {
                values.push(Value::Null);
                continue;
            }
            let cell: Option<Raw<'_>> = found.try_get(at).map_err(failed)?;
            values.push(cell.map_or(Ok(Value::Null), |cell| binary(ty, cell.0))?);
            at += 1;
        }
        if !self.texts.is_empty() {
            let fields = record::fields(found.try_get(at).map_err(failed)?)?;
            for (index, field) in self.texts.iter().zip(fields) {
                values[*index] = rows::value(&self.types[*index], field)?;
            }
        }
        Ok(Row { columns: Arc::clone(&self.columns), values })
    }
}

fn is_binary(ty: &Type) -> bool {
    !matches!(ty, Type::Char(_) | Type::Enum(_) | Type::Array(_) | Type::Other(_))
}

fn binary(ty: &Type, cell: &[u8]) -> Result<Value> {
    Ok(match ty {
        Type::Bool => Value::Bool(cell.first() == Some(&1)),
        Type::Int2 => Value::Int(i16::from_be_bytes(exact(cell)?).into()),
        Type::Int4 => Value::Int(i32::from_be_bytes(exact(cell)?).into()),
        Type::Int8 => Value::Int(i64::from_be_bytes(exact(cell)?)),
        Type::Float4 => Value::Float(real_as_double(f32::from_be_bytes(exact(cell)?))),
        Type::Float8 => Value::Float(f64::from_be_bytes(exact(cell)?)),
        Type::Numeric(_) => Value::Decimal(numeric(cell)?),
        Type::Bytes => Value::Bytes(cell.to_vec()),
        Type::Uuid => Value::Uuid(Uuid::from_bytes(exact(cell)?)),
        Type::Timestamptz => Value::Timestamptz(moment(i64::from_be_bytes(exact(cell)?))),
        Type::Timestamp => Value::Timestamp(moment(i64::from_be_bytes(exact(cell)?))),
        Type::Date => Value::Date(match i32::from_be_bytes(exact(cell)?) {
            infinite @ (i32::MIN | i32::MAX) => infinite,
            days => days.saturating_add(DAYS),
        }),
        Type::Time => Value::Time(i64::from_be_bytes(exact(cell)?)),
        Type::Interval => interval(cell)?,
        Type::Json => Value::Json(text(cell)?),
        // A byte before it says in which version it is written; there is one.
        Type::Jsonb => Value::parse(ty, &text(cell.get(1..).unwrap_or_default())?)?,
        _ => Value::Text(text(cell)?),
    })
}

fn moment(micros: i64) -> i64 {
    match micros {
        i64::MIN | i64::MAX => micros,
        _ => micros.saturating_add(MICROS),
    }
}

fn interval(cell: &[u8]) -> Result<Value> {
    let (micros, rest) = cell.split_at_checked(8).ok_or_else(misread)?;
    let (days, months) = rest.split_at_checked(4).ok_or_else(misread)?;
    Ok(Value::Interval {
        months: i32::from_be_bytes(exact(months)?),
        days: i32::from_be_bytes(exact(days)?),
        micros: i64::from_be_bytes(exact(micros)?),
    })
}

/// A `numeric`: how many digits to the base of ten thousand, the weight of the first one, the sign,
/// how many decimals are shown, and the digits.
fn numeric(cell: &[u8]) -> Result<String> {
    let mut words = cell.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]]));
    let mut header = || words.next().ok_or_else(misread);
    let (_, weight, sign, decimals) = (header()?, header()?.cast_signed(), header()?, usize::from(header()?));
    match sign {
        0xC000 => return Ok("NaN".to_owned()),
        0xD000 => return Ok("Infinity".to_owned()),
        0xF000 => return Ok("-Infinity".to_owned()),
        _ => {}
    }
    let digits: Vec<u16> = words.collect();
    let digit = |power: i32| {
        let index = usize::try_from(i32::from(weight) - power).ok();
        index.and_then(|index| digits.get(index)).copied().unwrap_or(0)
    };
    let mut out = String::with_capacity(digits.len() * 4 + 4);
    if sign == 0x4000 {
        out.push('-');
    }
    let first = i32::from(weight).max(0);
    out.push_str(&digit(first).to_string());
    (0..first).rev().for_each(|power| out.push_str(&format!("{:04}", digit(power))));
    if decimals > 0 {
        out.push('.');
        let end = out.len() + decimals;
        let mut power = -1;
        while out.len() < end {
            out.push_str(&format!("{:04}", digit(power)));
            power -= 1;
        }
        out.truncate(end);
    }
    Ok(out)
}

fn text(cell: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(cell);
    text.map(str::to_owned).map_err(|error| misread().with_source(error))
}

fn exact<const N: usize>(cell: &[u8]) -> Result<[u8; N]> {
    cell.try_into().map_err(|_| misread())
}

fn misread() -> Error {
    Error::internal("a value of the database can't be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[u16]) -> String {
        numeric(&words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn numerics_keep_every_digit_and_decimal() {
        assert_eq!(of(&[0, 0, 0, 0]), "0");
        assert_eq!(of(&[0, 0, 0, 3]), "0.000");
        assert_eq!(of(&[2, 0, 0, 2, 12, 5000]), "12.50");
        assert_eq!(of(&[3, 1, 0x4000, 4, 1, 2, 300]), "-10002.0300");
        assert_eq!(of(&[1, (-2_i16).cast_unsigned(), 0, 6, 1200]), "0.000012");
        assert_eq!(of(&[1, 2, 0, 0, 7]), "700000000");
        assert_eq!(of(&[0, 0, 0xC000, 0]), "NaN");
    }

    #[test]
    fn times_count_from_another_year_and_infinity_stays_where_it_is() {
        let bytes = |micros: i64| binary(&Type::Timestamptz, &micros.to_be_bytes()).unwrap();
        assert_eq!(bytes(0).to_text().as_deref(), Some("2000-01-01 00:00:00+00"));
        assert_eq!(bytes(i64::MAX), Value::Timestamptz(i64::MAX));
        assert_eq!(binary(&Type::Date, &(-DAYS).to_be_bytes()).unwrap(), Value::Date(0));
    }
}
