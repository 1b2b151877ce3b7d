//! Triggers after a row is written, and those before a row is deleted: SQLite's own.

use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, Table, TableName};

use super::{Routine, raised, routines, translator};
use crate::expression::{Relation, Translator, file_name, parse};
use crate::plpgsql::Step;
use crate::quote::quote;
use crate::sqlite::write::{Rules, statement_of, write};

/// The statements that create a table's triggers.
///
/// # Errors
/// A body that is not simple.
pub fn after(catalog: &Catalog, name: &TableName, table: &Table) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    for (event, before) in [("insert", false), ("update", false), ("delete", false), ("delete", true)] {
        for routine in routines(catalog, table, event, before)? {
            statements.push(created(catalog, (name, table), &routine, event)?);
        }
    }
    // SQLite fires the youngest first, PostgreSQL by name.
    statements.reverse();
    Ok(statements)
}

fn created(
    catalog: &Catalog,
    (name, table): (&TableName, &Table),
    routine: &Routine<'_>,
    event: &str,
) -> Result<String> {
    let row = |which: &str| Relation {
        schema: None,
        ..Relation::of_table(&TableName::public(which), table).aliased(which.to_uppercase())
    };
    let rows = match event {
        "insert" => vec![row("new"), nothing(row("old"))],
        "delete" => vec![nothing(row("new")), row("old")],
        _ => vec![row("new"), row("old")],
    };
    let mut body = Body {
        routine,
        translator: translator(catalog, routine, (name, event), rows),
        statements: Vec::new(),
    };
    // What comes from another database was fired for there.
    let mut when = "ts_origin() IS NULL".to_owned();
    if let Some(condition) = &routine.trigger.condition {
        when = format!("{when} AND {}", body.translator.condition(&parse(condition)?)?);
    }
    body.steps(&routine.steps, &[])?;
    if body.statements.is_empty() {
        body.statements.push("SELECT 1".into());
    }
    let columns: Vec<_> = routine.trigger.columns.iter().map(|column| quote(column)).collect();
    let of = match event {
        "update" if !columns.is_empty() => format!(" OF {}", columns.join(", ")),
        _ => String::new(),
    };
    let time = if routine.trigger.before { "BEFORE" } else { "AFTER" };
    let file = file_name(name);
    let trigger = quote(&format!("{file}/{}/{event}", routine.trigger.name));
    Ok(format!(
        "CREATE TRIGGER {trigger} {time} {}{of} ON {} FOR EACH ROW WHEN {when} BEGIN {}; END",
        event.to_uppercase(),
        quote(&file),
        body.statements.join("; ")
    ))
}

struct Body<'a, 'r> {
    routine: &'r Routine<'r>,
    translator: Translator<'a>,
    statements: Vec<String>,
}

impl Body<'_, '_> {
    fn refuse<T>(&self, what: &str) -> Result<T> {
        Err(Error::unsupported(format!("trigger {}: {what}", self.routine.trigger.name)))
    }

    /// Steps that are done where all conditions hold, and the conditions under which they return
    /// from the body. Conditions are on the rows alone, so they mean the same at each step.
    fn steps(&mut self, steps: &[Step], conditions: &[String]) -> Result<Vec<String>> {
        let mut conditions = conditions.to_vec();
        let mut exits = Vec::new();
        for step in steps {
            match step {
                Step::Nothing => {}
                Step::Return(value) => {
                    self.give_back(value, &conditions);
                    exits.push(all(&conditions));
                    return Ok(exits);
                }
                Step::If { branches, otherwise } => {
                    let left = self.branches(branches, otherwise, &conditions)?;
                    conditions.extend(left.iter().map(|exit| format!("NOT {exit}")));
                    exits.extend(left);
                }
                Step::Raise { code, message, arguments } => {
                    let failing = raised(&mut self.translator, (code, message, arguments))?;
                    self.statements.push(format!("SELECT {failing} WHERE {}", all(&conditions)));
                }
                Step::Sql(sql) => self.statement(sql, &conditions)?,
                Step::Assign { .. } => {
                    return self.refuse("an assignment to the row has no effect after it is written");
                }
                Step::ReturnQuery(_) => return self.refuse("\"return query\" of a trigger"),
            }
        }
        Ok(exits)
    }

    fn branches(
        &mut self,
        branches: &[(String, Vec<Step>)],
        otherwise: &[Step],
        conditions: &[String],
    ) -> Result<Vec<String>> {
        let mut none = conditions.to_vec();
        let mut exits = Vec::new();
        for (test, steps) in branches {
            let test = self.translator.condition(&parse(test)?)?;
            if test.contains("SELECT ") {
                return self.refuse("a condition that reads tables runs on PostgreSQL only");
            }
            let mut met = none.clone();
            met.push(format!("({test}) IS TRUE"));
            exits.extend(self.steps(steps, &met)?);
            none.push(format!("({test}) IS NOT TRUE"));
        }
        exits.extend(self.steps(otherwise, &none)?);
        Ok(exits)
    }

    /// What is returned decides only before a row is deleted: it stays if that is no row.
    fn give_back(&mut self, value: &str, conditions: &[String]) {
        let keeps = matches!(value.to_lowercase().as_str(), "new" | "old");
        if self.routine.trigger.before && !keeps {
            self.statements.push(format!("SELECT RAISE(IGNORE) WHERE {}", all(conditions)));
        }
    }

    fn statement(&mut self, sql: &str, conditions: &[String]) -> Result<()> {
        if self.routine.trigger.before {
            return self.refuse("a statement on rows before a delete runs on PostgreSQL only");
        }
        let parsed = statement_of(sql)?;
        if let sqlparser::ast::Statement::Query(query) = &parsed {
            let (query, _) = self.translator.query(query)?;
            self.statements.push(format!("SELECT * FROM ({query}) WHERE {}", all(conditions)));
            return Ok(());
        }
        if !self.routine.definer {
            return self.refuse("a trigger function that writes must be \"security definer\" here");
        }
        let only_if = (!conditions.is_empty()).then(|| conditions.join(" AND "));
        let rules = Rules { guard: None, only_if: only_if.as_deref(), numbered: false };
        let done = write(&mut self.translator, &parsed, &rules)?;
        self.statements.push(done.sql);
        Ok(())
    }
}

/// All conditions together.
fn all(conditions: &[String]) -> String {
    if conditions.is_empty() { "1".into() } else { format!("({})", conditions.join(" AND ")) }
}

/// A row that there is not.
fn nothing(row: Relation) -> Relation {
    let cells = row.columns.iter().map(|_| "NULL".to_owned()).collect();
    Relation { cells: Some(cells), ..row }
}
