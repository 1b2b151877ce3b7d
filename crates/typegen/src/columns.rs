//! What may be done with a column when a row is written.

use truststream_services::database::{Column, Identity};

/// How a column is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// An insert must give it.
    Required,
    /// It may be left out.
    Optional,
    /// The database makes it.
    Never,
}

/// How a column is given when a row is inserted.
pub(crate) fn inserted(column: &Column) -> Given {
    if column.generated.is_some() || column.identity == Some(Identity::Always) {
        Given::Never
    } else if column.nullable || column.default.is_some() || column.identity.is_some() {
        Given::Optional
    } else {
        Given::Required
    }
}
