//! Rows of a reply in one piece, for who reads them in the same process.

use std::sync::Arc;

use super::json::{push_number, push_string};
use super::text;
use crate::Result;

/// Rows of a reply: what is a number is held as one, all texts stand behind one another in one
/// buffer. What [`Rows::to_json`] makes of them is the reply that they stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    columns: Arc<[String]>,
    slots: Vec<Slot>,
    text: String,
}

/// A value of one row and column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'r> {
    /// JSON's null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A finite `double precision`.
    Float(f64),
    /// A text, not escaped.
    Text(&'r str),
    /// Anything else, as JSON.
    Json(&'r str),
}

/// A cell without its text, which is a part of the buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slot {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(usize, usize),
    Json(usize, usize),
}

impl Rows {
    /// No rows yet, of these columns; there is at least one.
    pub fn new(columns: Arc<[String]>) -> Self {
        Rows { columns, slots: Vec::new(), text: String::new() }
    }

    /// Names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.slots.len() / self.columns.len().max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Appends the next cell of the row that is being written.
    pub fn push(&mut self, cell: Cell<'_>) {
        let slot = match cell {
            Cell::Null => Slot::Null,
            Cell::Bool(value) => Slot::Bool(value),
            Cell::Int(value) => Slot::Int(value),
            Cell::Float(value) => Slot::Float(value),
            Cell::Text(text) => {
                let from = self.text.len();
                self.text.push_str(text);
                Slot::Text(from, self.text.len())
            }
            Cell::Json(json) => {
                let from = self.text.len();
                self.text.push_str(json);
                Slot::Json(from, self.text.len())
            }
        };
        self.slots.push(slot);
    }

    /// Appends a cell whose JSON is written where it will lie.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn push_json(&mut self, write: impl FnOnce(&mut String) -> Result<()>) -> Result<()> {
        let from = self.text.len();
        write(&mut self.text)?;
        self.slots.push(Slot::Json(from, self.text.len()));
        Ok(())
    }

    /// The cells of each row.
    pub fn iter(&self) -> impl Iterator<Item = impl ExactSizeIterator<Item = Cell<'_>>> {
        self.slots.chunks_exact(self.columns.len().max(1)).map(|row| row.iter().map(|slot| self.cell(*slot)))
    }

    fn cell(&self, slot: Slot) -> Cell<'_> {
        match slot {
            Slot::Null => Cell::Null,
            Slot::Bool(value) => Cell::Bool(value),
            Slot::Int(value) => Cell::Int(value),
            Slot::Float(value) => Cell::Float(value),
            Slot::Text(from, to) => Cell::Text(&self.text[from..to]),
            Slot::Json(from, to) => Cell::Json(&self.text[from..to]),
        }
    }

    /// The rows as a JSON array of objects.
    pub fn to_json(&self) -> String {
        let mut out = String::from("[");
        for (number, row) in self.iter().enumerate() {
            out.push_str(if number == 0 { "{" } else { ",{" });
            for (at, (name, cell)) in self.columns.iter().zip(row).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push_string(&mut out, name);
                out.push(':');
                cell.write_json(&mut out);
            }
            out.push('}');
        }
        out.push(']');
        out
    }
}

impl Cell<'_> {
    /// Appends the cell as JSON.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Cell::Null => out.push_str("null"),
            Cell::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Cell::Int(value) => text::push_integer(out, *value),
            Cell::Float(value) => push_number(out, &super::float_text(*value)),
            Cell::Text(text) => push_string(out, text),
            Cell::Json(json) => out.push_str(json),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_json_they_stand_for() -> Result<()> {
        let mut rows = Rows::new(Arc::from(["a".to_owned(), "b\"".to_owned()]));
        assert_eq!(rows.to_json(), "[]");
        rows.push(Cell::Int(i64::MIN));
        rows.push(Cell::Text("say \"hi\"\n"));
        rows.push(Cell::Null);
        rows.push_json(|out| {
            out.push_str("{\"c\":[1]}");
            Ok(())
        })?;
        rows.push(Cell::Bool(true));
        rows.push(Cell::Float(1.0));
        assert_eq!(rows.len(), 3);
        assert_eq!(
            rows.to_json(),
            r#"[{"a":-9223372036854775808,"b\"":"say \"hi\"\n"},{"a":null,"b\"":{"c":[1]}},{"a":true,"b\"":1}]"#
        );
        Ok(())
    }
}
