//! Triggers of tables that catch errors: they run as programs, for each row that a request writes.

use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{
    Catalog, ForeignKey, Function, ReferentialAction, Table, TableName, Trigger,
};

use super::rows;
use crate::expression::{Scope, compared_type};
use crate::plpgsql::{self, Body, Step};
use crate::sqlite::program::{self, Program};
use crate::sqlite::write::Guard;

/// A trigger that runs as a program.
#[derive(Clone, Copy, Debug)]
pub struct Fired<'c> {
    /// The trigger.
    pub trigger: &'c Trigger,
    /// Its function.
    pub function: &'c Function,
}

/// The triggers of a table for an event, by name, if one of them catches errors: then all of them run as
/// programs, in their order. None otherwise.
pub fn fired<'c>(catalog: &'c Catalog, table: &'c Table, event: &str, before: bool) -> Vec<Fired<'c>> {
    let meant =
        |trigger: &&Trigger| trigger.before == before && trigger.events.iter().any(|one| one == event);
    let with = |trigger: &'c Trigger| {
        let known =
            |function: &&Function| function.name == trigger.function && function.parameters.is_empty();
        catalog.functions.iter().find(known).map(|function| Fired { trigger, function })
    };
    let all: Vec<Fired<'c>> = table.triggers.iter().filter(meant).filter_map(with).collect();
    if all.iter().any(|one| catches(one.function)) { all } else { Vec::new() }
}

impl Fired<'_> {
    /// What it does for a row of the table.
    ///
    /// # Errors
    /// What can't be translated; those of `guard`.
    pub fn program(
        &self,
        scope: &Scope<'_>,
        guard: Option<&Guard<'_>>,
        table: &Table,
        event: &str,
    ) -> Result<Program> {
        let row: Vec<(String, Type)> =
            table.columns.iter().map(|column| (column.name.clone(), compared_type(column))).collect();
        let spelled = |text: &String| rows::spelled_out(text, table, event);
        let condition = self.trigger.condition.as_ref().map(spelled);
        let function = Function { body: self.function.body.as_ref().map(spelled), ..self.function.clone() };
        let told = |error: Error| match error.kind() {
            truststream_kernel::ErrorKind::Unsupported => {
                Error::unsupported(format!("trigger {}: {}", self.trigger.name, error.message()))
            }
            _ => error,
        };
        program::fired(&function, scope, guard, &row, (condition.as_deref(), event)).map_err(told)
    }
}

/// Whether a function in PL/pgSQL has a handler of errors.
fn catches(function: &Function) -> bool {
    let text = function.body.as_deref().unwrap_or_default();
    let named = function.language == "plpgsql" && text.to_lowercase().contains("exception");
    named && plpgsql::read_whole(text).is_ok_and(|body| handles(&body))
}

fn handles(body: &Body) -> bool {
    fn within(steps: &[Step]) -> bool {
        steps.iter().any(|step| match step {
            Step::Block(body) => handles(body),
            Step::If { branches, otherwise } => {
                within(otherwise) || branches.iter().any(|(_, steps)| within(steps))
            }
            Step::Loop { steps, .. } | Step::Range { steps, .. } | Step::Rows { steps, .. } => within(steps),
            _ => false,
        })
    }
    !body.handlers.is_empty() || within(&body.steps)
}

/// What of a table's triggers can't run as programs, or would be passed by.
pub(super) fn check(catalog: &Catalog, name: &TableName, table: &Table) -> Result<()> {
    for event in ["insert", "update", "delete"] {
        for before in [true, false] {
            let fired = fired(catalog, table, event, before);
            for one in &fired {
                one.program(&Scope::new(catalog), None, table, event)?;
            }
            let known = table
                .triggers
                .iter()
                .filter(|trigger| trigger.before == before && trigger.events.iter().any(|one| one == event));
            if let Some(first) = fired.first()
                && known.count() != fired.len()
            {
                let message = format!(
                    "trigger {}: it catches errors, beside one without a function",
                    first.trigger.name
                );
                return Err(Error::unsupported(message));
            }
            if let (Some(first), Some(key)) = (fired.first(), cascading(table, event)) {
                let message = format!(
                    "trigger {}: rows of {name} that foreign key {} writes would pass a trigger by that catches errors",
                    first.trigger.name, key.name
                );
                return Err(Error::unsupported(message));
            }
        }
    }
    Ok(())
}

/// The foreign key of a table that writes its rows itself by such an event.
fn cascading<'t>(table: &'t Table, event: &str) -> Option<&'t ForeignKey> {
    use ReferentialAction::{Cascade, NoAction, Restrict, SetDefault, SetNull};
    let writes = |key: &&ForeignKey| match event {
        "delete" => key.on_delete == Cascade,
        "update" => {
            matches!(key.on_delete, SetNull | SetDefault) || !matches!(key.on_update, NoAction | Restrict)
        }
        _ => false,
    };
    table.foreign_keys.iter().find(writes)
}

/// Refuses a statement of a function or migration on rows whose triggers run as programs.
pub(crate) fn refuse(catalog: &Catalog, (name, table): (&TableName, &Table), event: &str) -> Result<()> {
    let found = [true, false].into_iter().flat_map(|before| fired(catalog, table, event, before)).next();
    match found {
        Some(one) => Err(Error::unsupported(format!(
            "a statement on rows of {name}: its trigger {} catches errors, and fires for requests only",
            one.trigger.name
        ))),
        None => Ok(()),
    }
}
