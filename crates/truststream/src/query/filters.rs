//! Conditions, order and page: the same methods on every request.
//!
//! A column may have a JSON path (`info->>year`) and may belong to an embedded resource
//! (`artist.name`). Values are anything that can be displayed; they are bound, never pasted into SQL.

use std::fmt::Display;

use serde::Serialize;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Comparison, Field, Filter, Is, Operand, Operator, Query, language};

use super::literal::array;
use super::request::Request;

impl<A> Request<'_, A> {
    /// The column equals the value.
    pub fn eq(self, column: &str, value: impl Display) -> Self {
        self.compare(column, Operator::Eq, text(value))
    }

    /// The column differs from the value.
    pub fn neq(self, column: &str, value: impl Display) -> Self {
        self.compare(column, Operator::Neq, text(value))
    }

    /// The column is greater than the value.
    pub fn gt(self, column: &str, value: impl Display) -> Self {
        self.compare(column, Operator::Gt, text(value))
    }

    /// The column is greater than the value, or equal.
    pub fn gte(self, column: &str, value: impl Display) -> Self {
        self.compare(column, Operator::Gte, text(value))
    }

    /// The column is less than the value.
    pub fn lt(self, column: &str, value: impl Display) -> Self {
        self.compare(column, Operator::Lt, text(value))
    }

    /// The column is less than the value, or equal.
    pub fn lte(self, column: &str, value: impl Display) -> Self {
        self.compare(column, Operator::Lte, text(value))
    }

    /// The column matches a pattern (`%` any text, `_` any character).
    pub fn like(self, column: &str, pattern: impl Display) -> Self {
        self.compare(column, Operator::Like, text(pattern))
    }

    /// The column matches a pattern, whatever the case of its letters.
    pub fn ilike(self, column: &str, pattern: impl Display) -> Self {
        self.compare(column, Operator::Ilike, text(pattern))
    }

    /// The column is null.
    pub fn is_null(self, column: &str) -> Self {
        self.compare(column, Operator::Is, Operand::Is(Is::Null))
    }

    /// The column is not null.
    pub fn is_not_null(self, column: &str) -> Self {
        self.compare(column, Operator::Is, Operand::Is(Is::NotNull))
    }

    /// The column is true or false (and not null).
    pub fn is(self, column: &str, value: bool) -> Self {
        self.compare(column, Operator::Is, Operand::Is(if value { Is::True } else { Is::False }))
    }

    /// The column differs from the value, or is null.
    pub fn is_distinct(self, column: &str, value: impl Display) -> Self {
        self.compare(column, Operator::IsDistinct, text(value))
    }

    /// The column equals one of the values.
    pub fn is_in(self, column: &str, values: impl IntoIterator<Item = impl Display>) -> Self {
        let list = values.into_iter().map(|value| value.to_string()).collect();
        self.compare(column, Operator::In, Operand::List(list))
    }

    /// The array column contains all the values.
    pub fn contains(self, column: &str, values: impl IntoIterator<Item = impl Display>) -> Self {
        self.compare(column, Operator::Contains, Operand::Text(array(values)))
    }

    /// The `jsonb` column contains a document.
    pub fn contains_json(self, column: &str, document: &(impl Serialize + ?Sized)) -> Self {
        match json(document) {
            Ok(text) => self.compare(column, Operator::Contains, Operand::Text(text)),
            Err(error) => self.edit(|_| Err(error)),
        }
    }

    /// All elements of the array column are among the values.
    pub fn contained_by(self, column: &str, values: impl IntoIterator<Item = impl Display>) -> Self {
        self.compare(column, Operator::ContainedBy, Operand::Text(array(values)))
    }

    /// The array column has at least one of the values.
    pub fn overlaps(self, column: &str, values: impl IntoIterator<Item = impl Display>) -> Self {
        self.compare(column, Operator::Overlaps, Operand::Text(array(values)))
    }

    /// A condition in the words of the query language: `filter("id", "not.in.(1,2)")`.
    pub fn filter(self, column: &str, condition: &str) -> Self {
        self.edit(|query| language::add_parameter(query, column, condition))
    }

    /// The negation of a condition in the words of the query language: `not("id", "in.(1,2)")`.
    pub fn not(self, column: &str, condition: &str) -> Self {
        self.edit(|query| language::add_parameter(query, column, &format!("not.{condition}")))
    }

    /// At least one of several conditions holds: `or("id.eq.1,title.ilike.a*")`.
    pub fn or(self, conditions: &str) -> Self {
        self.edit(|query| {
            query.and(language::parse_logic(false, &format!("({conditions})"))?);
            Ok(())
        })
    }

    /// A condition as a value.
    pub fn matching(self, filter: Filter) -> Self {
        self.edit(|query| {
            query.and(filter);
            Ok(())
        })
    }

    /// Orders by columns: `order("year.desc.nullslast,title")`. A further order decides among rows
    /// that are equal in those before it.
    pub fn order(self, columns: &str) -> Self {
        self.edit(|query| {
            query.order.extend(language::parse_order(columns)?);
            Ok(())
        })
    }

    /// At most so many rows.
    pub fn limit(self, rows: u64) -> Self {
        self.edit(|query| {
            query.limit = Some(rows);
            Ok(())
        })
    }

    /// Skips so many rows.
    pub fn offset(self, rows: u64) -> Self {
        self.edit(|query| {
            query.offset = rows;
            Ok(())
        })
    }

    fn compare(self, column: &str, operator: Operator, operand: Operand) -> Self {
        let condition = |field| Filter::Compare(Comparison { field, operator, quantifier: None, operand });
        self.edit(|query| add(query, column, condition))
    }
}

/// Most columns are plain names, which need no parsing.
fn add(query: &mut Query, column: &str, condition: impl FnOnce(Field) -> Filter) -> Result<()> {
    if !column.is_empty() && column.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        query.and(condition(Field::column(column)));
        return Ok(());
    }
    language::add_condition(query, column, condition)
}

fn text(value: impl Display) -> Operand {
    Operand::Text(value.to_string())
}

/// A value as JSON text.
pub(super) fn json(value: &(impl Serialize + ?Sized)) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::invalid_input(format!("the value can't be written as JSON: {error}")).with_source(error)
    })
}
