//! Reads whose rows are taken as values.

use truststream_kernel::Result;
use truststream_services::database::{Media, Select};

use super::body::{Representation, negotiate};
use super::read::rows;
use crate::plan::{Node, Source};
use crate::schema::Schema;
use crate::sql::Sql;

/// The rows themselves, with nothing around them: `None` where a reply is more than its rows, or not
/// what JSON would be made of.
pub(crate) fn select_values(schema: &Schema, op: &Select) -> Result<Option<Sql>> {
    let plain = matches!(op.format.media, Media::Json | Media::Object) && !op.format.strip_nulls;
    if !plain || op.count.is_some() {
        return Ok(None);
    }
    schema.table(&op.table)?;
    let node = Node::plan(schema, &op.table, Source::Table, &op.query)?;
    match negotiate(schema, &op.table, &op.format, node.is_whole_rows())? {
        Representation::Json | Representation::Object => {}
        _ => return Ok(None),
    }
    let mut sql = Sql::default();
    rows(&mut sql, schema, &node, None)?;
    Ok(Some(sql))
}
