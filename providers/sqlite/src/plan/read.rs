//! Reads: rows as one JSON text, and how many they are.

use std::sync::Arc;

use rusqlite::types::Value as Cell;
use truststream_kernel::Result;
use truststream_services::database::{Field, Item, JsonKey, PolicyCommand, Query, TableName};
use truststream_sql::quote::{literal, quote};

use super::cache::Recorder;
use super::field::Term;
use super::{Planner, Scope};
use crate::schema::physical;

/// One member of the objects that are read.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    /// Its name.
    pub(crate) name: String,
    /// Its value as an argument of SQLite's JSON functions.
    pub(crate) json: String,
    /// Its value as it lies in the file.
    pub(crate) term: Term,
}

/// Rows of one table within a statement: `SELECT object FROM from`.
pub(super) struct Level {
    pub(super) fields: Vec<Out>,
    pub(super) object: String,
    pub(super) from: String,
}

impl Level {
    pub(super) fn new(fields: Vec<Out>, from: String) -> Self {
        let members: Vec<String> =
            fields.iter().map(|field| format!("{}, {}", literal(&field.name), field.json)).collect();
        Level { object: format!("json_object({})", members.join(", ")), fields, from }
    }
}

/// Which rows a read is about.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Those that the caller may see and the query matches.
    Table,
    /// Those just written, by row id, in this order.
    Rows(Vec<i64>),
}

impl Source {
    /// The row ids, as SQLite's `json_each` reads them.
    pub(super) fn cell(&self) -> Cell {
        match self {
            Source::Table => Cell::Null,
            Source::Rows(ids) => Cell::Text(serde_json::to_string(ids).unwrap_or_default()),
        }
    }
}

/// A statement ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: Arc<str>,
    pub(crate) parameters: Vec<Cell>,
    pub(crate) fields: Arc<[Out]>,
}

/// A statement, and what was noted while it was planned.
type Planned<'a> = (Statement, Option<Recorder<'a>>);

/// The name of a column or path in a reply.
pub(super) fn name_of(field: &Field) -> String {
    let last_key = field.path.iter().rev().find_map(|step| match &step.key {
        JsonKey::Key(key) => Some(key.clone()),
        JsonKey::Index(_) => None,
    });
    last_key.unwrap_or_else(|| field.name.clone())
}

impl<'a> Planner<'a> {
    fn done(self, sql: String, fields: Vec<Out>) -> Planned<'a> {
        let statement = Statement { sql: sql.into(), parameters: self.parameters, fields: fields.into() };
        (statement, self.recorder)
    }

    /// The rows as one JSON array, and their number.
    pub(super) fn read(mut self, table: &TableName, query: &Query, source: &Source) -> Result<Planned<'a>> {
        let level = self.top(table, query, source)?;
        let sql = format!("SELECT json_group_array({}), count(*) FROM {}", level.object, level.from);
        Ok(self.done(sql, level.fields))
    }

    /// The rows one by one, a result column a field.
    pub(super) fn rows(mut self, table: &TableName, query: &Query, source: &Source) -> Result<Planned<'a>> {
        let level = self.top(table, query, source)?;
        let columns: Vec<&str> = level.fields.iter().map(|field| field.term.sql.as_str()).collect();
        let columns = if columns.is_empty() { "1".to_owned() } else { columns.join(", ") };
        let sql = format!("SELECT {columns} FROM {}", level.from);
        Ok(self.done(sql, level.fields))
    }

    /// How many rows match, whatever the page.
    pub(super) fn count(mut self, table: &TableName, query: &Query) -> Result<Planned<'a>> {
        let scope = self.scope(table);
        let from = self.from(&scope)?;
        let conditions = all(self.conditions(&scope, query)?);
        let sql = format!("SELECT count(*) FROM {from} WHERE {conditions}");
        Ok(self.done(sql, Vec::new()))
    }

    /// Row ids of what a write is about: what the query matches and the caller may see and change.
    pub(super) fn targets(
        mut self,
        table: &TableName,
        query: &Query,
        command: PolicyCommand,
    ) -> Result<Planned<'a>> {
        let scope = self.scope(table);
        let mut conditions = vec![self.allowed(table, command)?];
        // What is not filtered and not returned need not be readable.
        if query.filter.is_some() || !query.items.is_empty() {
            conditions.push(self.allowed(table, PolicyCommand::Select)?);
        }
        let guarded = conditions.into_iter().flatten().collect::<Vec<_>>();
        let name = physical(table);
        let from =
            format!("(SELECT rowid AS rowid, * FROM {name} WHERE {}) AS {}", all(guarded), scope.alias);
        let matched = all(self.conditions(&scope, query)?);
        let order = self.order(&scope, query)?;
        let page = self.page(query);
        let sql = format!("SELECT {}.rowid FROM {from} WHERE {matched}{order}{page}", scope.alias);
        Ok(self.done(sql, Vec::new()))
    }

    fn top(&mut self, table: &TableName, query: &Query, source: &Source) -> Result<Level> {
        let scope = self.scope(table);
        match source {
            Source::Table => {
                let from = self.from(&scope)?;
                self.level(&scope, query, from, Vec::new())
            }
            Source::Rows(_) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.written();
                }
                let list = self.push(source.cell());
                let alias = &scope.alias;
                let from = format!(
                    "(SELECT {alias}.* FROM json_each({list}) AS picked CROSS JOIN {} AS {alias} \
                     ON {alias}.rowid = picked.value ORDER BY picked.key) AS {alias}",
                    physical(table)
                );
                let shown = Query { filter: None, limit: None, offset: 0, ..query.clone() };
                self.level(&scope, &shown, from, Vec::new())
            }
        }
    }

    /// The rows of a table that a query takes, tied to a parent by `ties`.
    pub(super) fn level(
        &mut self,
        scope: &Scope,
        query: &Query,
        from: String,
        mut ties: Vec<String>,
    ) -> Result<Level> {
        ties.extend(self.conditions(scope, query)?);
        let conditions = all(ties);
        if super::group::aggregates(query) {
            return self.groups(scope, query, &from, &conditions);
        }
        let order = self.order(scope, query)?;
        let page = self.page(query);
        let alias = &scope.alias;
        let from = if order.is_empty() && page.is_empty() {
            format!("{from} WHERE {conditions}")
        } else {
            format!("(SELECT {alias}.* FROM {from} WHERE {conditions}{order}{page}) AS {alias}")
        };
        let fields = self.fields(scope, query)?;
        Ok(Level::new(fields, from))
    }

    /// What the filter and the inner embeds of a query demand.
    pub(super) fn conditions(&mut self, scope: &Scope, query: &Query) -> Result<Vec<String>> {
        let mut conditions = Vec::new();
        if let Some(filter) = &query.filter {
            conditions.push(self.filter(scope, query, filter)?);
        }
        for item in &query.items {
            if let Item::Embed(embed) = item
                && embed.inner
            {
                conditions.push(self.embed_exists(scope, embed)?);
            }
        }
        Ok(conditions)
    }

    fn fields(&mut self, scope: &Scope, query: &Query) -> Result<Vec<Out>> {
        let mut fields = Vec::new();
        for item in &query.items {
            match item {
                Item::All => {
                    for column in &self.schema.table(&scope.table)?.columns {
                        let sql = format!("{}.{}", scope.alias, quote(&column.name));
                        fields.push(Out::new(column.name.clone(), Term { sql, ty: column.ty.clone() }));
                    }
                }
                Item::Column { field, alias, cast, .. } => {
                    let term = self.term(scope, field)?;
                    let term = self.cast(term, cast.as_ref())?;
                    fields.push(Out::new(alias.clone().unwrap_or_else(|| name_of(field)), term));
                }
                Item::Embed(embed) => fields.extend(self.embed(scope, embed)?),
                Item::Count { .. } => {}
            }
        }
        Ok(fields)
    }

    /// The rows of a table that the caller may see, under the scope's alias.
    ///
    /// # Errors
    /// 42501 if the caller may not read the table at all.
    pub(super) fn from(&mut self, scope: &Scope) -> Result<String> {
        let name = physical(&scope.table);
        Ok(match self.allowed(&scope.table, PolicyCommand::Select)? {
            None => format!("{name} AS {}", scope.alias),
            Some(policy) => {
                format!("(SELECT * FROM {name} WHERE {policy}) AS {}", scope.alias)
            }
        })
    }

    /// The policies on existing rows of a table; `None` if all rows are open.
    pub(super) fn allowed(&self, table: &TableName, command: PolicyCommand) -> Result<Option<String>> {
        self.access.using(self.schema, table, command)
    }
}

/// All conditions together.
pub(super) fn all(conditions: Vec<String>) -> String {
    if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") }
}
