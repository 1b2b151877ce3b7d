//! What names mean in a program, and in which cells it is kept.

use truststream_kernel::Type;
use truststream_services::database::{Catalog, Function, TableName};

use crate::expression::{Relation, compared_type, parameter_type};
use crate::schema::{columns_of_type, row_type, type_named};

/// A variable that is a row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    /// Its columns, each with its cell; empty until it is known what it holds.
    pub(super) columns: Vec<(String, Type, usize)>,
}

/// Names of one block.
#[derive(Clone, Debug, Default)]
struct Level {
    values: Vec<(String, Type, usize)>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub(super) struct Names {
    levels: Vec<Level>,
    /// How many cells there are.
    next: usize,
    /// The cell of `found`.
    pub(super) found: usize,
    /// The cells of the function's `out` parameters.
    out: Vec<usize>,
}

impl Names {
    /// Parameters, the columns of the result where they can be set, and `found`.
    pub(super) fn of(catalog: &Catalog, function: &Function, columns: &[(String, Type)]) -> Self {
        let mut names = Names { levels: vec![Level::default()], next: 0, found: 0, out: Vec::new() };
        for parameter in &function.parameters {
            names.declare(&parameter.name, parameter_type(catalog, parameter));
        }
        names.found = names.declare("found", Type::Bool);
        let declared = function.returns.composite
            && function.returns.table.is_none()
            && function.returns.type_name != "record"
            && columns_of_type(catalog, &function.returns.type_name).is_none();
        if declared {
            for (name, ty) in columns {
                let cell = names.variable(name).map(|(cell, _)| cell);
                let cell = cell.unwrap_or_else(|| names.declare(name, ty.clone()));
                names.out.push(cell);
            }
        }
        names
    }

    /// How many cells there are.
    pub(super) fn cells(&self) -> usize {
        self.next
    }

    /// The `out` parameters as a list of parameters of SQLite.
    pub(super) fn out(&self) -> Option<String> {
        let marks: Vec<_> = self.out.iter().map(|cell| mark(*cell)).collect();
        (!marks.is_empty()).then(|| marks.join(", "))
    }

    pub(super) fn enter(&mut self) {
        self.levels.push(Level::default());
    }

    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    /// One more cell, which has no name.
    pub(super) fn cell(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn declare(&mut self, name: &str, ty: Type) -> usize {
        let cell = self.cell();
        if let Some(level) = self.levels.last_mut() {
            level.values.push((name.to_owned(), ty, cell));
        }
        cell
    }

    pub(super) fn declare_row(&mut self, name: &str, columns: Vec<(String, Type)>) {
        let columns = self.with_cells(columns);
        if let Some(level) = self.levels.last_mut() {
            level.rows.push(Row { name: name.to_owned(), columns });
        }
    }

    fn with_cells(&mut self, columns: Vec<(String, Type)>) -> Vec<(String, Type, usize)> {
        let first = self.next;
        self.next += columns.len();
        columns.into_iter().zip(first..).map(|((name, ty), cell)| (name, ty, cell)).collect()
    }

    /// Lets a row have these columns; its cells, or `None` if it has others already.
    pub(super) fn shape(&mut self, name: &str, columns: &[(String, Type)]) -> Option<Vec<usize>> {
        let row = self.row(name)?.clone();
        if row.columns.is_empty() {
            let columns = self.with_cells(columns.to_vec());
            let cells = columns.iter().map(|(.., cell)| *cell).collect();
            let mut rows = self.levels.iter_mut().rev().flat_map(|level| &mut level.rows);
            if let Some(row) = rows.find(|row| row.name == name) {
                row.columns = columns;
            }
            return Some(cells);
        }
        let same = row.columns.len() == columns.len()
            && row.columns.iter().zip(columns).all(|(known, new)| known.1 == new.1);
        same.then(|| row.columns.iter().map(|(.., cell)| *cell).collect())
    }

    /// A variable, or a column of one that is a row.
    pub(super) fn variable(&self, name: &str) -> Option<(usize, Type)> {
        if let Some((row, column)) = name.split_once('.') {
            let found = self.row(row)?.columns.iter().find(|(name, ..)| name == column)?;
            return Some((found.2, found.1.clone()));
        }
        let mut values = self.levels.iter().rev().flat_map(|level| level.values.iter().rev());
        values.find(|(one, ..)| one == name).map(|(_, ty, cell)| (*cell, ty.clone()))
    }

    pub(super) fn row(&self, name: &str) -> Option<&Row> {
        self.levels.iter().rev().flat_map(|level| &level.rows).find(|row| row.name == name)
    }

    /// What can be named, outermost block first.
    pub(super) fn relations(&self) -> Vec<Vec<Relation>> {
        let relation = |name: &str, columns: &[(String, Type, usize)]| Relation {
            cells: Some(columns.iter().map(|(.., cell)| mark(*cell)).collect()),
            ..Relation::new(name, columns.iter().map(|(name, ty, _)| (name.clone(), ty.clone())).collect())
        };
        let level = |level: &Level| {
            let mut relations = vec![relation("", &level.values)];
            // A bare name is never a column of a row.
            relations.extend(level.rows.iter().map(|row| Relation {
                merged: row.columns.iter().map(|(name, ..)| name.clone()).collect(),
                ..relation(&row.name, &row.columns)
            }));
            relations
        };
        self.levels.iter().map(level).collect()
    }

    /// The columns of a type that is a row; none for `record`.
    pub(super) fn row_type(&self, catalog: &Catalog, type_name: &str) -> Option<Vec<(String, Type)>> {
        if type_name == "record" {
            return Some(Vec::new());
        }
        let type_name = type_name.trim_end_matches("%rowtype");
        if let Some(columns) = columns_of_type(catalog, type_name) {
            return Some(columns);
        }
        let table = row_type(catalog, type_name)?;
        let table = catalog.table(&table)?;
        Some(table.columns.iter().map(|column| (column.name.clone(), compared_type(column))).collect())
    }

    /// The type of a variable, which may be that of a column or of another variable.
    pub(super) fn type_of(&self, catalog: &Catalog, function: &Function, type_name: &str) -> Type {
        let Some(of) = type_name.strip_suffix("%type") else { return type_named(catalog, type_name) };
        let parts: Vec<&str> = of.split('.').collect();
        let column = match parts.as_slice() {
            [name] => return self.variable(name).map_or(Type::Text, |(_, ty)| ty),
            [table, column] => [function.name.schema.as_str(), "public"]
                .iter()
                .find_map(|schema| catalog.table(&TableName::new(*schema, *table))?.column(column)),
            [schema, table, column] => {
                catalog.table(&TableName::new(*schema, *table)).and_then(|table| table.column(column))
            }
            _ => None,
        };
        column.map_or_else(|| type_named(catalog, of), compared_type)
    }
}

/// A cell as a parameter of SQLite.
pub(super) fn mark(cell: usize) -> String {
    format!("?{}", cell + 1)
}
