//! Comparing both sides row by row while the application goes on writing.

use std::collections::HashMap;

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::TableName;

use crate::Options;
use crate::copy::digest_table;
use crate::follow::Follower;
use crate::progress::Meter;
use crate::record::TableReport;
use crate::signal::Signal;

/// Compares every row of `tables` and returns what was compared.
///
/// The source is read chunk by chunk while it changes. What is read is brought to one moment by the
/// very changes that follow: they are put into the source's digest as they are applied to the
/// target. At that moment the target, which only the follower writes, stands still and is read.
///
/// # Errors
/// `BACKEND_009` naming the tables that differ, after a second look.
pub(crate) async fn verify(
    follower: &mut Follower,
    tables: &[TableName],
    options: &Options,
    meter: &Meter,
    signal: &Signal,
) -> Result<(Vec<TableReport>, u64)> {
    follower.catch_up().await?;
    let mut read = HashMap::new();
    for table in tables {
        let key = follower.keys()[table].clone();
        read.insert(
            table.clone(),
            digest_table(&follower.source, table, &key, options, meter, signal).await?,
        );
    }
    // Everything that was read is at most as new as the end of the feed now; replaying all changes
    // since before the reading brings each key to its last state.
    follower.expected = Some(read);
    let changes = follower.catch_up().await?;
    let expected = follower.expected.take().unwrap_or_default();
    let mut reports = Vec::new();
    let mut differing = Vec::new();
    for table in tables {
        let key = follower.keys()[table].clone();
        let found = digest_table(&follower.target, table, &key, options, meter, signal).await?;
        let wanted = &expected[table];
        let differences = wanted.differences(&found);
        if differences > 0 {
            differing.push(format!("{table} ({differences} rows)"));
        }
        reports.push(TableReport {
            table: table.clone(),
            rows: wanted.len(),
            source: wanted.checksum(),
            target: found.checksum(),
        });
    }
    if differing.is_empty() {
        return Ok((reports, changes));
    }
    let message = format!("the two sides differ in {}", differing.join(", "));
    Err(Error::new(ErrorKind::Conflict, "BACKEND_009", message)
        .with_hint("look for programs that write to the target directly, then start the switch anew"))
}
