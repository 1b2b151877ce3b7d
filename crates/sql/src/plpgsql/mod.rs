//! The simple shapes of PL/pgSQL bodies: variables, assignments, conditions, statements on rows,
//! `raise` and `return`. Loops, records and handlers of exceptions are not among them.

mod plain;
mod reader;

#[cfg(test)]
mod tests;

pub(crate) use plain::plain;
pub(crate) use reader::read;

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
    Into { variables: Vec<String>, sql: String },
    /// `if … then … elsif … else … end if;`
    If { branches: Vec<(String, Vec<Step>)>, otherwise: Vec<Step> },
    /// `return …;` with the text behind it, which may be empty.
    Return(String),
    /// `return query …;`
    ReturnQuery(String),
    /// `raise exception …;`
    Raise { code: String, message: String, arguments: Vec<String> },
    /// A statement on rows.
    Sql(String),
    /// What changes nothing: `null;`, notices.
    Nothing,
}
