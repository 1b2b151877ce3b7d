//! Tables read in key order, and who may see rows given by value.

use futures::join;
use truststream_kernel::{Caller, Context, Result};
use truststream_services::database::{Authorize, Chunk, Column, Policy, PolicyCommand, Scan};
use truststream_sql::quote::{literal, qualified, quote};

use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::feed::position_of;
use crate::rows::{RowReader, key_columns, keyed, text_columns, to_texts, typed};
use crate::sql::Sql;
use crate::transaction::{Scope, query_text};
use crate::wire::Param;

impl PostgresDriver {
    pub(crate) async fn read_chunk(&self, op: &Scan) -> Result<Chunk> {
        let schema = self.schema();
        let table = keyed(&schema, &op.table)?;
        let keys = key_columns(table);
        let own = |column: &Column| format!("t.{}", quote(&column.name));
        let names: Vec<String> = keys.iter().map(|column| own(column)).collect();
        let all: Vec<String> = table.columns.iter().map(own).collect();
        // One statement, one snapshot: the position belongs to exactly these rows.
        let mut sql = Sql::new(format!(
            "select pg_current_snapshot()::text, coalesce(array_agg(chunk.record), '{{}}') \
             from (select row({})::text as record from {} as t",
            all.join(", "),
            qualified(&op.table)
        ));
        if let Some(after) = &op.after {
            sql.push(&format!(" where ({}) > (", names.join(", ")));
            sql.list(after.iter().zip(&keys), ", ", |sql, (value, column)| {
                let text = value.to_text_as(&column.ty);
                sql.param(text.map_or(Param::NULL, Param::from)).push("::").push(&column.type_name);
            });
            sql.push(")");
        }
        sql.push(&format!(" order by {} limit ", names.join(", ")))
            .bind(op.limit.to_string())
            .push(") chunk");
        let connection = self.shared.transactions.connections().lease().await?;
        let (begun, rows, ended) = join!(
            connection.begin(" read only"),
            query_text(&connection, &sql),
            connection.batch_execute("commit")
        );
        begun.and(ended.map_err(failed))?;
        connection.give_back();
        let rows = rows?;
        let Some(row) = rows.first() else {
            return Err(truststream_kernel::Error::internal("a scan returned nothing"));
        };
        let (snapshot, records): (&str, Vec<&str>) =
            (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        let reader = RowReader::new(table);
        let rows = records.into_iter().map(|record| reader.row(record)).collect::<Result<_>>()?;
        Ok(Chunk { rows, position: position_of(snapshot)? })
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
