//! Triggers whose functions are of a simple shape.
//!
//! Those before a row is written become part of the statement that writes it, for SQLite's own
//! can't change the row ([`before`]). Those after it become SQLite's ([`after`]). One that catches errors is
//! of no simple shape: it runs as a program, row by row ([`fired`]).

mod after;
mod before;
mod fired;
mod rows;
mod variables;

use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, Function, PolicyCommand, Table, TableName, Trigger};

use crate::expression::{Relation, Rights, Scope, Source, Translator, Unsupported};
use crate::plpgsql::{self, Body, Step};
use crate::quote::literal;

pub use after::after;
pub use before::{Before, before};
pub(crate) use fired::refuse;
pub use fired::{Fired, fired};
pub use rows::spelled_out;

/// What a trigger does.
struct Routine<'c> {
    trigger: &'c Trigger,
    /// The condition under which it fires.
    condition: Option<String>,
    body: Body,
    /// It reads and writes with the rights of its owner.
    definer: bool,
}

/// The triggers of a table for an event, with what they do.
fn routines<'c>(
    catalog: &'c Catalog,
    table: &'c Table,
    event: &str,
    before: bool,
) -> Result<Vec<Routine<'c>>> {
    let meant =
        |trigger: &&Trigger| trigger.before == before && trigger.events.iter().any(|one| one == event);
    table.triggers.iter().filter(meant).map(|trigger| routine(catalog, table, trigger, event)).collect()
}

fn routine<'c>(
    catalog: &'c Catalog,
    table: &Table,
    trigger: &'c Trigger,
    event: &str,
) -> Result<Routine<'c>> {
    let condition = trigger.condition.as_ref().map(|condition| rows::spelled_out(condition, table, event));
    if trigger.function.name == "moddatetime"
        && let [column] = trigger.arguments.as_slice()
    {
        let steps =
            vec![Step::Assign { column: column.clone(), value: "now()".into() }, Step::Return("new".into())];
        let body = Body { steps, ..Body::default() };
        return Ok(Routine { trigger, condition, body, definer: true });
    }
    let refuse = |why: String| Error::unsupported(format!("trigger {}: {why}", trigger.name));
    let known = |function: &&Function| function.name == trigger.function && function.parameters.is_empty();
    let function = catalog.functions.iter().find(known);
    let function = function.ok_or_else(|| refuse(format!("there is no function {}()", trigger.function)))?;
    if function.language != "plpgsql" {
        return Err(refuse(format!("a function in {} runs on PostgreSQL only", function.language)));
    }
    let text = rows::spelled_out(function.body.as_deref().unwrap_or_default(), table, event);
    let body = plpgsql::read(&text).map_err(|fault| {
        refuse(format!(
            "line {} of function {}: {} runs on PostgreSQL only",
            fault.line, function.name, fault.text
        ))
    })?;
    Ok(Routine { trigger, condition, body, definer: function.security_definer })
}

/// What tables are read through by a trigger with the rights of who writes.
fn closed(table: &TableName) -> Result<String, Unsupported> {
    Err(Unsupported::new(
        table,
        "a trigger function that reads or writes tables must be \"security definer\" here",
    ))
}

/// A translator in which `old`, `new` and what PostgreSQL tells triggers can be named.
fn translator<'a>(
    catalog: &'a Catalog,
    routine: &Routine<'_>,
    (name, event): (&TableName, &str),
    rows: Vec<Relation>,
    variables: Relation,
) -> Translator<'a> {
    let source: Option<&'a Source<'a>> = if routine.definer { None } else { Some(&closed) };
    let rights = if routine.definer { Rights::Owner } else { Rights::Caller };
    let scope = Scope { source, ..Scope::new(catalog) };
    let mut translator = Translator::new(&scope).with_rights(rights);
    let told = [
        ("tg_op", event.to_uppercase()),
        ("tg_table_name", name.name.clone()),
        ("tg_table_schema", name.schema.clone()),
        ("tg_name", routine.trigger.name.clone()),
    ];
    let text = truststream_kernel::Type::Text;
    let mut facts =
        Relation::new("", told.iter().map(|(fact, _)| ((*fact).to_owned(), text.clone())).collect());
    facts.cells = Some(told.iter().map(|(_, value)| literal(value)).collect());
    translator.push_level(vec![facts, variables]);
    translator.push_level(rows);
    translator
}

/// `raise exception` as a call that fails.
fn raised(
    translator: &mut Translator<'_>,
    (code, message, arguments): (&str, &str, &[String]),
) -> Result<String, Unsupported> {
    let mut parts = Vec::new();
    let mut arguments = arguments.iter();
    for (at, piece) in message.split('%').enumerate() {
        if at > 0 {
            let argument = arguments.next();
            let argument = argument
                .ok_or_else(|| Unsupported::new(message, "too few parameters specified for RAISE"))?;
            let term = translator.expr(&crate::expression::parse(argument)?)?;
            let text = translator.cast_to(term, &truststream_kernel::Type::Text)?;
            parts.push(format!("coalesce({}, '<NULL>')", text.sql));
        }
        parts.push(literal(piece));
    }
    Ok(format!("ts_raise({}, {})", literal(code), parts.join(" || ")))
}

/// Whether a trigger concerns a write of these columns.
fn concerns(trigger: &Trigger, written: &[&str]) -> bool {
    trigger.columns.is_empty() || trigger.columns.iter().any(|column| written.contains(&column.as_str()))
}

/// What of a table's triggers can't be held.
///
/// # Errors
/// The first of them.
pub fn check(catalog: &Catalog, name: &TableName, table: &Table) -> Result<()> {
    let all: Vec<(String, String)> =
        table.columns.iter().map(|column| (column.name.clone(), "NULL".to_owned())).collect();
    for (event, command) in [("insert", PolicyCommand::Insert), ("update", PolicyCommand::Update)] {
        if fired(catalog, table, event, true).is_empty() {
            before(catalog, (name, table), command, &all, None)?;
        }
    }
    fired::check(catalog, name, table)?;
    after(catalog, name, table).map(drop)
}
