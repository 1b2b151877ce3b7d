//! Who may see a row: asked as whoever wants to see it.

use truststream_kernel::{Caller, Context, Result, Row};
use truststream_services::database::{Authorize, Filter, Operator, Query, Select};

use super::RemoteDatabase;
use super::scan::{RowReader, compared, key_columns, key_of, keyed};
use crate::client::send;

/// Rows asked for by one request: their keys stand in its URL.
const AT_ONCE: usize = 50;

impl RemoteDatabase {
    /// Which of these rows the caller can read at this moment, exactly as they are given.
    ///
    /// A row that is gone, or has changed since, is one that nobody can ask for any more: it is not
    /// shown, except to the service role, whom no policy concerns.
    pub(super) async fn judge(&self, cx: &Context, op: &Authorize) -> Result<Vec<bool>> {
        let above = match &cx.caller {
            Caller::System => true,
            Caller::Role(identity) => identity.role == "service_role",
        };
        if above {
            return Ok(vec![true; op.rows.len()]);
        }
        let catalog = self.catalog();
        let table = keyed(catalog.tables.get(&op.table), &op.table)?;
        let keys = key_columns(table);
        let mut verdicts = Vec::with_capacity(op.rows.len());
        for some in op.rows.chunks(AT_ONCE) {
            let one = |row: &Row| {
                let of_key = key_of(table, row);
                let parts =
                    keys.iter().zip(&of_key).map(|(column, value)| compared(column, Operator::Eq, value));
                Filter::And(parts.collect())
            };
            let reader = RowReader::new(table);
            let filter = Some(Filter::Or(some.iter().map(one).collect()));
            let query = Query { items: reader.items(), filter, ..Query::all() };
            let reply = send(self.select_request(cx, &Select::new(op.table.clone(), query))?, false).await?;
            let seen = match reader.rows(reply) {
                Err(error) if error.code() == "42501" => Vec::new(),
                seen => seen?,
            };
            let same = |row: &Row, there: &Row| {
                row.columns.iter().zip(&row.values).all(|(column, value)| there.get(column) == Some(value))
            };
            verdicts.extend(some.iter().map(|row| seen.iter().any(|there| same(row, there))));
        }
        Ok(verdicts)
    }
}
