//! Reads: the rows of a reply, a result column a field.

use std::sync::Arc;

use rusqlite::types::Value as Cell;
use truststream_kernel::{Result, Type};
use truststream_services::database::{
    Aggregate, AggregateFunction, Field, Item, JsonKey, PolicyCommand, Query, Table, TableKind, TableName,
    errors,
};
use truststream_sql::composite::Composite;
use truststream_sql::quote::{literal, quote};

use super::cache::Recorder;
use super::field::Term;
use super::part::{Origin, Part, counted};
use super::represented::Key;
use super::{Planner, Scope};
use crate::schema::{Schema, physical};
use crate::translate;

/// One member of the objects that are read.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    /// Its name.
    pub(crate) name: String,
    /// Its name as it stands in an object: `"name":`.
    pub(crate) key: String,
    /// Its value as an argument of SQLite's JSON functions.
    pub(crate) json: String,
    /// Its value as it lies in the file.
    pub(crate) term: Term,
    /// The composite type of the value: what lies in the file is a text, what is shown an object.
    pub(crate) record: Option<Arc<Composite>>,
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
    /// The row id, or several as SQLite's `json_each` reads them.
    pub(super) fn cell(&self) -> Cell {
        match self {
            Source::Table => Cell::Null,
            Source::Rows(ids) if ids.len() == 1 => Cell::Integer(ids[0]),
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
    /// Names of the fields.
    pub(crate) names: Arc<[String]>,
}

impl Statement {
    /// A query whose columns are known.
    pub(crate) fn of(
        schema: &Schema,
        sql: String,
        parameters: Vec<Cell>,
        columns: Vec<(String, Type)>,
    ) -> Self {
        let field = |(name, ty): (String, Type)| Out::new(schema, name, Term { sql: String::new(), ty });
        Statement::new(sql, parameters, columns.into_iter().map(field).collect())
    }

    pub(super) fn new(sql: String, parameters: Vec<Cell>, fields: Vec<Out>) -> Self {
        let names = fields.iter().map(|field| field.name.clone()).collect();
        Statement { sql: sql.into(), parameters, fields: fields.into(), names }
    }
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
        (Statement::new(sql, self.parameters, fields), self.recorder)
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
    pub(super) fn count(
        mut self,
        (table, query): (&TableName, &Query),
        source: &Source,
        most: Option<u64>,
    ) -> Result<Planned<'a>> {
        self.counting = true;
        let scope = self.scope(table);
        let from = match source {
            Source::Table => self.from(&scope)?,
            Source::Rows(_) => self.sampled(&scope, source)?,
        };
        let conditions = all(self.conditions(&scope, query)?);
        let sql = match most {
            None => format!("SELECT count(*) FROM {from} WHERE {conditions}"),
            Some(most) => {
                let most = self.bind(Cell::Integer(i64::try_from(most).unwrap_or(i64::MAX)));
                format!("SELECT count(*) FROM (SELECT 1 FROM {from} WHERE {conditions} LIMIT {most})")
            }
        };
        Ok(self.done(sql, Vec::new()))
    }

    /// Those of some rows of a table that the caller may see.
    fn sampled(&mut self, scope: &Scope, source: &Source) -> Result<String> {
        if let Some(recorder) = &mut self.recorder {
            recorder.written();
        }
        let list = self.push(source.cell());
        let (name, alias) = (physical(&scope.table), &scope.alias);
        let policy = self.allowed(&scope.table, PolicyCommand::Select)?;
        let policy = policy.map_or_else(String::new, |policy| format!(" AND {policy}"));
        Ok(format!(
            "(SELECT * FROM {name} WHERE rowid IN (SELECT value FROM json_each({list})){policy}) AS {alias}"
        ))
    }

    /// Row ids of what a write is about: what the query matches and the caller may see and change.
    pub(super) fn targets(
        mut self,
        (table, query): (&TableName, &Query),
        command: PolicyCommand,
        returns: bool,
    ) -> Result<Planned<'a>> {
        let scope = self.scope(table);
        let mut conditions = vec![self.allowed(table, command)?];
        // What is not filtered and not returned need not be readable.
        let reads = returns || query.picks();
        if reads {
            conditions.push(self.allowed(table, PolicyCommand::Select)?);
        }
        let guarded = conditions.into_iter().flatten().collect::<Vec<_>>();
        let from = match self.schema.table(table)?.kind {
            TableKind::Table => {
                let (name, guarded) = (physical(table), all(guarded));
                format!("(SELECT rowid AS rowid, * FROM {name} WHERE {guarded}) AS {}", scope.alias)
            }
            TableKind::View { .. } => {
                let rows = translate::rows_through(self.schema, table, self.access, Some((command, reads)))?;
                format!("({rows}) AS {}", scope.alias)
            }
        };
        // What embeds demand decides what is shown of the rows, not which are written.
        let (filter, alone) = (query.filter.as_ref(), Query::default());
        let matched =
            all(filter.map(|filter| self.filter(&scope, &alone, filter)).transpose()?.into_iter().collect());
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
            Source::Rows(ids) => {
                self.returned = true;
                if let Some(recorder) = &mut self.recorder {
                    recorder.written();
                }
                let list = self.push(source.cell());
                let alias = &scope.alias;
                let rows = match self.schema.table(table)?.kind {
                    TableKind::Table => physical(table),
                    TableKind::View { .. } => {
                        format!("({})", translate::rows_through(self.schema, table, self.access, None)?)
                    }
                };
                let from = match ids.len() {
                    1 => format!("(SELECT {alias}.* FROM {rows} AS {alias} WHERE {alias}.rowid = {list})"),
                    _ => format!(
                        "(SELECT {alias}.* FROM json_each({list}) AS picked CROSS JOIN {rows} AS {alias} \
                         ON {alias}.rowid = picked.value ORDER BY picked.key)"
                    ),
                };
                let from = format!("{from} AS {alias}");
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
        let parts = self.parts(scope, query)?;
        if parts.iter().any(|part| part.aggregate.is_some()) {
            return self.groups(scope, query, parts, (&from, &conditions));
        }
        let from = self.matched(scope, query, &from, &conditions)?;
        let out = |part: Part| Out::new(self.schema, part.name, part.term);
        Ok(Level::new(parts.into_iter().map(out).collect(), from))
    }

    /// The rows that conditions leave, in order and by page.
    pub(super) fn matched(
        &mut self,
        scope: &Scope,
        query: &Query,
        from: &str,
        conditions: &str,
    ) -> Result<String> {
        let order = self.order(scope, query)?;
        let page = self.page(query);
        let alias = &scope.alias;
        Ok(if order.is_empty() && page.is_empty() {
            format!("{from} WHERE {conditions}")
        } else {
            format!("(SELECT {alias}.* FROM {from} WHERE {conditions}{order}{page}) AS {alias}")
        })
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

    /// What is selected of each row; where nothing is, everything.
    pub(super) fn parts(&mut self, scope: &Scope, query: &Query) -> Result<Vec<Part>> {
        let everything = [Item::All];
        let items = if query.items.is_empty() { &everything[..] } else { &query.items };
        let mut parts = Vec::new();
        // Columns stand before what is embedded, as PostgREST has them.
        let (embeds, columns): (Vec<&Item>, Vec<&Item>) =
            items.iter().partition(|item| matches!(item, Item::Embed(_)));
        for item in columns.into_iter().chain(embeds) {
            match item {
                Item::All => {
                    let table = self.schema.table(&scope.table)?;
                    for column in &table.columns {
                        self.access.may_read(table, &scope.table, &column.name)?;
                        let sql = format!("{}.{}", scope.alias, quote(&column.name));
                        let (term, key) = self.shown(column, Term { sql, ty: column.ty.clone() })?;
                        let field = Field::column(&column.name);
                        let origin = Some(Origin { field, named: key.is_some(), converted: false });
                        parts.push(Part { key, origin, ..Part::new(column.name.clone(), term, None) });
                    }
                }
                Item::Count { alias, cast } => {
                    let aggregate = Aggregate { function: AggregateFunction::Count, cast: cast.clone() };
                    let name = alias.clone().unwrap_or_else(|| "count".to_owned());
                    parts.push(Part::new(name, counted(), Some(aggregate)));
                }
                Item::Column { alias, cast, .. } if self.counts(scope, item) => {
                    self.alone(scope, items)?;
                    let aggregate = Aggregate { function: AggregateFunction::Count, cast: cast.clone() };
                    let name = alias.clone().unwrap_or_else(|| "count".to_owned());
                    parts.push(Part::new(name, counted(), Some(aggregate)));
                }
                Item::Column { field, alias, cast, aggregate } => {
                    let term = self.term(scope, field)?;
                    let column = self.schema.table(&scope.table)?.column(&field.name);
                    let (term, mut key) = match column.filter(|_| field.path.is_empty()) {
                        Some(column) => self.shown(column, term)?,
                        None => (term, None),
                    };
                    if key.is_some() && alias.as_ref().is_some_and(|alias| *alias != field.name) {
                        // To PostgreSQL the name means what is shown.
                        key = Some(Key::Nothing);
                    }
                    let term = self.cast(term, cast.as_ref())?;
                    let name = alias.clone().unwrap_or_else(|| match aggregate {
                        Some(aggregate) => aggregate.function.name().to_owned(),
                        None => name_of(field),
                    });
                    let named = alias.is_some() || cast.is_some() || !field.path.is_empty();
                    let origin = Some(Origin { field: field.clone(), named, converted: cast.is_some() });
                    parts.push(Part { key, origin, ..Part::new(name, term, aggregate.clone()) });
                }
                Item::Embed(embed) => parts.extend(self.embed(scope, embed)?),
            }
        }
        Ok(parts)
    }

    /// Refuses columns beside one that counts, for nothing says that they make groups.
    fn alone(&self, scope: &Scope, items: &[Item]) -> Result<()> {
        let beside = items.iter().find_map(|item| match item {
            Item::Column { field, aggregate: None, .. } if !self.counts(scope, item) => {
                Some(field.name.as_str())
            }
            Item::All => {
                let table = self.schema.table(&scope.table).ok();
                table.and_then(|table| table.columns.first()).map(|column| column.name.as_str())
            }
            _ => None,
        });
        beside.map_or(Ok(()), |column| Err(errors::ungrouped(&scope.called().name, column)))
    }

    /// Whether an item counts rows by the word alone, as those who know Supabase write it: a column
    /// `count` that the table has not, and nothing beside it.
    pub(super) fn counts(&self, scope: &Scope, item: &Item) -> bool {
        let Item::Column { field, aggregate: None, .. } = item else { return false };
        let unknown = |table: &Table| table.column(&field.name).is_none();
        field.name == "count"
            && field.path.is_empty()
            && self.schema.table(&scope.table).is_ok_and(unknown)
            && truststream_sql::computed::column(&self.schema.catalog, &scope.table, "count").is_none()
    }

    /// The rows of a table that the caller may see, under the scope's alias.
    ///
    /// # Errors
    /// 42501 if the caller may not read the table at all.
    pub(super) fn from(&mut self, scope: &Scope) -> Result<String> {
        let source = translate::source(self.schema, &scope.table, self.access)?;
        Ok(format!("{source} AS {}", scope.alias))
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
