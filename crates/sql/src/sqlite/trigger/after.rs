//! Triggers after a row is written, and those before a row is deleted: SQLite's own.

use sqlparser::ast::{Expr, Statement as Parsed};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, PolicyCommand, Table, TableName};

use super::{Routine, fired, raised, routines, translator, variables};
use crate::expression::{Relation, Translator, file_name, parse};
use crate::plpgsql::Step;
use crate::quote::{literal, quote};
use crate::sqlite::write::{Rules, Write, statement_of, write};

/// The statements that create a table's triggers.
///
/// # Errors
/// A body that is not simple.
pub fn after(catalog: &Catalog, name: &TableName, table: &Table) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    for (event, before) in [("insert", false), ("update", false), ("delete", false), ("delete", true)] {
        if !fired(catalog, table, event, before).is_empty() {
            continue;
        }
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
    let known = variables::relation(catalog, routine, variable);
    let mut body = Body {
        catalog,
        routine,
        translator: translator(catalog, routine, (name, event), rows, known),
        statements: Vec::new(),
        marks: 0,
    };
    // What comes from another database was fired for there.
    let mut when = "ts_origin() IS NULL".to_owned();
    if let Some(condition) = &routine.condition {
        when = format!("{when} AND {}", body.translator.condition(&parse(condition)?)?);
    }
    for declared in &routine.body.variables {
        if let Some(value) = &declared.value {
            body.keep(&declared.name, &parse(value)?, &[])?;
        }
    }
    body.steps(&routine.body.steps, &[])?;
    body.frame();
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

/// What reads a variable.
fn variable(name: &str) -> String {
    format!("ts_variable({})", literal(name))
}

struct Body<'a, 'r> {
    catalog: &'a Catalog,
    routine: &'r Routine<'r>,
    translator: Translator<'a>,
    statements: Vec<String>,
    /// Conditions kept in variables of their own.
    marks: usize,
}

impl Body<'_, '_> {
    fn refuse<T>(&self, what: &str) -> Result<T> {
        Err(Error::unsupported(format!("trigger {}: {what}", self.routine.trigger.name)))
    }

    /// Variables are the firing's own, also where it leads to another of the same trigger.
    fn frame(&mut self) {
        if self.statements.iter().any(|sql| sql.contains("ts_set_variable(")) {
            self.statements.insert(0, "SELECT ts_variables(1)".into());
            self.statements.push("SELECT ts_variables(0)".into());
        }
    }

    /// Sets a variable under conditions.
    fn keep(&mut self, name: &str, value: &Expr, conditions: &[String]) -> Result<()> {
        let ty = variables::type_of(self.catalog, self.routine, name);
        let term = self.translator.expr(value)?;
        let value = self.translator.cast_to(term, &ty)?.sql;
        self.statements.push(format!(
            "SELECT ts_set_variable({}, {value}) WHERE {}",
            literal(name),
            all(conditions)
        ));
        Ok(())
    }

    /// Keeps what an insert returned.
    fn keep_returned(&mut self, names: &[String], sql: &str, conditions: &[String]) -> Result<()> {
        let parsed = statement_of(sql)?;
        if let Parsed::Query(_) = parsed {
            for (name, value) in names.iter().zip(variables::cells(sql, names.len())?) {
                self.keep(name, &value, conditions)?;
            }
            return Ok(());
        }
        let done = self.write(&parsed, conditions)?;
        let one =
            done.command == PolicyCommand::Insert && !done.upserts && done.returning.len() == names.len();
        if !one {
            return self.refuse("\"returning into\" of anything but an insert runs on PostgreSQL only");
        }
        for (name, (_, term)) in names.iter().zip(done.returning) {
            let ty = variables::type_of(self.catalog, self.routine, name);
            let value = self.translator.cast_to(term, &ty)?.sql;
            self.statements.push(format!(
                "SELECT ts_set_variable({}, {value}) FROM {} WHERE rowid = last_insert_rowid() AND {}",
                literal(name),
                quote(&file_name(&done.table)),
                all(conditions)
            ));
        }
        Ok(())
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
                Step::Raise { code, message, arguments, .. } => {
                    let failing = raised(&mut self.translator, (code, message, arguments))?;
                    self.statements.push(format!("SELECT {failing} WHERE {}", all(&conditions)));
                }
                Step::Sql(sql) => self.statement(sql, &conditions)?,
                Step::Set { variable, value } => self.keep(variable, &parse(value)?, &conditions)?,
                Step::Into { variables, sql, .. } => self.keep_returned(variables, sql, &conditions)?,
                Step::Assign { .. } => {
                    return self.refuse("an assignment to the row has no effect after it is written");
                }
                _ => return self.refuse("this statement of a trigger"),
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
            let mut test = self.translator.condition(&parse(test)?)?;
            if test.contains("SELECT ") || test.contains("ts_variable(") {
                test = self.mark(&test, &none);
            }
            let mut met = none.clone();
            met.push(format!("({test}) IS TRUE"));
            exits.extend(self.steps(steps, &met)?);
            none.push(format!("({test}) IS NOT TRUE"));
        }
        exits.extend(self.steps(otherwise, &none)?);
        Ok(exits)
    }

    /// Keeps a condition as it is now, for what it reads may change.
    fn mark(&mut self, test: &str, conditions: &[String]) -> String {
        self.marks += 1;
        let name = format!("if {}", self.marks);
        let sql = format!("SELECT ts_set_variable({}, ({test})) WHERE {}", literal(&name), all(conditions));
        self.statements.push(sql);
        variable(&name)
    }

    /// What is returned decides only before a row is deleted: it stays if that is no row.
    fn give_back(&mut self, value: &str, conditions: &[String]) {
        let keeps = matches!(value.to_lowercase().as_str(), "new" | "old");
        if self.routine.trigger.before && !keeps {
            self.statements.push(format!("SELECT RAISE(IGNORE) WHERE {}", all(conditions)));
        }
    }

    fn statement(&mut self, sql: &str, conditions: &[String]) -> Result<()> {
        let parsed = statement_of(sql)?;
        if let Parsed::Query(query) = &parsed {
            let (query, _) = self.translator.query(query)?;
            self.statements.push(format!("SELECT * FROM ({query}) WHERE {}", all(conditions)));
            return Ok(());
        }
        self.write(&parsed, conditions).map(drop)
    }

    fn write(&mut self, parsed: &Parsed, conditions: &[String]) -> Result<Write> {
        if self.routine.trigger.before {
            return self.refuse("a statement on rows before a delete runs on PostgreSQL only");
        }
        if !self.routine.definer {
            return self.refuse("a trigger function that writes must be \"security definer\" here");
        }
        let only_if = (!conditions.is_empty()).then(|| conditions.join(" AND "));
        let rules = Rules { guard: None, only_if: only_if.as_deref() };
        let done = write(&mut self.translator, parsed, &rules)?;
        self.statements.push(done.sql.clone());
        Ok(done)
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
