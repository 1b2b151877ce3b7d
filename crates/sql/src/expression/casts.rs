//! Casts by which values of domains are shown and read.

use truststream_kernel::Type;
use truststream_services::database::{Cast, Catalog, Function};

use super::routines::parameter_type;
use super::translate::Translator;
use super::{Scope, Term, Unsupported};
use crate::schema::cast_ends;

/// What the function of a cast makes of a value of this type, and the type of that.
///
/// # Errors
/// What can't be translated; 42501 where the function is closed to the scope's caller.
pub fn cast_value(
    function: &Function,
    (sql, ty): (&str, &Type),
    scope: &Scope<'_>,
) -> Result<(String, Type), Unsupported> {
    let mut translator = Translator::new(scope);
    let known = function.parameters.first().map(|parameter| parameter_type(scope.catalog, parameter));
    let taken = known.ok_or_else(|| Unsupported::new(&function.name, "a cast by a function of no value"))?;
    let value = translator.coerced(Term::new(sql, ty.clone()), &taken)?;
    let term = translator.call_of(function, vec![value])?;
    let ty = term.known().cloned().unwrap_or(Type::Text);
    Ok((term.sql, ty))
}

/// The casts of a catalog that can't be part of a query, of those that another one had not.
pub(crate) fn unheld_casts(before: &Catalog, catalog: &Catalog) -> Vec<String> {
    let function = |catalog: &Catalog, cast: &Cast| catalog.cast_function(cast).cloned();
    let new = catalog
        .casts
        .iter()
        .filter(|cast| !before.casts.contains(cast) || function(before, cast) != function(catalog, cast));
    let fault = |cast: &Cast| {
        let function = catalog.cast_function(cast)?;
        let scope = Scope::new(catalog);
        let ty = parameter_type(catalog, function.parameters.first()?);
        // What is missing was let pass when the function was made: its body is read when it is called.
        let missing = |error: &Unsupported| matches!(error.code.as_deref(), Some("42883" | "42P01"));
        let error = cast_value(function, ("value", &ty), &scope).err().filter(|error| !missing(error))?;
        let (from, to) = cast_ends(cast, ToString::to_string);
        Some(format!("cast from {from} to {to}: {error}"))
    };
    new.filter_map(fault).collect()
}
