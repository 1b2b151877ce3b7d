//! Triggers for each row.

use futures::FutureExt;
use futures::future::BoxFuture;
use mongodb::bson::Document;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Function, Returns, Table, TableKind, TableName, Trigger};
use truststream_sql::plpgsql::{Body, Flow, Step};
use truststream_sql::sqlite::trigger::spelled_out;

use super::names::Names;
use super::{Run, body_of};
use crate::names::field;
use crate::partition::{Goes, goes};
use crate::schema::Schema;
use crate::storage;
use crate::work::Work;

/// How deep triggers may lead to other triggers.
const DEEPEST: usize = 16;

/// When triggers fire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'e> {
    /// `insert`, `update` or `delete`.
    pub(crate) command: &'static str,
    pub(crate) before: bool,
    /// The columns that an update names; all if absent.
    pub(crate) columns: Option<&'e [&'e str]>,
}

/// What became of a row before it is written.
#[derive(Debug, PartialEq)]
pub(crate) enum Fired {
    /// It is written, as it is now.
    Kept,
    /// It is passed over.
    Dropped,
}

/// What a trigger calls.
pub(super) struct Routine {
    pub(super) function: Function,
    pub(super) body: Body,
    /// The condition under which it fires.
    pub(super) condition: Option<String>,
}

/// The triggers of a table for a command, in the order in which they fire.
pub(crate) fn triggers<'t>(table: &'t Table, command: &str, before: bool) -> Vec<&'t Trigger> {
    let meant = |one: &&Trigger| one.before == before && one.events.iter().any(|event| event == command);
    let mut found: Vec<&Trigger> = table.triggers.iter().filter(meant).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// What a trigger calls for a command.
///
/// # Errors
/// 0A000 for a function that is not there, or can't be run here.
pub(super) fn routine(schema: &Schema, table: &Table, trigger: &Trigger, command: &str) -> Result<Routine> {
    let refuse = |why: String| Error::unsupported(format!("trigger {}: {why}", trigger.name));
    let condition = trigger.condition.as_ref().map(|condition| spelled_out(condition, table, command));
    if trigger.function.name == "moddatetime"
        && let [column] = trigger.arguments.as_slice()
    {
        let steps =
            vec![Step::Assign { column: column.clone(), value: "now()".into() }, Step::Return("new".into())];
        let body = Body { steps, ..Body::default() };
        return Ok(Routine { function: moddatetime(&trigger.function), body, condition });
    }
    let known = |function: &&Function| function.name == trigger.function && function.parameters.is_empty();
    let function = schema.catalog.functions.iter().find(known);
    let function = function.ok_or_else(|| refuse(format!("there is no function {}()", trigger.function)))?;
    if function.language != "plpgsql" {
        return Err(refuse(format!("a function in {} runs on PostgreSQL only", function.language)));
    }
    let text = spelled_out(function.body.as_deref().unwrap_or_default(), table, command);
    let body = body_of(function, &text)?;
    Ok(Routine { function: function.clone(), body, condition })
}

fn moddatetime(name: &TableName) -> Function {
    Function {
        name: name.clone(),
        returns: Returns { type_name: "trigger".into(), ..Returns::default() },
        language: "plpgsql".into(),
        security_definer: true,
        ..Function::default()
    }
}

/// What a trigger can name; without rows it is only tried.
pub(super) fn names(
    (name, table): (&TableName, &Table),
    trigger: &Trigger,
    command: &str,
    rows: Option<[Option<&Document>; 2]>,
) -> Result<Names> {
    let mut names = Names::default();
    names.declare("found", Type::Bool, Some(Value::Bool(false)));
    for (at, called) in ["old", "new"].into_iter().enumerate() {
        let mut columns = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let value = match rows {
                None => None,
                Some(rows) => match rows[at].and_then(|row| row.get(field(&column.name))) {
                    Some(found) => Some(storage::value(found, &column.ty)?),
                    None => Some(Value::Null),
                },
            };
            columns.push((column.name.clone(), column.ty.clone(), value));
        }
        names.declare_row(called, columns.into_iter());
    }
    // A row of a divided table is one of its partition.
    let row = rows.and_then(|[old, new]| new.or(old));
    let name = match row.map(|row| goes(table, row)).transpose()? {
        Some(Goes::Into(partition)) => &partition.name,
        _ => name,
    };
    let told = [
        ("tg_op", command.to_uppercase()),
        ("tg_name", trigger.name.clone()),
        ("tg_table_name", name.name.clone()),
        ("tg_table_schema", name.schema.clone()),
    ];
    for (told, text) in told {
        names.declare(told, Type::Text, Some(Value::Text(text)));
    }
    Ok(names)
}

fn concerns(trigger: &Trigger, event: Event<'_>) -> bool {
    let named = |column: &String| event.columns.is_none_or(|columns| columns.contains(&column.as_str()));
    event.command != "update" || trigger.columns.is_empty() || trigger.columns.iter().any(named)
}

impl Work {
    /// Fires the triggers of a row; those before it may change `new`.
    ///
    /// # Errors
    /// What they raise, 54001 where triggers lead on without end.
    pub(crate) fn fire<'w>(
        &'w mut self,
        named: (&'w TableName, &'w Table),
        event: Event<'w>,
        old: Option<&'w Document>,
        mut new: Option<&'w mut Document>,
    ) -> BoxFuture<'w, Result<Fired>> {
        async move {
            let schema = std::sync::Arc::clone(&self.schema);
            for trigger in triggers(named.1, event.command, event.before) {
                if !concerns(trigger, event) {
                    continue;
                }
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(Error::new(ErrorKind::TooLarge, "54001", "stack depth limit exceeded"));
                }
                let fired = self.fire_one(&schema, named, (trigger, event), old, new.as_deref_mut()).await;
                self.depth -= 1;
                if fired? == Fired::Dropped && event.before {
                    return Ok(Fired::Dropped);
                }
            }
            Ok(Fired::Kept)
        }
        .boxed()
    }

    async fn fire_one(
        &mut self,
        schema: &Schema,
        named: (&TableName, &Table),
        (trigger, event): (&Trigger, Event<'_>),
        old: Option<&Document>,
        new: Option<&mut Document>,
    ) -> Result<Fired> {
        let Routine { function, body, condition } = routine(schema, named.1, trigger, event.command)?;
        let names = names(named, trigger, event.command, Some([old, new.as_deref()]))?;
        let owner = self.owner;
        // Around the write of a table only a definer's function reads or writes tables, and that with the
        // owner's rights; instead of one to a view it has the caller's, if it is no definer's.
        self.owner |= named.1.kind == TableKind::Table || function.security_definer;
        let mut run = Run {
            work: self,
            schema,
            function: &function,
            columns: &[],
            names,
            given: Vec::new(),
            read_only: false,
            count: 0,
        };
        let done = run.fired(&body, condition.as_deref(), named.1, new).await;
        self.owner = owner;
        done
    }
}

impl Run<'_> {
    async fn fired(
        &mut self,
        body: &Body,
        condition: Option<&str>,
        table: &Table,
        new: Option<&mut Document>,
    ) -> Result<Fired> {
        if let Some(condition) = condition
            && !self.holds(condition).await?
        {
            return Ok(Fired::Kept);
        }
        let Flow::Over(Some(returned)) = self.whole(body).await? else { return Ok(Fired::Dropped) };
        if let (Some(new), "new") = (new, returned.as_str()) {
            for column in &table.columns {
                let value = self.names.value(&format!("new.{}", column.name))?;
                new.insert(field(&column.name), storage::stored(&self.schema.catalog, &value, &column.ty)?);
            }
        }
        Ok(Fired::Kept)
    }
}
