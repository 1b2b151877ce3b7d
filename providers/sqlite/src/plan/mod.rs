//! From the query language to SQLite's SQL.

mod cache;
mod compare;
mod embed;
pub(crate) mod field;
mod filter;
mod group;
mod limits;
mod order;
mod part;
mod read;
mod represented;
mod returned;
mod search;
mod shape;

use rusqlite::types::Value as Cell;
use truststream_kernel::{Context, Error, ErrorKind, Result, Type, Value};
use truststream_services::database::TableName;

use crate::access::Access;
use crate::schema::Schema;
use crate::{storage, xml};

use cache::Recorder;
pub(crate) use cache::{Plans, Purpose, statement};
pub(crate) use read::{Out, Source, Statement};
pub(crate) use returned::{Returned, returned, values};

/// Builds one statement. Literals are bound, never part of the text.
pub(crate) struct Planner<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) access: Access<'a>,
    pub(crate) parameters: Vec<Cell>,
    aliases: usize,
    /// Whether rows are only counted.
    counting: bool,
    /// Whether the outermost rows are what a call or a write returned.
    returned: bool,
    /// Whether a condition stands where null is told apart from false.
    negated: bool,
    recorder: Option<Recorder<'a>>,
}

/// A table within a statement.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Its name in the catalog.
    pub(crate) table: TableName,
    /// What the statement calls it.
    pub(crate) alias: String,
    /// How many embeds it stands within.
    depth: usize,
}

impl Scope {
    /// What errors call it, as PostgREST's statements do.
    fn called(&self) -> TableName {
        let TableName { schema, name } = &self.table;
        match self.depth {
            0 => self.table.clone(),
            depth => TableName::new(schema, format!("{name}_{depth}")),
        }
    }
}

impl<'a> Planner<'a> {
    pub(crate) fn new(schema: &'a Schema, cx: &'a Context) -> Self {
        Planner {
            schema,
            access: Access::of(cx),
            parameters: Vec::new(),
            aliases: 0,
            counting: false,
            returned: false,
            negated: false,
            recorder: None,
        }
    }

    /// Binds what is part of the request's shape and gives its placeholder.
    pub(crate) fn bind(&mut self, cell: Cell) -> String {
        if let Some(recorder) = &mut self.recorder {
            recorder.constant(&cell);
        }
        self.push(cell)
    }

    fn push(&mut self, cell: Cell) -> String {
        self.parameters.push(cell);
        format!("?{}", self.parameters.len())
    }

    /// Reads a literal of a column's type and binds it.
    pub(crate) fn literal(&mut self, ty: &Type, text: &str) -> Result<String> {
        let cell = storage::cell(&self.parse(ty, text)?)?;
        if let Some(recorder) = &mut self.recorder {
            recorder.literal(ty, text);
        }
        Ok(self.push(cell))
    }

    /// Reads a literal of a column's type.
    pub(crate) fn parse(&self, ty: &Type, text: &str) -> Result<Value> {
        checked(self.schema, ty, Value::parse(ty, text)?)
    }

    pub(crate) fn scope(&mut self, table: &TableName) -> Scope {
        self.aliases += 1;
        Scope { table: table.clone(), alias: format!("t{}", self.aliases), depth: 0 }
    }

    /// A table that is embedded in another.
    fn embedded(&mut self, parent: &Scope, table: &TableName) -> Scope {
        Scope { depth: parent.depth + 1, ..self.scope(table) }
    }
}

/// A value whose enum labels exist, which is well-formed XML where that is its type, and which is written as its
/// composite type has it.
///
/// # Errors
/// 22P02 otherwise, 2200N for XML.
pub(crate) fn checked(schema: &Schema, ty: &Type, value: Value) -> Result<Value> {
    if let (Some(labels), Value::Text(label)) = (schema.labels(ty), &value)
        && !labels.contains(label)
    {
        let name = ty.sql_name();
        let shown = name.rsplit('.').next().unwrap_or_default();
        let message = format!("invalid input value for enum {shown}: \"{label}\"");
        return Err(Error::new(ErrorKind::InvalidInput, "22P02", message));
    }
    if let (Some(composite), Value::Text(text)) = (schema.composite(ty), &value) {
        return composite.parse(text).map(Value::Text);
    }
    if let (Type::Other(name), Value::Text(text)) = (ty, &value)
        && name == "xml"
    {
        xml::check(text)?;
    }
    if let (Type::Array(element), Value::Array(values)) = (ty, &value) {
        for value in values {
            checked(schema, element, value.clone())?;
        }
    }
    Ok(value)
}
