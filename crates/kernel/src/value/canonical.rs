//! Bytes of values for digests: equal exactly where the values are.

use super::{Row, Value};

impl Value {
    /// Appends the value's canonical bytes: a tag, then its content, lengths first. Two values have
    /// the same bytes exactly when they are the same value (so `1.50` and `1.5`, which PostgreSQL
    /// stores apart, differ; all NaNs are one).
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.push(0),
            Value::Bool(value) => out.extend([1, u8::from(*value)]),
            Value::Int(value) => tagged(out, 2, &value.to_be_bytes()),
            Value::Float(value) => {
                let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
                tagged(out, 3, &bits.to_be_bytes());
            }
            Value::Decimal(text) => sized(out, 4, text.as_bytes()),
            Value::Text(text) => sized(out, 5, text.as_bytes()),
            Value::Bytes(bytes) => sized(out, 6, bytes),
            Value::Uuid(uuid) => tagged(out, 7, uuid.as_bytes()),
            Value::Timestamptz(micros) => tagged(out, 8, &micros.to_be_bytes()),
            Value::Timestamp(micros) => tagged(out, 9, &micros.to_be_bytes()),
            Value::Date(days) => tagged(out, 10, &days.to_be_bytes()),
            Value::Time(micros) => tagged(out, 11, &micros.to_be_bytes()),
            Value::Interval { months, days, micros } => {
                tagged(out, 12, &months.to_be_bytes());
                out.extend(days.to_be_bytes());
                out.extend(micros.to_be_bytes());
            }
            Value::Json(text) => sized(out, 13, text.as_bytes()),
            Value::Array(elements) => {
                tagged(out, 14, &(elements.len() as u64).to_be_bytes());
                elements.iter().for_each(|element| element.write_canonical(out));
            }
        }
    }
}

impl Row {
    /// Appends the canonical bytes of its values, in order.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        self.values.iter().for_each(|value| value.write_canonical(out));
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    out.extend_from_slice(content);
}

fn sized(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    tagged(out, tag, &(content.len() as u64).to_be_bytes());
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        value.write_canonical(&mut out);
        out
    }

    #[test]
    fn different_values_have_different_bytes() {
        let values = [
            Value::Null,
            Value::Text(String::new()),
            Value::Bytes(Vec::new()),
            Value::Array(Vec::new()),
            Value::Array(vec![Value::Null]),
            Value::Decimal("1.5".into()),
            Value::Decimal("1.50".into()),
            Value::Float(0.0),
            Value::Float(-0.0),
            Value::Int(0),
            Value::Timestamp(0),
            Value::Timestamptz(0),
            Value::Interval { months: 1, days: 0, micros: 0 },
            Value::Interval { months: 0, days: 30, micros: 0 },
        ];
        for (index, left) in values.iter().enumerate() {
            for (other, right) in values.iter().enumerate() {
                assert_eq!(bytes(left) == bytes(right), index == other, "{left:?} {right:?}");
            }
        }
    }

    #[test]
    fn neighbouring_texts_do_not_run_together() {
        let columns: std::sync::Arc<[String]> = ["a".to_owned(), "b".to_owned()].into();
        let row = |left: &str, right: &str| Row {
            columns: std::sync::Arc::clone(&columns),
            values: vec![Value::Text(left.into()), Value::Text(right.into())],
        };
        let (mut left, mut right) = (Vec::new(), Vec::new());
        row("ab", "c").write_canonical(&mut left);
        row("a", "bc").write_canonical(&mut right);
        assert_ne!(left, right);
    }
}
