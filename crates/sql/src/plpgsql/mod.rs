//! Bodies in PL/pgSQL: variables, assignments, conditions, loops, statements on rows, `raise` and
//! `return`. Handlers of exceptions and text that is run as SQL are not among them.

mod loops;
mod plain;
mod raise;
mod reader;

#[cfg(test)]
mod tests;

pub(crate) use plain::plain;
pub(crate) use reader::{read, read_whole};

/// What is not understood of a body, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line within the body, from 1.
    pub line: u64,
    /// The part, or what is missing.
    pub text: String,
}

/// A body: what it declares, and what it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) variables: Vec<Variable>,
    pub(crate) steps: Vec<Step>,
}

/// A declared variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) type_name: String,
    /// What it is at first, as SQL.
    pub(crate) value: Option<String>,
}

/// One statement of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `new.column := value;`
    Assign { column: String, value: String },
    /// `variable := value;`
    Set { variable: String, value: String },
    /// `select … into …;`, or a statement on rows with `returning … into …;`
    Into { variables: Vec<String>, sql: String, strict: bool },
    /// `if … then … elsif … else … end if;`
    If { branches: Vec<(String, Vec<Step>)>, otherwise: Vec<Step> },
    /// `return …;` with the text behind it, which may be empty.
    Return(String),
    /// `return query …;`
    ReturnQuery(String),
    /// `raise exception …;` The options of `using` are expressions.
    Raise { code: String, message: String, arguments: Vec<String>, options: Vec<(String, String)> },
    /// A statement on rows.
    Sql(String),
    /// What changes nothing: `null;`, notices.
    Nothing,
    /// A block within another.
    Block(Body),
    /// `[while …] loop … end loop;`
    Loop { label: Option<String>, test: Option<String>, steps: Vec<Step> },
    /// `for variable in [reverse] first..last [by step] loop … end loop;`
    Range { label: Option<String>, variable: String, reverse: bool, ends: [String; 3], steps: Vec<Step> },
    /// `for variables in query loop … end loop;`
    Rows { label: Option<String>, variables: Vec<String>, sql: String, steps: Vec<Step> },
    /// `exit` or `continue`, when the test holds.
    Leave { label: Option<String>, next: bool, test: Option<String> },
    /// `return next …;`
    ReturnNext(String),
    /// `get diagnostics variable = row_count;`
    RowCount(String),
}
