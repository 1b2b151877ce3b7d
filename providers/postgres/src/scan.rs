//! Tables read in key order, and who may see rows given by value.

use futures::join;
use truststream_kernel::{Caller, Context, Error, Result};
use truststream_services::database::{Authorize, Chunk, Column, Policy, PolicyCommand, Scan, Table};
use truststream_sql::quote::{literal, qualified, quote};

use crate::cells::CellReader;
use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::feed::position_of;
use crate::rows::{key_columns, keyed, text_columns, to_texts, typed};
use crate::sql::Sql;
use crate::transaction::{Scope, query_text};
use crate::wire::Param;

impl PostgresDriver {
    pub(crate) async fn read_chunk(&self, op: &Scan) -> Result<Chunk> {
        let schema = self.schema();
        let table = keyed(&schema, &op.table)?;
        let cells = CellReader::new(table);
        let sql = chunk_of(table, &cells, op);
        let connection = self.shared.transactions.connections().lease().await?;
        // One snapshot for both statements: the position belongs to exactly these rows.
        let (begun, snapshot, rows, ended) = join!(
            connection.begin(" isolation level repeatable read read only"),
            connection.query_typed("select pg_current_snapshot()::text", &[]),
            query_text(&connection, &sql),
            connection.batch_execute("commit")
        );
        begun.and(ended.map_err(failed))?;
        connection.give_back();
        let (snapshot, rows) = (snapshot.map_err(failed)?, rows?);
        let snapshot = snapshot.first().ok_or_else(|| Error::internal("a scan has no snapshot"))?;
        let position = position_of(snapshot.try_get(0).map_err(failed)?)?;
        Ok(Chunk { rows: rows.iter().map(|row| cells.row(row)).collect::<Result<_>>()?, position })
    }

    /// One verdict a row: what the caller's `select` policies say of it.
    pub(crate) async fn verdicts(&self, cx: &Context, op: &Authorize) -> Result<Vec<bool>> {
        let Caller::Role(identity) = &cx.caller else { return Ok(vec![true; op.rows.len()]) };
        if op.rows.is_empty() {
            return Ok(Vec::new());
        }
        let schema = self.schema();
        let table = schema.table(&op.table)?;
        let condition = condition(&table.policies, &identity.role);
        let name = literal(&qualified(&op.table));
        let columns: Vec<&Column> = table.columns.iter().collect();
        let fields: Vec<String> = columns.iter().map(|column| typed(column)).collect();
        // Rows of the table's own type, which policies may hand to functions; by texts, for a row as
        // JSON could not tell null from the JSON null.
        let mut sql = Sql::new(format!(
            "select has_table_privilege(current_user, {name}, 'select') and \
             (not row_security_active({name}) or coalesce({condition}, false)) \
             from unnest((select array_agg(row({})::{}) from json_to_recordset(",
            fields.join(", "),
            qualified(&op.table)
        ));
        sql.bind(to_texts(table, &op.rows)).push(&format!(
            "::json) as k({}))) as {}",
            text_columns(&columns),
            quote(&op.table.name)
        ));
        let scope = Scope { schema: op.table.schema.clone(), read_only: true, ..Scope::default() };
        self.shared
            .transactions
            .run(cx, &scope, &sql, |rows| rows.iter().map(|row| row.try_get(0).map_err(failed)).collect())
            .await
    }
}

/// The statement that reads a chunk.
pub(crate) fn chunk_of(table: &Table, cells: &CellReader, op: &Scan) -> Sql {
    let keys = key_columns(table);
    let names: Vec<String> = keys.iter().map(|column| format!("t.{}", quote(&column.name))).collect();
    let mut sql = Sql::new(format!("select {} from {} as t", cells.list(table), qualified(&op.table)));
    let beyond = if op.backwards { "<" } else { ">" };
    let bounds = [(beyond, &op.after), (if op.backwards { ">=" } else { "<=" }, &op.until)];
    let given = bounds.into_iter().filter_map(|(test, key)| Some((test, key.as_ref()?)));
    for (index, (test, key)) in given.enumerate() {
        let word = if index == 0 { "where" } else { "and" };
        sql.push(&format!(" {word} ({}) {test} (", names.join(", ")));
        sql.list(key.iter().zip(&keys), ", ", |sql, (value, column)| {
            let text = value.to_text_as(&column.ty);
            sql.param(text.map_or(Param::NULL, Param::from)).push("::").push(&column.type_name);
        });
        sql.push(")");
    }
    let direction = if op.backwards { " desc" } else { "" };
    let order: Vec<String> = names.iter().map(|name| format!("{name}{direction}")).collect();
    sql.push(&format!(" order by {} limit ", order.join(", "))).bind(op.limit.to_string());
    sql
}

/// Any permissive policy and every restrictive one.
fn condition(policies: &[Policy], role: &str) -> String {
    let applies = |policy: &&Policy| {
        matches!(policy.command, PolicyCommand::All | PolicyCommand::Select)
            && (policy.roles.is_empty() || policy.roles.iter().any(|name| name == role || name == "public"))
    };
    let expressions = |permissive: bool| -> Vec<String> {
        policies
            .iter()
            .filter(applies)
            .filter(|policy| policy.permissive == permissive)
            .map(|policy| format!("({})", policy.using.as_deref().unwrap_or("true")))
            .collect()
    };
    let permissive = expressions(true);
    if permissive.is_empty() {
        return "false".to_owned();
    }
    let mut all = vec![format!("({})", permissive.join(" or "))];
    all.extend(expressions(false));
    all.join(" and ")
}
