//! Rows that are proposed for insertion, judged before they lie in the table. PostgreSQL asks policies
//! before keys and constraints, so that who may not write a row learns nothing of those it meets.

use rusqlite::params_from_iter;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Error, Result, Value};
use truststream_services::database::{Column, Insert, PolicyCommand, Table, TableName};
use truststream_sql::expression;
use truststream_sql::grants::violated;
use truststream_sql::quote::quote;
use truststream_sql::sqlite::trigger::before;

use super::Write;
use super::insert::reads;
use crate::access::Access;
use crate::error::convert;
use crate::schema::physical;
use crate::{storage, translate};

impl Write<'_> {
    /// Checks a row against the policies on new rows.
    ///
    /// # Errors
    /// 42501 if it does not meet them.
    pub(super) fn check_proposed(
        &self,
        op: &Insert,
        table: &Table,
        columns: &[&Column],
        row: &[Option<Value>],
    ) -> Result<()> {
        let access = Access::of(self.cx).by_columns();
        let mut conditions = Vec::new();
        conditions.extend(access.check(self.schema, &op.table, PolicyCommand::Insert)?);
        if reads(op, table) {
            conditions.extend(access.using(self.schema, &op.table, PolicyCommand::Select)?);
        }
        if conditions.is_empty() {
            return Ok(());
        }
        let (mut names, mut cells) = (Vec::new(), Vec::new());
        for (column, value) in columns.iter().zip(row) {
            let Some(value) = value else { continue };
            names.push(column.name.as_str());
            cells.push(storage::cell(value)?);
        }
        let row = format!("({}) AS {}", self.proposed(&op.table, table, &names)?, physical(&op.table));
        let is_met = |condition: &str| self.is_met(&format!("SELECT 1 FROM {row} WHERE {condition}"), &cells);
        if is_met(&conditions.join(" AND "))? {
            return Ok(());
        }
        let mut asked = access.demands(self.schema, &op.table, (PolicyCommand::Insert, true))?;
        if reads(op, table) {
            asked.extend(access.demands(self.schema, &op.table, (PolicyCommand::Select, false))?);
        }
        for (policy, condition) in &asked {
            if !is_met(condition)? {
                return Err(violated(&op.table, policy.as_deref(), false));
            }
        }
        Err(violated(&op.table, None, false))
    }

    fn is_met(&self, sql: &str, cells: &[Cell]) -> Result<bool> {
        let mut statement = self.conn.sql.prepare_cached(sql).map_err(convert)?;
        statement.exists(params_from_iter(cells)).map_err(convert)
    }

    /// A query that gives the row as it would be: what is given as triggers make it, defaults, and what is
    /// generated of both.
    fn proposed(&self, name: &TableName, table: &Table, names: &[&str]) -> Result<String> {
        let cells: Vec<_> =
            (1..).zip(names).map(|(at, name)| ((*name).to_owned(), format!("?{at}"))).collect();
        let before = before(&self.schema.catalog, (name, table), PolicyCommand::Insert, &cells, None)?;
        let (given, values) = match before {
            Some(before) => (before.columns, before.sql),
            None => {
                let values: Vec<String> = cells.iter().map(|(_, cell)| cell.clone()).collect();
                let names = names.iter().map(|name| (*name).to_owned()).collect();
                (
                    names,
                    if values.is_empty() {
                        "SELECT 1".to_owned()
                    } else {
                        format!("SELECT {}", values.join(", "))
                    },
                )
            }
        };
        let (mut stored, mut generated) = (Vec::new(), Vec::new());
        for column in &table.columns {
            let quoted = quote(&column.name);
            if let Some(text) = &column.generated {
                let scope = translate::of_table(&self.schema.catalog, name);
                let value = expression::value(text, &column.ty, &scope).map_err(Error::from)?;
                generated.push(format!("{value} AS {quoted}"));
            } else if given.contains(&column.name) {
                stored.push(format!("given.{quoted}"));
            } else {
                stored.push(format!("({}) AS {quoted}", self.default(name, column)?));
            }
        }
        let given: Vec<String> = given.iter().map(|name| quote(name)).collect();
        let given = if given.is_empty() { "\"\"".to_owned() } else { given.join(", ") };
        generated.insert(0, "stored.*".to_owned());
        Ok(format!(
            "SELECT {} FROM (WITH given({given}) AS ({values}) SELECT {} FROM given) AS stored",
            generated.join(", "),
            stored.join(", ")
        ))
    }
}
