//! Checks of tables, and those of one partition alone.

use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, Check, TableName};

use crate::expression::{Scope, condition};
use crate::partitions;

/// The condition of a check on the rows of a table. Rows of other partitions meet one of a partition alone.
///
/// # Errors
/// What can't be translated; 0A000 for a partition whose rows only PostgreSQL knows.
pub fn check(catalog: &Catalog, table: &TableName, check: &Check) -> Result<String> {
    let holds = condition(&check.expression, &Scope::of_table(catalog, table)).map_err(Error::from)?;
    let Some(name) = &check.partition else { return Ok(holds) };
    let found = catalog.partition(name).ok_or_else(|| Error::internal("a check of no partition"))?;
    Ok(format!("NOT ({}) OR ({holds})", partitions::only(catalog, table, found.1)?))
}
