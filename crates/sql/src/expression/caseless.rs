//! `citext`: text that compares without case.
//!
//! In the catalog it is text, which it is read and written as; where values are compared it is a type of
//! its own (<https://www.postgresql.org/docs/15/citext.html>).

use truststream_kernel::Type;
use truststream_services::database::Column;

/// The type by which values of a column compare.
pub fn compared_type(column: &Column) -> Type {
    named(&column.type_name).unwrap_or_else(|| column.ty.clone())
}

/// Whether values of a type compare without case.
pub fn is_caseless(ty: &Type) -> bool {
    matches!(ty, Type::Other(name) if name == "citext")
}

/// The type that compares without case, if a name as SQL means it.
pub(super) fn named(type_name: &str) -> Option<Type> {
    let name = type_name.rsplit('.').next().unwrap_or(type_name).trim_matches('"');
    name.eq_ignore_ascii_case("citext").then(|| Type::Other("citext".into()))
}

/// The text of such a value: an expression has not the order of the column in it.
pub(super) fn as_text(sql: &str) -> String {
    format!("({sql} || '')")
}
