//! How SQLite would run a read, in its own words.

use bytes::Bytes;
use rusqlite::params_from_iter;
use serde_json::{Value as Json, json};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Page, PlanFormat};

use crate::connection::Conn;
use crate::error::convert;
use crate::plan::Statement;

/// A step of a plan, and the step it is part of (0 for none).
struct Step {
    id: i64,
    parent: i64,
    detail: String,
}

/// The plan of a statement, which is not run.
///
/// # Errors
/// 0A000 for options: SQLite plans without measuring.
pub(crate) fn explain(conn: &Conn, statement: &Statement, format: &PlanFormat) -> Result<Page> {
    if let Some(option) = format.options.first() {
        return Err(Error::unsupported(format!(
            "SQLite has no option \"{option}\" for plans: ask for the plan without options"
        )));
    }
    let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let mut prepared = conn.sql.prepare(&sql).map_err(convert)?;
    let steps = prepared
        .query_map(params_from_iter(&statement.parameters), |row| {
            Ok(Step { id: row.get(0)?, parent: row.get(1)?, detail: row.get(3)? })
        })
        .and_then(|rows| rows.collect::<rusqlite::Result<Vec<_>>>())
        .map_err(convert)?;
    let body = if format.json {
        json!([{ "Plan": { "Node Type": "Query", "Plans": nodes(&steps, 0) } }]).to_string()
    } else {
        let mut text = String::from("Query");
        lines(&steps, 0, 1, &mut text);
        text
    };
    Ok(Page { body: Bytes::from(body), rows: 1, ..Page::default() })
}

fn nodes(steps: &[Step], parent: i64) -> Vec<Json> {
    let within = steps.iter().filter(|step| step.parent == parent);
    let node = |step: &Step| match nodes(steps, step.id) {
        inner if inner.is_empty() => json!({ "Node Type": step.detail }),
        inner => json!({ "Node Type": step.detail, "Plans": inner }),
    };
    within.map(node).collect()
}

fn lines(steps: &[Step], parent: i64, depth: usize, out: &mut String) {
    for step in steps.iter().filter(|step| step.parent == parent) {
        out.push_str(&format!("\n{}->  {}", "  ".repeat(depth), step.detail));
        lines(steps, step.id, depth + 1, out);
    }
}
