//! Domains whose values are shown and read through casts: their functions are computed in process, of each
//! value that is shown and of each that a body or a filter brings.

use std::sync::Arc;

use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{
    CastDirection, Catalog, Column, Comparison, Field, Filter, Function, Operand, Operator, errors,
};
use truststream_sql::evaluate::Computed;
use truststream_sql::schema::{enum_table, name_within};

use crate::plan::{Place, Planner};

/// How the values of a column are shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    by: Arc<Computed>,
    /// Whether it is called as its column is, by which PostgreSQL groups what it is made of.
    pub(crate) named: bool,
    /// Whether the row need not be there: of none nothing is shown.
    pub(crate) spread: bool,
}

impl Shown {
    /// What is shown of a value.
    pub(crate) fn value(&self, value: Value) -> Result<(Value, Type)> {
        Ok((self.by.value(value)?, self.by.ty().clone()))
    }
}

/// What a cast of a column's domain makes of its values, or of what stands for them; `None` without a cast.
///
/// # Errors
/// 42501 if the function is closed to the caller.
pub(crate) fn cast_of(
    planner: &Planner<'_>,
    column: &Column,
    direction: CastDirection,
) -> Result<Option<Computed>> {
    let catalog = &planner.schema.catalog;
    let Some(function) = catalog.representation(column, direction) else { return Ok(None) };
    Computed::of(catalog, function, planner.caller.role()).map(Some).map_err(Error::from)
}

/// How a column is shown, where a cast of its domain says so; `named` if it has its own name in the reply.
///
/// # Errors
/// Those of [`cast_of`].
pub(crate) fn shown(planner: &Planner<'_>, column: &Column, named: bool) -> Result<Option<Shown>> {
    let by = cast_of(planner, column, CastDirection::ToJson)?;
    Ok(by.map(|by| Shown { by: Arc::new(by), named, spread: false }))
}

/// A filter whose literals are read by the casts of their columns' domains.
///
/// # Errors
/// 42883 for patterns of what is no text, those of wrong literals.
pub(crate) fn read(planner: &Planner<'_>, place: &Place, filter: &Filter) -> Result<Filter> {
    let all = |parts: &[Filter]| parts.iter().map(|part| read(planner, place, part)).collect::<Result<_>>();
    Ok(match filter {
        Filter::And(parts) => Filter::And(all(parts)?),
        Filter::Or(parts) => Filter::Or(all(parts)?),
        Filter::Not(inner) => Filter::Not(Box::new(read(planner, place, inner)?)),
        Filter::Compare(comparison) => Filter::Compare(compared(planner, place, comparison)?),
    })
}

/// Whether literals may be read by casts at all.
pub(crate) fn is_needed(planner: &Planner<'_>) -> bool {
    !planner.schema.catalog.casts.is_empty()
}

fn compared(planner: &Planner<'_>, place: &Place, comparison: &Comparison) -> Result<Comparison> {
    let Comparison { field, operator, quantifier, operand } = comparison;
    let untouched = || Ok(comparison.clone());
    let Some(column) = column(planner, place, field) else { return untouched() };
    let Some(reader) = cast_of(planner, column, CastDirection::FromText)? else { return untouched() };
    if matches!(operator, Operator::FullText(..)) || matches!(operand, Operand::Is(_)) {
        return untouched();
    }
    let is_text = matches!(column.ty, Type::Text | Type::Varchar(_) | Type::Char(_));
    let name = name_within(&place.table.schema, &column.type_name);
    let sign = match operator {
        Operator::Like => Some(("~~", "unknown")),
        Operator::Ilike => Some(("~~*", "unknown")),
        Operator::Match => Some(("~", name.as_str())),
        Operator::Imatch => Some(("~*", name.as_str())),
        _ => None,
    };
    match sign {
        Some((sign, right)) if !is_text => return Err(errors::no_operator(&name, sign, right)),
        Some((_, "unknown")) => return untouched(),
        Some(_) => return Err(Error::unsupported("a pattern that a cast of its domain reads")),
        None => {}
    }
    if quantifier.is_some() {
        let message = "op ANY/ALL (array) requires array on right side";
        return Err(Error::new(ErrorKind::InvalidInput, "42809", message));
    }
    let one = |text: &String| -> Result<String> {
        let read = reader.value(Value::Text(text.clone()))?;
        let text = read.to_text_as(&column.ty);
        text.ok_or_else(|| Error::unsupported("a literal that its cast reads as null"))
    };
    let operand = match operand {
        Operand::Text(text) => Operand::Text(one(text)?),
        Operand::List(texts) => Operand::List(texts.iter().map(one).collect::<Result<_>>()?),
        other => other.clone(),
    };
    Ok(Comparison { operand, ..comparison.clone() })
}

/// The column of a domain that a field is.
fn column<'a>(planner: &Planner<'a>, place: &Place, field: &Field) -> Option<&'a Column> {
    let schema = planner.schema;
    let column = schema.catalog.table(&place.table)?.column(&field.name)?;
    let is_domain = schema.catalog.domains.contains_key(&enum_table(&column.type_name));
    (is_domain && field.path.is_empty()).then_some(column)
}

/// Whether a function can be computed in process, or may be once functions that come later are there.
pub(crate) fn is_computed(catalog: &Catalog, function: &Function, unchecked: bool) -> bool {
    match Computed::of(catalog, function, None) {
        Ok(_) => true,
        Err(error) => unchecked && error.code.as_deref() == Some("42883"),
    }
}

/// The casts that can't be computed, of those that another catalog had not.
pub(crate) fn faults(before: &Catalog, after: &Catalog) -> Vec<String> {
    let new = after.casts.iter().filter(|cast| {
        !before.casts.contains(cast) || before.cast_function(cast) != after.cast_function(cast)
    });
    let fault = |function: &Function| {
        let error = Computed::of(after, function, None).err()?;
        // What is missing was let pass when the function was made: its body is read when it is called.
        let missing = error.code.as_deref() == Some("42883");
        (!missing).then(|| format!("a cast by function {}: {error}", function.name))
    };
    new.filter_map(|cast| after.cast_function(cast)).filter_map(fault).collect()
}
