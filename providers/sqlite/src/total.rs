//! How many rows a read is about in all: counted, or estimated from a sample.

use truststream_kernel::{Context, Result};
use truststream_services::database::{Count, Select, TableKind};

use crate::connection::Conn;
use crate::error::convert;
use crate::plan::{self, Purpose, Source};
use crate::render::number;
use crate::schema::{Schema, physical};

/// Row ids that an estimate looks at, evenly spread over those that a table has had. A table with no
/// more is counted.
const SAMPLE: i64 = 1_000;

/// The total of a read that asks for one.
pub(crate) fn total(conn: &Conn, schema: &Schema, cx: &Context, op: &Select) -> Result<Option<u64>> {
    let count = |purpose, source: &Source| {
        number(conn, &plan::statement(schema, cx, purpose, (&op.table, &op.query), source)?)
    };
    let estimate = || match sample(conn, schema, op)? {
        None => count(Purpose::Count, &Source::Table),
        Some(Sample { ids, of }) => {
            let looked_at = ids.len() as u128;
            let found = u128::from(count(Purpose::Count, &Source::Rows(ids))?);
            let scaled = (found * u128::from(of) + looked_at / 2) / looked_at;
            // As PostgreSQL's planner, which expects at least one row of everything.
            Ok(u64::try_from(scaled).unwrap_or(u64::MAX).max(1))
        }
    };
    Ok(match (op.count, schema.estimate_above) {
        (None, _) => None,
        (Some(Count::Exact), _) | (Some(Count::Estimated), None) => {
            Some(count(Purpose::Count, &Source::Table)?)
        }
        (Some(Count::Planned), _) => Some(estimate()?),
        (Some(Count::Estimated), Some(limit)) => {
            let counted = count(Purpose::CountTo(limit.saturating_add(1)), &Source::Table)?;
            Some(if counted > limit { counted.max(estimate()?) } else { counted })
        }
    })
}

struct Sample {
    ids: Vec<i64>,
    /// The number of ids that they stand for.
    of: u64,
}

/// `None` where all rows are looked at sooner, or have no ids.
fn sample(conn: &Conn, schema: &Schema, op: &Select) -> Result<Option<Sample>> {
    if schema.table(&op.table)?.kind != TableKind::Table {
        return Ok(None);
    }
    let table = physical(&op.table);
    let sql = format!("SELECT (SELECT min(rowid) FROM {table}), (SELECT max(rowid) FROM {table})");
    let ends: (Option<i64>, Option<i64>) = conn
        .sql
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(convert)?;
    let (Some(first), Some(last)) = ends else { return Ok(None) };
    let of = last.abs_diff(first).saturating_add(1);
    if of <= SAMPLE.unsigned_abs() {
        return Ok(None);
    }
    let span = i128::from(of);
    let id = |at: i64| i128::from(first) + i128::from(at) * span / i128::from(SAMPLE);
    let ids = (0..SAMPLE).filter_map(|at| i64::try_from(id(at)).ok()).collect();
    Ok(Some(Sample { ids, of }))
}
