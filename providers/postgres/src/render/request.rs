//! Whole statements: the rows, how many, their representation, and what functions said of the
//! reply.

use truststream_kernel::Result;
use truststream_services::database::{Count, Format, Media, PlanFormat, Query, Select, Table};

use super::body::{Representation, Shape, negotiate};
use super::read::{RETURNED, count_rows, rows};
use crate::pieces::PIECE;
use crate::plan::{Node, Source};
use crate::schema::Schema;
use crate::sql::Sql;

/// A statement ready to run. Its one row has the columns total, rows, body, headers, status,
/// location, inserted; a plan has a text line a row.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: Sql,
    /// Media type decided by a handler.
    pub(crate) media_type: Option<String>,
    /// It is explained, not run.
    pub(crate) plan: bool,
    /// Its body comes in pieces, a row each; the other columns are the same in all of them.
    pub(crate) pieces: bool,
}

/// What stands around the rows.
pub(super) struct Frame<'f> {
    pub(super) representation: &'f Representation,
    pub(super) shape: Shape,
    pub(super) format: &'f Format,
    pub(super) total: &'f str,
    pub(super) location: &'f str,
    pub(super) inserted: &'f str,
    /// The common table expression that the rows of the reply come from as they are.
    pub(super) shown: &'static str,
    /// The reply may have any number of rows.
    pub(super) long: bool,
}

/// The rows that a reply shows of what was returned are a common table expression of this name where it has
/// to be asked twice.
pub(super) const SHOWN: &str = "pgrst_shown";

/// Rows of a reply that is sure to be small enough to come at once.
const SHORT: u64 = 100;

/// Whether a query may give any number of rows.
pub(super) fn is_long(query: &Query, table: Option<&Table>) -> bool {
    let by_key = || query.filter.as_ref().zip(table).is_some_and(|(filter, table)| table.is_keyed_by(filter));
    query.limit.is_none_or(|limit| limit > SHORT) && !by_key()
}

impl Frame<'_> {
    /// Whether the body comes in pieces.
    fn pieces(&self) -> bool {
        let texts = [Representation::Json, Representation::Csv, Representation::GeoJson];
        let many = matches!(self.shape, Shape::Rows | Shape::Scalars)
            && !matches!(self.format.media, Media::Plan(_));
        self.long && self.format.spooled && many && texts.contains(self.representation)
    }

    /// `SELECT` of the reply's columns, up to `FROM`.
    pub(super) fn open(&self, sql: &mut Sql) {
        let counted = match self.shape {
            Shape::Scalars => "_postgrest_t.pgrst_scalar",
            _ => "_postgrest_t",
        };
        let body = self.representation.expression(self.shape, self.format.strip_nulls, self.shown);
        let (opening, body) = match self.pieces() {
            true => (", pgrst_page AS (", format!("pg_catalog.convert_to({body}, 'UTF8')")),
            false => (" ", body),
        };
        sql.push(opening).push("SELECT ").push(self.total).push(" AS total, pg_catalog.count(").push(counted);
        sql.push(") AS page, ").push(&body).push(
            " AS body, nullif(current_setting('response.headers', true), '') AS headers, \
             nullif(current_setting('response.status', true), '') AS status, ",
        );
        sql.push(self.location).push(" AS location, ").push(self.inserted).push(" AS inserted");
        self.answers(sql);
        sql.push(" FROM ");
    }

    /// The whole of a reply with what `rows` takes of what a write or a call returned.
    pub(super) fn around(
        &self,
        mut sql: Sql,
        rows: impl FnOnce(&mut Sql) -> Result<()>,
    ) -> Result<Statement> {
        // CSV's first line has the names of what is shown, which is less than what was returned.
        let twice = *self.representation == Representation::Csv;
        sql.documents = self.representation.is_handler();
        if twice {
            sql.push(&format!(", {SHOWN} AS ("));
            rows(&mut sql)?;
            sql.push(")");
            self.open(&mut sql);
            sql.push(&format!("(SELECT * FROM {SHOWN}"));
        } else {
            self.open(&mut sql);
            sql.push("(");
            rows(&mut sql)?;
        }
        sql.push(") _postgrest_t");
        Ok(self.finish(sql))
    }

    /// What the statement gives ends here.
    fn answers(&self, sql: &mut Sql) {
        if !matches!(self.format.media, Media::Plan(_)) {
            sql.answers_at = Some(sql.text.len());
        }
    }

    pub(super) fn finish(&self, mut sql: Sql) -> Statement {
        let pieces = self.pieces();
        if pieces {
            sql.push(&format!(
                ") SELECT total, page, headers, status, location, inserted, \
                 pg_catalog.substring(body, at, {PIECE}) AS body"
            ));
            self.answers(&mut sql);
            sql.push(&format!(
                " FROM pgrst_page, LATERAL \
                 pg_catalog.generate_series(1, greatest(pg_catalog.length(body), 1), {PIECE}) AS at"
            ));
        }
        if let Media::Plan(plan) = &self.format.media {
            sql.text.insert_str(0, &explain(plan));
        }
        let plan = matches!(self.format.media, Media::Plan(_));
        Statement { sql, media_type: self.representation.media_type().map(str::to_owned), plan, pieces }
    }
}

pub(super) const NO_TOTAL: &str = "null::bigint";
pub(super) const TOTAL: &str = "(SELECT pg_catalog.count(*) FROM pgrst_source_count)";

/// A read.
pub(crate) fn select(schema: &Schema, op: &Select, estimate_above: Option<u64>) -> Result<Statement> {
    schema.table(&op.table)?;
    let node = Node::plan(schema, &op.table, Source::Table, &op.query)?;
    let whole_rows = node.is_whole_rows();
    let representation = negotiate(schema, &op.table, &op.format, whole_rows)?;
    let mut sql = Sql::new(format!("WITH {RETURNED} AS ("));
    sql.documents = representation.is_handler();
    rows(&mut sql, schema, &node, None)?;
    sql.push(")");
    let counts = counts(op.count);
    if counts {
        total_of(&mut sql, schema, &node, op.count, estimate_above);
    }
    let frame = Frame {
        representation: &representation,
        shape: Shape::Rows,
        format: &op.format,
        total: if counts { TOTAL } else { NO_TOTAL },
        location: "null::text",
        inserted: "null::text",
        shown: RETURNED,
        long: is_long(&op.query, schema.catalog.table(&op.table)),
    };
    frame.open(&mut sql);
    sql.push(&format!("(SELECT * FROM {RETURNED}) _postgrest_t"));
    Ok(frame.finish(sql))
}

/// Whether rows are counted one by one.
pub(super) fn counts(count: Option<Count>) -> bool {
    matches!(count, Some(Count::Exact | Count::Estimated))
}

/// The common table expression that the total is counted from.
pub(super) fn total_of(
    sql: &mut Sql,
    schema: &Schema,
    node: &Node<'_>,
    count: Option<Count>,
    estimate_above: Option<u64>,
) {
    sql.push(", pgrst_source_count AS (");
    count_rows(sql, schema, node, None);
    if let (Some(Count::Estimated), Some(limit)) = (count, estimate_above) {
        sql.push(" LIMIT ").bind(limit.saturating_add(1).to_string());
    }
    sql.push(")");
}

/// The query whose plan tells the estimated total.
pub(crate) fn counted_estimate(schema: &Schema, op: &Select) -> Result<Sql> {
    let node = Node::plan(schema, &op.table, Source::Table, &op.query)?;
    let mut sql = Sql::new("EXPLAIN (FORMAT JSON) ");
    count_rows(&mut sql, schema, &node, None);
    Ok(sql)
}

fn explain(plan: &PlanFormat) -> String {
    let mut options = vec![if plan.json { "FORMAT JSON" } else { "FORMAT TEXT" }.to_owned()];
    for option in ["analyze", "verbose", "settings", "buffers", "wal"] {
        if plan.options.iter().any(|wanted| wanted == option) {
            options.push(option.to_uppercase());
        }
    }
    format!("EXPLAIN ({}) ", options.join(", "))
}

impl Node<'_> {
    /// `select=*` and nothing else: handlers take whole rows.
    pub(super) fn is_whole_rows(&self) -> bool {
        self.embeds.is_empty() && matches!(&self.select[..], [item] if item.is_all())
    }
}
