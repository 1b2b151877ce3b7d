//! Writes through views that show rows of one table: the view's names become the table's, and the
//! table is written with the rights of the view's owner, or of who asks where the view says so.

use bytes::Bytes;
use indexmap::IndexMap;
use serde_json::value::RawValue;
use truststream_kernel::{Body, Context, Error, ErrorKind, Result};
use truststream_services::database::{
    Column, Delete, Insert, OnConflict, Page, PolicyCommand, Query, Returning, TableKind, TableName, Update,
    WriteOptions, errors,
};
use truststream_sql::payload::Payload;
use truststream_sql::sqlite::assigned;
use truststream_sql::updatable::{self, Base};

use super::Write;
use crate::access::Access;

/// A row of a body, by the table's names.
type Row = IndexMap<String, Box<RawValue>>;

/// A column that is not given, and what the view has for it instead of the table.
struct Missing<'c> {
    column: &'c Column,
    default: String,
}

/// A view and what is written through it.
pub(super) struct Through<'v> {
    view: &'v TableName,
    base: Base,
}

impl Write<'_> {
    /// What is written through a view; `None` for a table.
    ///
    /// # Errors
    /// 55000 if nothing can be.
    pub(super) fn through<'v>(&self, view: &'v TableName) -> Result<Option<Through<'v>>> {
        if self.schema.table(view)?.kind == TableKind::Table {
            return Ok(None);
        }
        match updatable::base(&self.schema.catalog, view) {
            Some(base) => Ok(Some(Through { view, base })),
            None => {
                let message = format!("cannot write to view \"{}\"", view.name);
                Err(Error::new(ErrorKind::Unsupported, "55000", message).with_details(
                    "Only views that show rows of one table, neither grouped nor joined, can be written through.",
                ))
            }
        }
    }

    /// Inserts through a view.
    pub(super) fn insert_through(&self, op: &Insert, through: &Through<'_>) -> Result<Page> {
        let access = Access::of(self.cx);
        let body = op.rows.read()?;
        let columns = through.columns(&body, op.columns.as_deref())?;
        access.may_write(self.schema, through.view, PolicyCommand::Insert, &columns)?;
        self.may_read_values(through.view, &columns)?;
        if op.on_conflict.as_ref().is_some_and(|rule| rule.merge) {
            access.may_write(self.schema, through.view, PolicyCommand::Update, &columns)?;
        }
        let on_conflict = match &op.on_conflict {
            None => None,
            Some(rule) => Some(OnConflict {
                columns: rule
                    .columns
                    .as_ref()
                    .map(|names| through.renamed(names, "insert into"))
                    .transpose()?,
                ..rule.clone()
            }),
        };
        let mut names = through.renamed(&columns, "insert into")?;
        let missing = self.missing(through, &names, op.missing_default)?;
        let unnamed = missing.iter().map(|one| &one.column.name).filter(|name| !names.contains(name));
        let unnamed: Vec<String> = unnamed.cloned().collect();
        if let (Some(column), true) =
            (unnamed.first(), op.on_conflict.as_ref().is_some_and(|rule| rule.merge))
        {
            // It is for new rows only, and would be written to those that are met.
            let message =
                format!("an upsert through a view without its column \"{column}\", which has a default");
            return Err(Error::unsupported(message));
        }
        names.extend(unnamed);
        let inner = Insert {
            table: through.base.table.clone(),
            rows: through.body(&body, |row| self.complete(&missing, row))?,
            columns: Some(names),
            on_conflict,
            query: Query::all(),
            options: self.below(through, op.options.returning)?,
            ..op.clone()
        };
        let owner = Context::system();
        let (written, inserted) = through.writer(self, &owner).inserted(&inner)?;
        let mut page = self.answer(through.view, &op.query, &written, &op.options)?;
        page.inserted = Some(inserted);
        if let (Returning::HeadersOnly, Some(first)) = (op.options.returning, written.first()) {
            let table = self.schema.table(&through.base.table)?;
            let location = self.location(&inner, table, *first)?;
            let shown = |(name, value): (String, Option<String>)| {
                Some((through.base.shown(&name)?.to_owned(), value))
            };
            page.location = location.into_iter().filter_map(shown).collect();
        }
        Ok(page)
    }

    /// What the view has of its own for columns of the table that rows may be without: those that are not
    /// named, and where the request says so all.
    fn missing(&self, through: &Through<'_>, names: &[String], any: bool) -> Result<Vec<Missing<'_>>> {
        let base = &through.base.table;
        let table = self.schema.table(base)?;
        let mut found = Vec::new();
        for (name, default) in &through.base.defaults {
            if any || !names.contains(name) {
                let column = table.column(name).ok_or_else(|| errors::unknown_column(base, name))?;
                let default = assigned(&self.schema.catalog, base, default, &column.ty)?;
                found.push(Missing { column, default });
            }
        }
        Ok(found)
    }

    /// Gives a row what it is without.
    fn complete(&self, missing: &[Missing<'_>], row: &mut Row) -> Result<()> {
        for Missing { column, default } in missing {
            if !row.contains_key(&column.name) {
                let value = self.one(&format!("SELECT {default}"), [], column)?;
                let json = RawValue::from_string(value.to_json_as(&column.ty)).map_err(invalid)?;
                row.insert(column.name.clone(), json);
            }
        }
        Ok(())
    }

    /// What is wanted of the table's rows where this is wanted of the view's: that they are read is what
    /// their policies ask for.
    fn below(&self, through: &Through<'_>, returning: Returning) -> Result<WriteOptions> {
        let reads = returning.reads(self.schema.table(through.view)?);
        let returning = if reads { Returning::Representation } else { Returning::Minimal };
        Ok(WriteOptions { returning, ..WriteOptions::default() })
    }

    /// Updates through a view.
    pub(super) fn update_through(&self, op: &Update, through: &Through<'_>) -> Result<Page> {
        let body = op.values.read()?;
        let columns = through.columns(&body, op.columns.as_deref())?;
        Access::of(self.cx).may_write(self.schema, through.view, PolicyCommand::Update, &columns)?;
        self.may_read_values(through.view, &columns)?;
        let targets = self.targets(through.view, &op.query, PolicyCommand::Update, op.options.returning)?;
        let inner = Update {
            table: through.base.table.clone(),
            values: through.body(&body, |_| Ok(()))?,
            columns: Some(through.renamed(&columns, "update")?),
            options: self.below(through, op.options.returning)?,
            ..op.clone()
        };
        let owner = Context::system();
        let written = through.writer(self, &owner).updated(&inner, targets)?;
        self.answer(through.view, &op.query, &written, &op.options)
    }

    /// Deletes through a view.
    pub(super) fn delete_through(&self, op: &Delete, through: &Through<'_>) -> Result<Page> {
        let targets = self.targets(through.view, &op.query, PolicyCommand::Delete, op.options.returning)?;
        let page = self.answer(through.view, &op.query, &targets, &op.options)?;
        let owner = Context::system();
        through.writer(self, &owner).deleted(&through.base.table, &targets)?;
        Ok(page)
    }
}

impl Through<'_> {
    /// Who writes the table.
    fn writer<'a>(&self, write: &Write<'a>, owner: &'a Context) -> Write<'a> {
        let cx = if self.base.invoker { write.cx } else { owner };
        Write { conn: write.conn, schema: write.schema, cx }
    }

    /// The view's columns that a body is about.
    fn columns(&self, body: &Bytes, given: Option<&[String]>) -> Result<Vec<String>> {
        let names = match given {
            Some(names) => {
                Payload::check(body)?;
                names.to_vec()
            }
            None => Payload::read(body)?.columns,
        };
        let known = |name: &&String| !self.base.columns.iter().any(|(column, _)| column == *name);
        match names.iter().find(known) {
            Some(unknown) => Err(errors::unknown_column(self.view, unknown)),
            None => Ok(names),
        }
    }

    /// The table's columns for those of the view.
    fn renamed(&self, names: &[String], verb: &str) -> Result<Vec<String>> {
        let base = |name: &String| {
            self.base.column(name).map(str::to_owned).ok_or_else(|| {
                let message = format!("cannot {verb} column \"{name}\" of view \"{}\"", self.view.name);
                Error::new(ErrorKind::Unsupported, "0A000", message).with_details(
                    "View columns that are not columns of their base relation are not updatable.",
                )
            })
        };
        names.iter().map(base).collect()
    }

    /// A body with the table's names in the place of the view's, each row with what `complete` makes of it.
    fn body(&self, body: &Bytes, complete: impl Fn(&mut Row) -> Result<()>) -> Result<Body> {
        type Object<'b> = IndexMap<String, &'b RawValue>;
        let renamed = |object: Object<'_>| -> Result<Row> {
            let members = object.into_iter();
            let mut row = members
                .filter_map(|(name, value)| Some((self.base.column(&name)?.to_owned(), value.to_owned())))
                .collect();
            complete(&mut row)?;
            Ok(row)
        };
        let text = if Payload::is_object(body) {
            serde_json::to_vec(&renamed(serde_json::from_slice(body).map_err(invalid)?)?)
        } else {
            let rows: Vec<Object<'_>> = serde_json::from_slice(body).map_err(invalid)?;
            serde_json::to_vec(&rows.into_iter().map(renamed).collect::<Result<Vec<_>>>()?)
        };
        text.map(Body::from).map_err(invalid)
    }
}

fn invalid(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, "PGRST102", "Empty or invalid json").with_source(error)
}
