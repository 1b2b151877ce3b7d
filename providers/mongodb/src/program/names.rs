//! What names mean in a body, and their values at the moment.

use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Catalog, Function, Parameter, TableName};
use truststream_sql::expression::parameter_type;
use truststream_sql::schema::{row_type, type_named};

use crate::term::Term;

/// A variable, a parameter, or (with a dot) a column of one that is a row.
#[derive(Clone, Debug)]
struct Name {
    name: String,
    ty: Type,
    /// Not known where it is only tried whether a body can be run.
    value: Option<Value>,
}

/// All that can be named, the outermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<Name>);

impl Names {
    /// The parameters of a function, with their values where they are known.
    pub(super) fn of(catalog: &Catalog, function: &Function, values: Option<&[Value]>) -> Self {
        let mut names = Names::default();
        for (at, parameter) in function.parameters.iter().enumerate() {
            let value = values.map(|values| values.get(at).cloned().unwrap_or(Value::Null));
            names.declare(&parameter.name, parameter_type(catalog, parameter), value);
        }
        names
    }

    pub(super) fn declare(&mut self, name: &str, ty: Type, value: Option<Value>) {
        self.0.push(Name { name: name.to_owned(), ty, value });
    }

    /// A row variable: each of its columns is a name.
    pub(super) fn declare_row(
        &mut self,
        name: &str,
        columns: impl Iterator<Item = (String, Type, Option<Value>)>,
    ) {
        for (column, ty, value) in columns {
            self.declare(&format!("{name}.{column}"), ty, value);
        }
    }

    /// How many there are: what is declared later goes with its block.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn leave(&mut self, count: usize) {
        self.0.truncate(count);
    }

    fn place(&self, name: &str) -> Result<usize> {
        self.0.iter().rposition(|one| one.name == name).ok_or_else(|| {
            let message = format!("\"{name}\" is not a known variable");
            Error::new(ErrorKind::InvalidInput, "42601", message)
        })
    }

    pub(super) fn type_of(&self, name: &str) -> Result<Type> {
        Ok(self.0[self.place(name)?].ty.clone())
    }

    pub(super) fn value(&self, name: &str) -> Result<Value> {
        Ok(self.0[self.place(name)?].value.clone().unwrap_or(Value::Null))
    }

    pub(super) fn set(&mut self, name: &str, value: Value) -> Result<()> {
        let at = self.place(name)?;
        self.0[at].value = Some(value);
        Ok(())
    }

    /// The columns of a row variable, each by its whole name; none if there is no such row.
    pub(super) fn row(&self, name: &str) -> Vec<(String, Type)> {
        let start = format!("{name}.");
        let columns = self.0.iter().filter(|one| one.name.starts_with(&start));
        columns.map(|one| (one.name.clone(), one.ty.clone())).collect()
    }

    /// A function whose parameters are all that can be named, and what it is called with.
    ///
    /// # Errors
    /// 0A000 for a value that the engine does not hold.
    pub(super) fn called(&self, catalog: &Catalog, function: &Function) -> Result<(Function, Vec<Term>)> {
        let mut named =
            Function { strict: false, parameters: Vec::with_capacity(self.0.len()), ..function.clone() };
        let mut terms = Vec::with_capacity(self.0.len());
        for (at, one) in self.0.iter().enumerate() {
            let hidden = self.0[at + 1..].iter().any(|later| later.name == one.name);
            named.parameters.push(Parameter {
                name: if hidden { String::new() } else { one.name.clone() },
                type_name: one.ty.sql_name(),
                required: true,
                variadic: false,
                default: None,
            });
            terms.push(match &one.value {
                Some(value) => Term::given(catalog, value, &one.ty)?,
                None => Term::unknown(one.ty.clone()),
            });
        }
        Ok((named, terms))
    }

    /// The table whose row a declared type is.
    pub(super) fn row_type(catalog: &Catalog, type_name: &str) -> Option<TableName> {
        let name = type_name.trim();
        row_type(catalog, name.strip_suffix("%rowtype").unwrap_or(name))
    }

    /// The type of a declared variable: its own, or that of a column or variable.
    pub(super) fn declared(&self, catalog: &Catalog, schema: &str, type_name: &str) -> Type {
        let Some(of) = type_name.trim().strip_suffix("%type") else { return type_named(catalog, type_name) };
        let found = match of.rsplit_once('.') {
            None => self.type_of(of).ok(),
            Some((table, column)) => {
                let tables = match table.split_once('.') {
                    Some((schema, table)) => vec![TableName::new(schema, table)],
                    None => vec![TableName::new(schema, table), TableName::public(table)],
                };
                let columns = tables.iter().filter_map(|table| catalog.table(table)?.column(column));
                columns.map(|column| column.ty.clone()).next()
            }
        };
        found.unwrap_or(Type::Text)
    }
}
