//! A body in PL/pgSQL, or one that writes within `with` or empties tables, as a program: its control flow is kept, and each of its expressions and
//! statements is one of SQLite, in which arguments and variables are the numbered parameters.

mod call;
mod execute;
mod names;
mod reach;
mod statements;
mod truncate;
mod with;

use sqlparser::ast::Statement as Parsed;
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::Function;

use super::routine::Step as Statement;
use super::write::Guard;
use crate::expression::{Scope, Term, Translator, Unsupported, parameter_type, result_columns, statements};
use crate::plpgsql::{self, Body, CAUGHT, Condition, Handler, Step};
use crate::truncate::Emptying;

use names::{Names, Row, mark};
use with::Writing;

/// What a function does.
#[derive(Clone, Debug)]
pub struct Program {
    /// How many cells it works on: first the arguments, then the variables.
    pub cells: usize,
    /// Where it keeps whether the last statement found a row.
    pub found: usize,
    /// What it does.
    pub steps: Vec<Op>,
    /// The row that it returns where it ends without a `return`: its `out` parameters.
    pub out: Option<String>,
}

/// One step of a program. Texts are queries of SQLite; cells have the forms that columns store.
#[derive(Clone, Debug)]
pub enum Op {
    /// A cell becomes the one value of a query.
    Set(usize, String),
    /// A statement whose result nobody reads.
    Run(Statement),
    /// Cells become the first row of a statement, or null.
    Into {
        /// Those cells.
        cells: Vec<usize>,
        /// What is read or written.
        statement: Statement,
        /// There must be one row.
        strict: bool,
    },
    /// The first branch whose query gives true, or the other one.
    If(Vec<(String, Vec<Op>)>, Vec<Op>),
    /// Goes on while the query gives true.
    Loop(Option<String>, Option<String>, Vec<Op>),
    /// Goes over integers, both ends included.
    Range {
        /// Its label.
        label: Option<String>,
        /// Which cell takes them.
        cell: usize,
        /// First, last and step, in one row.
        ends: String,
        /// From the first down to the last.
        reverse: bool,
        /// What is done for each.
        steps: Vec<Op>,
    },
    /// Goes over the rows of a query.
    Rows {
        /// Its label.
        label: Option<String>,
        /// Which cells take each row.
        cells: Vec<usize>,
        /// The query.
        sql: String,
        /// What is done for each.
        steps: Vec<Op>,
    },
    /// Leaves or repeats a loop, if the query gives true.
    Leave {
        /// Which; the innermost if absent.
        label: Option<String>,
        /// Whether it goes on with the next round.
        next: bool,
        /// The condition.
        test: Option<String>,
    },
    /// Adds the rows of a statement to the result.
    Give(Statement),
    /// Ends, with the rows of a query as the result if there is one.
    Return(Option<String>),
    /// Fails with the row of a query: code, message, details, hint.
    Raise(String),
    /// A cell becomes the number of rows of the last statement.
    RowCount(usize),
    /// A cell becomes the rows of a statement: a JSON array of arrays, with bytes as hexadecimal digits.
    Keep(usize, Statement),
    /// Empties tables.
    Empty(Emptying),
    /// A cell becomes the one value of a function.
    Call {
        /// Its place among the catalog's functions.
        place: usize,
        /// The queries of its arguments, one value each.
        arguments: Vec<String>,
        /// That cell.
        cell: usize,
    },
    /// Steps whose errors are caught, once all that they did until then is undone.
    Guarded {
        /// Those steps.
        steps: Vec<Op>,
        /// Which errors are caught, and what is done about them; the first that fits.
        handlers: Vec<Caught>,
        /// Which cells take the error: code, message, details, hint.
        cells: [usize; 4],
    },
}

/// What is done about errors.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Which errors.
    pub conditions: Vec<Condition>,
    /// What is done.
    pub steps: Vec<Op>,
}

/// What a trigger that runs as a program is told, in this order: `tg_op`, `tg_name`, the table or view and
/// its schema.
pub const TOLD: [&str; 4] = ["tg_op", "tg_name", "tg_table_name", "tg_table_schema"];

/// Translates a function that is no simple shape.
///
/// # Errors
/// What can't be read or translated, with its line; those of `guard`.
pub fn program(function: &Function, scope: &Scope<'_>, guard: Option<&Guard<'_>>) -> Result<Program> {
    let columns = result_columns(scope.catalog, function)?;
    compiled(function, scope, guard, (&columns, Names::of(scope.catalog, function, &columns)), Ok)
}

/// Translates the function of a trigger that runs instead of a write to a view. Behind the cell of
/// `found` are those of `new`, those of `old`, and [`TOLD`]; what it returns is the row written, or none.
///
/// # Errors
/// Those of [`program`].
pub fn instead(
    function: &Function,
    scope: &Scope<'_>,
    guard: Option<&Guard<'_>>,
    row: &[(String, Type)],
) -> Result<Program> {
    compiled(function, scope, guard, (row, told(function, scope, row)), Ok)
}

/// Translates the function of a trigger of a table, for rows one by one. It does nothing where its
/// condition does not hold, and otherwise what [`instead`] does.
///
/// # Errors
/// Those of [`program`].
pub fn fired(
    function: &Function,
    scope: &Scope<'_>,
    guard: Option<&Guard<'_>>,
    row: &[(String, Type)],
    (condition, event): (Option<&str>, &str),
) -> Result<Program> {
    compiled(function, scope, guard, (row, told(function, scope, row)), |body| {
        let Some(condition) = condition else { return Ok(body) };
        let kept = if event == "delete" { "old" } else { "new" };
        let branches = vec![(condition.to_owned(), vec![Step::Block(body)])];
        let steps = vec![Step::If { branches, otherwise: vec![Step::Return(kept.to_owned())] }];
        Ok(Body { steps, ..Body::default() })
    })
}

/// The names that the function of a trigger knows.
fn told(function: &Function, scope: &Scope<'_>, row: &[(String, Type)]) -> Names {
    let mut names = Names::of(scope.catalog, function, &[]);
    names.declare_row("new", row.to_vec());
    names.declare_row("old", row.to_vec());
    for name in TOLD {
        names.declare(name, Type::Text);
    }
    names
}

fn compiled(
    function: &Function,
    scope: &Scope<'_>,
    guard: Option<&Guard<'_>>,
    (columns, names): (&[(String, Type)], Names),
    shaped: impl FnOnce(Body) -> Result<Body>,
) -> Result<Program> {
    let refuse = |fault: plpgsql::Fault| {
        let reason = format!("line {}: {} runs on PostgreSQL only", fault.line, fault.text);
        Error::from(Unsupported::new(&function.name, format!("{reason}; write it in \"language sql\"")))
    };
    let body = match function.language.as_str() {
        "plpgsql" => plpgsql::read_whole(function.body.as_deref().unwrap_or_default()).map_err(refuse)?,
        _ => straight(function)?,
    };
    let body = shaped(body)?;
    let guard = guard.filter(|_| !function.security_definer);
    let arguments: Vec<Term> = function
        .parameters
        .iter()
        .enumerate()
        .map(|(at, one)| Term::new(format!("?{}", at + 1), parameter_type(scope.catalog, one)))
        .collect();
    let mut done = None;
    Translator::new(scope).within(function, arguments, |translator| {
        done = Some(Compiler { translator, function, columns, guard, names }.whole(&body));
        Ok(())
    })?;
    done.unwrap_or_else(|| Err(Error::internal("a program was not translated")))
}

/// Whether a function can be a program where it is nothing simpler.
pub fn suits(function: &Function) -> bool {
    let is_one =
        |statement: &Parsed| matches!(statement, Parsed::Truncate(_)) || Writing::of(statement).is_some();
    let writes = |found: Vec<Parsed>| found.iter().any(is_one);
    function.language == "plpgsql" || statements(function).is_ok_and(writes)
}

/// The statements of a function in SQL as a body; it returns what the last one gives.
fn straight(function: &Function) -> Result<Body> {
    let mut steps: Vec<Step> =
        statements(function)?.iter().map(|statement| Step::Sql(statement.to_string())).collect();
    if !function.returns.void
        && let Some(Step::Sql(last)) = steps.pop()
    {
        steps.extend([Step::ReturnQuery(last), Step::Return(String::new())]);
    }
    Ok(Body { steps, ..Body::default() })
}

struct Compiler<'t, 'a, 'c> {
    translator: &'t mut Translator<'a>,
    function: &'c Function,
    columns: &'c [(String, Type)],
    guard: Option<&'c Guard<'c>>,
    names: Names,
}

impl Compiler<'_, '_, '_> {
    fn whole(&mut self, body: &Body) -> Result<Program> {
        let steps = self.block(body)?;
        let out = self.names.out().map(|cells| format!("SELECT {cells}"));
        Ok(Program { cells: self.names.cells(), found: self.names.found, steps, out })
    }

    fn refuse<T>(&self, why: impl Into<String>) -> Result<T> {
        Err(Unsupported::new(&self.function.name, why).into())
    }

    fn block(&mut self, body: &Body) -> Result<Vec<Op>> {
        self.names.enter();
        let mut ops = Vec::new();
        for variable in &body.variables {
            if let Some(row) = self.names.row_type(self.translator.catalog(), &variable.type_name) {
                self.names.declare_row(&variable.name, row);
                if variable.value.is_some() {
                    return self.refuse("a row that is set where it is declared");
                }
                continue;
            }
            let ty = self.names.type_of(self.translator.catalog(), self.function, &variable.type_name);
            let value = variable.value.as_deref().unwrap_or("null");
            let sql = self.value(value, &ty)?;
            let cell = self.names.declare(&variable.name, ty);
            ops.push(Op::Set(cell, sql));
        }
        let steps = self.steps(&body.steps)?;
        if body.handlers.is_empty() {
            ops.extend(steps);
        } else {
            ops.push(self.guarded(steps, &body.handlers)?);
        }
        self.names.leave();
        Ok(ops)
    }

    fn guarded(&mut self, steps: Vec<Op>, handlers: &[Handler]) -> Result<Op> {
        self.names.enter();
        let cells = CAUGHT.map(|name| self.names.declare(name, Type::Text));
        let mut caught = Vec::with_capacity(handlers.len());
        for handler in handlers {
            let steps = self.steps(&handler.steps)?;
            caught.push(Caught { conditions: handler.conditions.clone(), steps });
        }
        self.names.leave();
        Ok(Op::Guarded { steps, handlers: caught, cells })
    }

    fn steps(&mut self, steps: &[Step]) -> Result<Vec<Op>> {
        let mut ops = Vec::with_capacity(steps.len());
        for step in steps {
            self.step(step, &mut ops)?;
        }
        Ok(ops)
    }

    fn step(&mut self, step: &Step, ops: &mut Vec<Op>) -> Result<()> {
        if let Some(writing) = Writing::of_step(step) {
            return self.with(&writing, step, ops);
        }
        let before = ops.len();
        let Err(error) = self.plain(step, ops) else { return Ok(()) };
        // What can't be a part of a query may be a call that is run for itself.
        match self.calling(step) {
            Ok(Some(call)) => {
                ops.truncate(before);
                ops.extend(call);
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn plain(&mut self, step: &Step, ops: &mut Vec<Op>) -> Result<()> {
        let op = match step {
            Step::Nothing => return Ok(()),
            Step::Block(body) => {
                ops.extend(self.block(body)?);
                return Ok(());
            }
            Step::Execute { values, step } => return self.execute(values, step, ops),
            Step::Assign { column, value } => self.set(&format!("new.{column}"), value)?,
            Step::Set { variable, value } => self.set(variable, value)?,
            Step::Into { variables, sql, strict } => self.into(variables, sql, *strict)?,
            Step::Sql(sql) => match self.emptying(sql)? {
                Some(emptying) => Op::Empty(emptying),
                None => Op::Run(self.statement(sql, None)?),
            },
            Step::If { branches, otherwise } => {
                let branches = branches
                    .iter()
                    .map(|(test, steps)| Ok((self.condition(test)?, self.steps(steps)?)))
                    .collect::<Result<_>>()?;
                Op::If(branches, self.steps(otherwise)?)
            }
            Step::Loop { label, test, steps } => {
                let test = test.as_deref().map(|test| self.condition(test)).transpose()?;
                Op::Loop(label.clone(), test, self.steps(steps)?)
            }
            Step::Range { label, variable, reverse, ends, steps } => {
                let ends = self.ends(ends)?;
                self.names.enter();
                let cell = self.names.declare(variable, Type::Int4);
                let steps = self.steps(steps)?;
                self.names.leave();
                Op::Range { label: label.clone(), cell, ends, reverse: *reverse, steps }
            }
            Step::Rows { label, variables, sql, steps } => {
                let (cells, sql) = self.rows(variables, sql)?;
                Op::Rows { label: label.clone(), cells, sql, steps: self.steps(steps)? }
            }
            Step::Leave { label, next, test } => {
                let test = test.as_deref().map(|test| self.condition(test)).transpose()?;
                Op::Leave { label: label.clone(), next: *next, test }
            }
            Step::Return(value) => Op::Return(self.returned(value)?),
            Step::ReturnNext(value) => match self.next(value)? {
                Some(sql) => Op::Give(Statement { sql, written: None }),
                None => return self.refuse("\"return next\" of nothing"),
            },
            Step::ReturnQuery(sql) => Op::Give(self.result(sql)?),
            Step::Raise { code, message, arguments, options } => {
                Op::Raise(self.raise((code, message), arguments, options)?)
            }
            Step::RowCount(variable) => Op::RowCount(self.variable(variable)?.0),
        };
        ops.push(op);
        Ok(())
    }

    /// The cell and type of a variable.
    fn variable(&self, name: &str) -> Result<(usize, Type)> {
        self.names.variable(name).ok_or_else(|| {
            let message = format!("\"{name}\" is not a known variable");
            Error::new(ErrorKind::InvalidInput, "42601", message)
        })
    }

    /// A row variable by name.
    fn row(&self, name: &str) -> Option<&Row> {
        self.names.row(name)
    }
}
