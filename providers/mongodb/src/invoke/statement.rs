//! Statements that write, as functions have them: `insert`, `update`, `delete`.

use mongodb::bson::{Bson, Document};
use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Insert, ObjectName, OnConflict, OnConflictAction,
    OnInsert, Query, SelectItem, SetExpr, Statement, TableFactor, TableObject, TableWithJoins, Update,
};
use truststream_kernel::{Error, ErrorKind, Result, Value};
use truststream_services::database::{Column, Function, PolicyCommand, Table, TableName};
use truststream_sql::schema::{is_default, table_name};

use super::{Called, Columns};
use crate::cast::cast;
use crate::names::{collection, field};
use crate::partition::Target;
use crate::plan::Planner;
use crate::schema::Schema;
use crate::sql::{Changes, Translator, ident, meant, unbounded};
use crate::storage;
use crate::work::Work;
use crate::write::{Rows, key_of};

/// A statement that was taken apart.
enum Parts<'s> {
    Insert {
        columns: Vec<&'s Column>,
        source: Source<'s>,
        /// What is done about a row whose key exists: whether it is merged, and its key.
        conflict: Option<(bool, Option<Vec<String>>)>,
    },
    Update {
        assignments: &'s [Assignment],
        selection: Option<&'s Expr>,
    },
    Delete {
        selection: Option<&'s Expr>,
    },
}

/// Where the rows of an `insert` come from.
enum Source<'s> {
    Query(&'s Query),
    /// One without the values that are left to their defaults.
    Rest(Box<Query>),
    /// So many rows of defaults.
    Defaults(usize),
}

struct Read<'s> {
    target: Target<'s>,
    /// What the table is called in the statement.
    alias: String,
    parts: Parts<'s>,
    returning: Option<&'s [SelectItem]>,
}

fn refused(statement: &impl std::fmt::Display) -> Error {
    Error::unsupported(format!(
        "of statements in functions this database runs select, truncate, and insert, update and delete of one table: {statement}"
    ))
}

fn read<'s>(schema: &'s Schema, function: &Function, statement: &'s Statement) -> Result<Read<'s>> {
    let near = Some(function.name.schema.as_str());
    let catalog = &schema.catalog;
    let exists = |one: &TableName| catalog.has_relation(one);
    let named = |name: &ObjectName| meant(name, near, exists);
    match statement {
        Statement::Insert(insert) => {
            let TableObject::TableName(name) = &insert.table else { return Err(refused(statement)) };
            let name = named(name);
            let target = Target::find(catalog, &name)?;
            let table = target.table;
            let (columns, source) = given(columns(table, &name, insert)?, insert);
            let conflict = conflict(insert, &columns).ok_or_else(|| refused(statement))?;
            let alias =
                insert.table_alias.as_ref().map_or_else(|| name.name.clone(), |one| ident(&one.alias));
            let parts = Parts::Insert { columns, source, conflict };
            Ok(Read { target, alias, parts, returning: insert.returning.as_deref() })
        }
        Statement::Update(Update { table, assignments, from: None, selection, returning, .. }) => {
            let (name, alias) = target(table, named).ok_or_else(|| refused(statement))?;
            let target = Target::find(catalog, &name)?;
            let parts = Parts::Update { assignments, selection: selection.as_ref() };
            Ok(Read { target, alias, parts, returning: returning.as_deref() })
        }
        Statement::Delete(Delete { from, using: None, selection, returning, .. }) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = from;
            let [table] = from.as_slice() else { return Err(refused(statement)) };
            let (name, alias) = target(table, named).ok_or_else(|| refused(statement))?;
            let target = Target::find(catalog, &name)?;
            let parts = Parts::Delete { selection: selection.as_ref() };
            Ok(Read { target, alias, parts, returning: returning.as_deref() })
        }
        other => Err(refused(other)),
    }
}

/// The columns that a statement gives values of, and these: what it has as `default` is as if it were not named.
fn given<'s>(mut columns: Vec<&'s Column>, insert: &'s Insert) -> (Vec<&'s Column>, Source<'s>) {
    let Some(source) = insert.source.as_deref() else { return (Vec::new(), Source::Defaults(1)) };
    let as_it_is = Source::Query(source);
    let SetExpr::Values(values) = source.body.as_ref() else { return (columns, as_it_is) };
    let width = values.rows.first().map_or(0, |row| row.content.len());
    if insert.columns.is_empty() {
        // The first columns get the values, the others their defaults.
        columns.truncate(width);
    }
    let is_default = |at: &usize| values.rows.iter().all(|row| row.content.get(*at).is_some_and(is_default));
    let left_out: Vec<usize> = (0..width).filter(is_default).collect();
    if left_out.is_empty() || columns.len() != width {
        return (columns, as_it_is);
    }
    if left_out.len() == width {
        return (Vec::new(), Source::Defaults(values.rows.len()));
    }
    let mut rest = Box::new(source.clone());
    if let SetExpr::Values(values) = rest.body.as_mut() {
        for at in left_out.into_iter().rev() {
            columns.remove(at);
            for row in &mut values.rows {
                row.content.remove(at);
            }
        }
    }
    (columns, Source::Rest(rest))
}

fn target(table: &TableWithJoins, named: impl Fn(&ObjectName) -> TableName) -> Option<(TableName, String)> {
    match &table.relation {
        TableFactor::Table { name, alias, args: None, .. } if table.joins.is_empty() => {
            let name = named(name);
            let alias = alias.as_ref().map_or_else(|| name.name.clone(), |alias| ident(&alias.name));
            Some((name, alias))
        }
        _ => None,
    }
}

fn column<'t>(table: &'t Table, name: &TableName, wanted: &str) -> Result<&'t Column> {
    table.column(wanted).ok_or_else(|| {
        let message = format!("column \"{wanted}\" of relation \"{}\" does not exist", name.name);
        Error::new(ErrorKind::InvalidInput, "42703", message)
    })
}

fn columns<'t>(table: &'t Table, name: &TableName, insert: &Insert) -> Result<Vec<&'t Column>> {
    let named = insert.columns.iter().map(|one| column(table, name, &table_name(one).name));
    let named: Vec<_> = named.collect::<Result<_>>()?;
    if !named.is_empty() {
        return Ok(named);
    }
    Ok(table.columns.iter().filter(|column| column.generated.is_none()).collect())
}

/// What a statement does about rows whose key exists; `None` for a rule that can't be followed.
fn conflict(insert: &Insert, columns: &[&Column]) -> Option<Option<(bool, Option<Vec<String>>)>> {
    let Some(on) = &insert.on else { return Some(None) };
    let OnInsert::OnConflict(OnConflict { conflict_target, action }) = on else { return None };
    let key = match conflict_target {
        None => None,
        Some(sqlparser::ast::ConflictTarget::Columns(columns)) => Some(columns.iter().map(ident).collect()),
        Some(_) => return None,
    };
    match action {
        OnConflictAction::DoNothing => Some(Some((false, key))),
        OnConflictAction::DoUpdate(update) => {
            let key: Vec<String> = key?;
            let excluded = |one: &Assignment| match (&one.target, &one.value) {
                (AssignmentTarget::ColumnName(name), Expr::CompoundIdentifier(value)) => {
                    let name = table_name(name).name;
                    let same = value.len() == 2 && ident(&value[0]) == "excluded" && ident(&value[1]) == name;
                    same.then_some(name)
                }
                _ => None,
            };
            let set: Vec<String> = update.assignments.iter().map(excluded).collect::<Option<_>>()?;
            // All that is given is taken over, so all of it must be named.
            let all = columns.iter().all(|one| set.contains(&one.name) || key.contains(&one.name));
            (all && update.selection.is_none()).then_some(Some((true, Some(key))))
        }
    }
}

/// The pipelines of a statement.
struct Made {
    /// Rows to insert.
    source: Option<crate::sql::Rows>,
    /// Rows to change, and their new values.
    changes: Option<Changes>,
}

fn made(planner: &mut Planner<'_>, (function, arguments): Called<'_>, read: &Read<'_>) -> Result<Made> {
    let target = (read.target, read.alias.as_str());
    match &read.parts {
        Parts::Insert { columns, source, .. } => {
            let declared: Vec<_> =
                columns.iter().map(|column| (column.name.clone(), unbounded(&column.ty))).collect();
            let source = match source {
                Source::Query(source) => *source,
                Source::Rest(source) => &**source,
                Source::Defaults(_) => return Ok(Made { source: None, changes: None }),
            };
            let rows = Translator::step(planner, function, arguments, source, Some(&declared))?;
            Ok(Made { source: Some(rows), changes: None })
        }
        Parts::Update { assignments, selection } => {
            let mut set = Vec::new();
            for one in *assignments {
                let AssignmentTarget::ColumnName(name) = &one.target else { return Err(refused(one)) };
                set.push((column(read.target.table, read.target.name, &table_name(name).name)?, &one.value));
            }
            let changes = Translator::changes(
                planner,
                function,
                arguments,
                target,
                (PolicyCommand::Update, *selection),
                &set,
            )?;
            Ok(Made { source: None, changes: Some(changes) })
        }
        Parts::Delete { selection } => {
            let changes = Translator::changes(
                planner,
                function,
                arguments,
                target,
                (PolicyCommand::Delete, *selection),
                &[],
            )?;
            Ok(Made { source: None, changes: Some(changes) })
        }
    }
}

/// Whether a statement can be run.
pub(crate) fn check(
    planner: &mut Planner<'_>,
    called: Called<'_>,
    statement: &Statement,
    columns: Columns<'_>,
) -> Result<()> {
    let schema = planner.schema;
    if let Statement::Truncate(truncate) = statement {
        return crate::truncate::check(schema, called.0, truncate, columns);
    }
    let read = read(schema, called.0, statement)?;
    made(planner, called, &read)?;
    returned(planner, called, &read, columns).map(drop)
}

/// What a statement returns of the rows it wrote.
fn returned(
    planner: &mut Planner<'_>,
    (function, arguments): Called<'_>,
    read: &Read<'_>,
    columns: Columns<'_>,
) -> Result<Option<Vec<Document>>> {
    let (Some(columns), Some(items)) = (columns, read.returning) else {
        return match columns {
            Some(_) => Err(Error::new(
                ErrorKind::InvalidInput,
                "42P13",
                format!("return type mismatch in function declared to return {}", function.returns.type_name),
            )),
            None => Ok(None),
        };
    };
    let table = (read.target.name, read.alias.as_str());
    Translator::returning(planner, function, arguments, table, items, columns).map(Some)
}

impl Work {
    /// Runs a statement that writes, and gives what it returns: a row for each that was written in any case.
    pub(crate) async fn statement(
        &mut self,
        schema: &Schema,
        called: Called<'_>,
        statement: &Statement,
        columns: Columns<'_>,
    ) -> Result<Vec<Document>> {
        if let Statement::Truncate(truncate) = statement {
            return self.truncate_of(schema, called.0, truncate).await.map(|()| Vec::new());
        }
        let read = read(schema, called.0, statement)?;
        let outer = std::mem::replace(&mut self.share, read.target.share());
        let done = self.written(schema, called, &read, columns).await;
        self.share = outer;
        done
    }

    /// Writes what a statement says.
    async fn written(
        &mut self,
        schema: &Schema,
        called: Called<'_>,
        read: &Read<'_>,
        columns: Columns<'_>,
    ) -> Result<Vec<Document>> {
        let (made, stages) = {
            let mut planner = self.planner(schema);
            let stages = returned(&mut planner, called, read, columns)?;
            (made(&mut planner, called, read)?, stages)
        };
        let named = (read.target.name, read.target.table);
        let (readable, returns) = (made.changes.is_some(), stages.is_some());
        let rows = match (&read.parts, made) {
            (Parts::Insert { columns, source, conflict }, Made { source: made, .. }) => {
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                self.may_write(named.0, PolicyCommand::Insert, &names)?;
                let found = match (source, made) {
                    (Source::Defaults(rows), _) => vec![Document::new(); *rows],
                    (_, Some(rows)) => {
                        let plan = crate::plan::Plan { collection: rows.from, stages: rows.stages };
                        self.documents(plan).await?
                    }
                    (_, None) => return Err(Error::internal("a statement without what it writes")),
                };
                let rows = values(schema, columns, &found)?;
                let conflict = conflict
                    .as_ref()
                    .map(|(merge, key)| (*merge, key.clone().unwrap_or_else(|| named.1.primary_key.clone())));
                self.put_given(
                    named,
                    &rows,
                    conflict.as_ref().map(|(merge, key)| (*merge, key.as_slice())),
                    returns,
                )
                .await?
            }
            (Parts::Update { .. }, Made { changes: Some(changes), .. }) => {
                let mut old = self.documents(changes.plan).await?;
                let mut new = old.clone();
                for (old, new) in old.iter_mut().zip(&mut new) {
                    for (key, name) in &changes.set {
                        new.remove(key);
                        let value = old.remove(key).unwrap_or(Bson::Null);
                        let value = written(schema, column(named.1, named.0, name)?, &value)?;
                        new.insert(field(name), value.1);
                    }
                }
                let columns: Vec<&str> = changes.set.iter().map(|(_, name)| name.as_str()).collect();
                let kept = self.replace(named, &old, &mut new, (readable, Some(&columns))).await?;
                new.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(row, _)| row).collect()
            }
            (_, Made { changes: Some(changes), .. }) => {
                let old = self.documents(changes.plan).await?;
                let old = self.before_delete(named, old).await?;
                let keys: Vec<Bson> = old.iter().map(key_of).collect();
                self.remove(&collection(named.0), &keys).await?;
                self.release(named, &old, None).await?;
                self.after_delete(named, &old).await?;
                old
            }
            _ => return Err(Error::internal("a statement without what it writes")),
        };
        match stages {
            Some(stages) if !rows.is_empty() => self.evaluated(&rows, stages).await,
            _ => Ok(rows),
        }
    }
}

/// Stored values of columns, as rows to write.
fn values<'t>(schema: &Schema, columns: &[&'t Column], found: &[Document]) -> Result<Rows<'t>> {
    let cell = |row: &Document, column: &Column| {
        written(schema, column, row.get(field(&column.name)).unwrap_or(&Bson::Null))
            .map(|(value, _)| Some(value))
    };
    let rows = found.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect());
    Ok(Rows { given: Vec::new(), columns: columns.to_vec(), rows: rows.collect::<Result<_>>()? })
}

/// A value as a column takes it, and as it stores it.
fn written(schema: &Schema, column: &Column, found: &Bson) -> Result<(Value, Bson)> {
    let from = unbounded(&column.ty);
    let value = cast(&schema.catalog, storage::value(found, &from)?, &from, &column.ty)?;
    let stored = storage::stored(&schema.catalog, &value, &column.ty)?;
    Ok((value, stored))
}
