//! Statements in PostgreSQL's own SQL, their rows as JSON.

use bytes::Bytes;
use futures::TryStreamExt;
use postgres_types::{ToSql, Type};
use serde_json::{Map, Value as Json};
use tokio_postgres::Row;
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{Page, Raw};

use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::sql::Sql;
use crate::transaction::{Open, Scope};
use crate::wire::{Param, Raw as Bare};

impl PostgresDriver {
    pub(crate) async fn run_raw(&self, cx: &Context, op: &Raw) -> Result<Page> {
        let scope = Scope { schema: "public".to_owned(), read_only: op.read_only, ..Scope::default() };
        let open = self.shared.transactions.open(cx, &scope).await?;
        let answered = open.raw(op).await;
        let ended = open.end(answered.is_ok()).await;
        answered.and_then(|page| ended.map(|()| page))
    }
}

impl Open {
    /// Runs one statement. What can stand in a `with` has its rows put together by PostgreSQL; what
    /// returns nothing tells how many rows it touched.
    pub(crate) async fn raw(&self, op: &Raw) -> Result<Page> {
        let sql = op.sql.trim().trim_end_matches(';');
        let params: Vec<Param> = op.parameters.iter().map(param).collect();
        // Also makes sure that it is one statement: two can't be prepared.
        let statement = self.client().prepare(sql).await.map_err(failed)?;
        if let Some(missing) = (params.len() < statement.params().len()).then_some(params.len() + 1) {
            let message = format!("there is no parameter ${missing}");
            return Err(Error::new(ErrorKind::InvalidInput, "42P02", message));
        }
        if statement.columns().is_empty() {
            let params = typed(&params);
            let rows = self.client().execute_typed(sql, &params).await.map_err(failed)?;
            return Ok(Page { body: Bytes::from_static(b"[]"), rows, ..Page::default() });
        }
        if stands_alone(sql) {
            let rows: Vec<Row> = self
                .client()
                .query_typed_raw(sql, op.parameters.iter().map(|json| (param(json), Type::UNKNOWN)))
                .await
                .map_err(failed)?
                .try_collect()
                .await
                .map_err(failed)?;
            return texts(&rows);
        }
        let text = format!(
            "with truststream_rows as (\n{sql}\n) select \
             coalesce(json_agg(row_to_json(truststream_rows)), '[]')::text as body, count(*) as page \
             from truststream_rows"
        );
        let rows = self.query(&Sql { text, params, ..Sql::default() }).await?;
        let Some(row) = rows.first() else { return Ok(Page::default()) };
        let body: &str = row.try_get("body").map_err(failed)?;
        let count: i64 = row.try_get("page").map_err(failed)?;
        let rows = u64::try_from(count).unwrap_or_default();
        Ok(Page { body: Bytes::copy_from_slice(body.as_bytes()), rows, ..Page::default() })
    }
}

/// Statements with columns that are no part of another one; their columns are texts.
fn stands_alone(sql: &str) -> bool {
    let first = sql.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["explain", "show"].iter().any(|word| first.eq_ignore_ascii_case(word))
}

fn texts(rows: &[Row]) -> Result<Page> {
    let mut list = Vec::with_capacity(rows.len());
    for row in rows {
        let mut object = Map::new();
        for (index, column) in row.columns().iter().enumerate() {
            let value: Option<Bare<'_>> = row.try_get(index).map_err(failed)?;
            let value = value.map(|Bare(bytes)| Json::from(String::from_utf8_lossy(bytes)));
            object.insert(column.name().to_owned(), value.unwrap_or_default());
        }
        list.push(Json::Object(object));
    }
    let rows = list.len() as u64;
    Ok(Page { body: Json::Array(list).to_string().into(), rows, ..Page::default() })
}

fn param(value: &Json) -> Param {
    match value {
        Json::Null => Param::NULL,
        Json::String(text) => Param::from(text.clone()),
        other => Param::from(other.to_string()),
    }
}

fn typed(params: &[Param]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    params.iter().map(|param| (param as _, Type::UNKNOWN)).collect()
}
