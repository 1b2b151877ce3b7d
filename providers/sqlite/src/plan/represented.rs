//! Domains whose values are shown as a cast to JSON has them, and whose literals a cast from text reads.

use std::ops::Deref;

use truststream_kernel::{Result, Type};
use truststream_services::database::{CastDirection, Column, Field, Function};
use truststream_sql::schema::name_within;

use super::field::Term;
use super::{Planner, Scope};
use crate::translate;

/// What groups have in common of a value that is shown as JSON, by which nothing is grouped.
pub(super) enum Key {
    /// The value as it lies in the file.
    Of(Term),
    /// Nothing.
    Nothing,
}

/// A term that is compared with literals.
pub(super) struct Compared<'a> {
    term: Term,
    /// The name of its domain, as errors have it.
    domain: Option<String>,
    reader: Option<&'a Function>,
}

impl Deref for Compared<'_> {
    type Target = Term;

    fn deref(&self) -> &Term {
        &self.term
    }
}

impl Compared<'_> {
    /// The name of its type, as errors have it.
    pub(super) fn type_name(&self) -> String {
        self.domain.clone().unwrap_or_else(|| self.term.ty.to_string())
    }

    /// Whether a cast reads what an operator compares with it: neither patterns of `like` nor searches.
    pub(super) fn is_read_for(&self, sign: &str) -> bool {
        self.reader.is_some() && !matches!(sign, "~~" | "~~*" | "@@")
    }
}

impl<'a> Planner<'a> {
    /// A column or path to compare.
    ///
    /// # Errors
    /// 42703 for unknown columns.
    pub(super) fn compared(&mut self, scope: &Scope, field: &Field) -> Result<Compared<'a>> {
        let term = self.term(scope, field)?;
        let column = self.of_domain(scope, field)?;
        let catalog = &self.schema.catalog;
        let reader = column.and_then(|column| catalog.representation(column, CastDirection::FromText));
        let domain = column.map(|column| name_within(&scope.table.schema, &column.type_name));
        Ok(Compared { term, domain, reader })
    }

    /// The column of a domain that a field is.
    fn of_domain(&self, scope: &Scope, field: &Field) -> Result<Option<&'a Column>> {
        let schema = self.schema;
        if schema.catalog.domains.is_empty() || !field.path.is_empty() {
            return Ok(None);
        }
        let column = schema.table(&scope.table)?.column(&field.name);
        Ok(column.filter(|column| schema.domain(column).is_some()))
    }

    /// A literal to compare with, as a cast of the term's domain reads it; `None` where there is none.
    pub(super) fn read_literal(&mut self, compared: &Compared<'_>, text: &str) -> Result<Option<String>> {
        let Some(reader) = compared.reader else { return Ok(None) };
        let given = Term { sql: self.literal(&Type::Text, text)?, ty: Type::Text };
        translate::cast_value(self.schema, reader, given, self.access).map(|term| Some(term.sql))
    }

    /// A column as it is shown, and what groups have in common of it if that is something else.
    pub(super) fn shown(&self, column: &Column, term: Term) -> Result<(Term, Option<Key>)> {
        match self.schema.catalog.representation(column, CastDirection::ToJson) {
            Some(function) => {
                let shown = translate::cast_value(self.schema, function, term.clone(), self.access)?;
                Ok((shown, Some(Key::Of(term))))
            }
            None => Ok((term, None)),
        }
    }
}
