//! Filters on changed rows: `id=eq.7`, `status=in.(a,b)`.

use std::cmp::Ordering;

use truststream_kernel::value::decimal;
use truststream_kernel::{Error, Result, Row, Value};
use truststream_services::database::{ChangeKind, Table};
use truststream_services::realtime::ChangeFilter;

/// A filter resolved against its table.
#[derive(Clone, Debug)]
pub(super) struct RowFilter {
    column: String,
    operator: Compare,
    operands: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    In,
}

impl RowFilter {
    /// Reads a filter in the form `column=operator.literal`.
    ///
    /// # Errors
    /// `InvalidInput` when the form, the column, the operator or the literal is wrong.
    pub(super) fn parse(text: &str, table: &Table) -> Result<Self> {
        let invalid =
            || Error::invalid_input(format!("invalid filter `{text}`, expected `column=operator.value`"));
        let (column, rest) = text.split_once('=').ok_or_else(invalid)?;
        let (operator, literal) = rest.split_once('.').ok_or_else(invalid)?;
        let operator = match operator {
            "eq" => Compare::Eq,
            "neq" => Compare::Neq,
            "lt" => Compare::Lt,
            "lte" => Compare::Lte,
            "gt" => Compare::Gt,
            "gte" => Compare::Gte,
            "in" => Compare::In,
            _ => return Err(invalid()),
        };
        let ty = &table
            .column(column)
            .ok_or_else(|| Error::invalid_input(format!("invalid column for filter {column}")))?
            .ty;
        let literals: Vec<&str> = match operator {
            Compare::In => {
                let list = literal.strip_prefix('(').and_then(|list| list.strip_suffix(')'));
                list.ok_or_else(invalid)?.split(',').map(str::trim).collect()
            }
            _ => vec![literal],
        };
        let operands =
            literals.into_iter().map(|literal| Value::parse(ty, literal)).collect::<Result<_>>()?;
        Ok(RowFilter { column: column.to_owned(), operator, operands })
    }

    /// Whether a row passes.
    pub(super) fn admits(&self, row: &Row) -> bool {
        let Some(value) = row.get(&self.column) else { return false };
        let mut orders = self.operands.iter().map(|operand| compare(value, operand));
        match self.operator {
            Compare::In => orders.any(|order| order == Some(Ordering::Equal)),
            operator => orders.all(|order| order.is_some_and(|order| holds(operator, order))),
        }
    }
}

fn holds(operator: Compare, order: Ordering) -> bool {
    match operator {
        Compare::Eq | Compare::In => order.is_eq(),
        Compare::Neq => order.is_ne(),
        Compare::Lt => order.is_lt(),
        Compare::Lte => order.is_le(),
        Compare::Gt => order.is_gt(),
        Compare::Gte => order.is_ge(),
    }
}

/// Order of two values of one type; `None` for nulls and for types without an order.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Decimal(b)) => Some(decimal::compare(a, b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Uuid(a), Value::Uuid(b)) => Some(a.cmp(b)),
        (Value::Timestamptz(a), Value::Timestamptz(b))
        | (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (a, b) if a == b && *a != Value::Null => Some(Ordering::Equal),
        _ => None,
    }
}

/// Whether a change is of the kind and table that a subscriber wants.
pub(super) fn concerns(wanted: &ChangeFilter, schema: &str, table: &str, kind: ChangeKind) -> bool {
    wanted.schema == schema
        && wanted.table.as_deref().is_none_or(|name| name == table)
        && wanted.kind.is_none_or(|wanted| wanted == kind)
}

#[cfg(test)]
mod tests {
    use truststream_kernel::Type;
    use truststream_services::database::Column;

    use super::*;

    fn table() -> Table {
        let column = |name: &str, ty| Column {
            name: name.to_owned(),
            ty,
            type_name: String::new(),
            nullable: true,
            default: None,
            identity: None,
            generated: None,
            comment: None,
        };
        Table { columns: vec![column("id", Type::Int8), column("status", Type::Text)], ..Table::default() }
    }

    #[test]
    fn rows_are_compared_by_the_columns_type() {
        let columns = ["id".to_owned(), "status".to_owned()];
        let row =
            Row { columns: columns.into(), values: vec![Value::Int(10), Value::Text("open".to_owned())] };
        for (text, admitted) in [
            ("id=eq.10", true),
            ("id=gt.9", true),
            ("id=lt.9", false),
            ("id=neq.10", false),
            ("status=in.(closed,open)", true),
            ("status=in.(closed)", false),
        ] {
            assert_eq!(RowFilter::parse(text, &table()).unwrap().admits(&row), admitted, "{text}");
        }
        for text in ["id", "id=eq", "id=like.1", "nope=eq.1", "id=eq.x", "id=in.1"] {
            RowFilter::parse(text, &table()).unwrap_err();
        }
    }
}
