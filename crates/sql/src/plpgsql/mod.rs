//! Bodies in PL/pgSQL: variables, assignments, conditions, loops, statements on rows, `raise`, handlers of
//! errors and `return`. Text that is run as SQL is among them where it is known before it runs.

mod conditions;
mod execute;
mod flow;
mod handlers;
mod loops;
mod plain;
mod raise;
mod reader;

#[cfg(test)]
mod tests;

pub use conditions::Condition;
pub use flow::{Flow, Numbers};
pub(crate) use handlers::CAUGHT;
pub(crate) use plain::plain;
pub(crate) use reader::read;
pub use reader::read_whole;

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
pub struct Body {
    /// What it declares.
    pub variables: Vec<Variable>,
    /// What it does.
    pub steps: Vec<Step>,
    /// What it does about errors of its steps; the first that catches one.
    pub handlers: Vec<Handler>,
}

/// What is done about errors, once all that the steps did until then is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Which errors.
    pub conditions: Vec<Condition>,
    /// What is done. It may name the error's code and message, `sqlstate` and `sqlerrm`.
    pub steps: Vec<Step>,
}

/// A declared variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its type, as SQL.
    pub type_name: String,
    /// What it is at first, as SQL.
    pub value: Option<String>,
}

/// Names, and what they mean as SQL.
pub type Values = Vec<(String, String)>;

/// One statement of a body. Conditions and values are SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Step {
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
    /// A statement that is given as a text, in which these values have names that no other text has.
    Execute { values: Values, step: Box<Step> },
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
