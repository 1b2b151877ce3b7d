//! Functions of one row: a call is their body with the row's columns in the places of its fields.

use sqlparser::ast::{AccessExpr, Expr, Value as Literal};
use truststream_kernel::Type;
use truststream_services::database::{Catalog, Function, TableName};

use super::names::{Relation, column};
use super::routines::result_columns;
use super::translate::Translator;
use super::{Scope, Term, Unsupported};
use crate::computed::table_of;
use crate::schema::{ident, type_in_signature};

/// The value of a function of a row of the scope's table.
///
/// # Errors
/// What can't be translated.
pub fn computed_value(function: &Function, scope: &Scope<'_>) -> Result<(String, Type), Unsupported> {
    let mut translator = Translator::new(&Scope { table: None, ..*scope });
    let row = row_of(scope)?;
    let ty = type_in_signature(scope.catalog, &function.returns.type_name);
    let sql = translator.within_row(function, row, |translator| translator.value_of(function, &ty))?;
    Ok((sql, ty))
}

/// The query of the rows that a function gives for a row of the scope's table.
///
/// # Errors
/// What can't be translated.
pub fn computed_rows(function: &Function, scope: &Scope<'_>) -> Result<String, Unsupported> {
    let mut translator = Translator::new(&Scope { table: None, ..*scope });
    let columns = result_columns(scope.catalog, function)?;
    let row = row_of(scope)?;
    translator.within_row(function, row, |translator| translator.rows_of(function, &columns))
}

/// Whether a function of a row can be translated.
pub(crate) fn check_row_function(function: &Function, scope: &Scope<'_>) -> Result<(), Unsupported> {
    let table = table_of(scope.catalog, function);
    let scope = Scope { table: table.as_ref(), alias: Some("t"), ..*scope };
    match function.returns.set || function.returns.composite {
        true => computed_rows(function, &scope).map(drop),
        false => computed_value(function, &scope).map(drop),
    }
}

fn row_of(scope: &Scope<'_>) -> Result<Relation, Unsupported> {
    let missing = || Unsupported::new("", "a row of no table");
    let name: &TableName = scope.table.ok_or_else(missing)?;
    let table = scope.catalog.table(name).ok_or_else(missing)?;
    let row = Relation::of_table(name, table);
    Ok(Relation { alias: scope.alias.map(str::to_owned), ..row })
}

impl<'a> Translator<'a> {
    /// Translates something in the place of the body of a function of one row.
    fn within_row<T>(
        &mut self,
        function: &Function,
        row: Relation,
        body: impl FnOnce(&mut Self) -> Result<T, Unsupported>,
    ) -> Result<T, Unsupported> {
        let name = function.parameters.first().map(|parameter| parameter.name.clone());
        // Its fields have no names of their own: they are named through it.
        let merged = row.columns.iter().map(|(name, _)| name.clone()).collect();
        let row = Relation { name: name.unwrap_or_default(), schema: None, merged, ..row };
        let none = Relation::new(function.name.name.clone(), Vec::new());
        self.enclosed(function, vec![none, row], body)
    }

    /// A field of a row: `$1.id`, `(person).id`.
    pub(super) fn field(&self, root: &Expr, chain: &[AccessExpr]) -> Option<Result<Term, Unsupported>> {
        let [AccessExpr::Dot(Expr::Identifier(field))] = chain else { return None };
        let relation = match inner(root) {
            Expr::Value(value) => match &value.value {
                Literal::Placeholder(mark) if mark == "$1" => self.levels.first()?.get(1)?,
                _ => return None,
            },
            Expr::Identifier(name) => self.relation(&ident(name))?,
            _ => return None,
        };
        let named = Relation { merged: Vec::new(), ..relation.clone() };
        Some(column(&[vec![named]], std::slice::from_ref(field)))
    }

    /// The function of a row that a call with a relation's name means.
    pub(super) fn row_function(&self, name: &TableName, argument: &Expr) -> Option<(&'a Function, Relation)> {
        let Expr::Identifier(relation) = inner(argument) else { return None };
        if column(&self.levels, std::slice::from_ref(relation)).is_ok() {
            return None;
        }
        let relation = self.relation(&ident(relation))?;
        let fits = |function: &&Function| {
            let table = table_of(self.scope.catalog, function);
            let table = table.and_then(|table| self.scope.catalog.table(&table));
            function.name == *name
                && table.is_some_and(|table| {
                    let columns = table.columns.iter().map(|column| (&column.name, &column.ty));
                    columns.eq(relation.columns.iter().map(|(name, ty)| (name, ty)))
                })
        };
        let catalog: &'a Catalog = self.scope.catalog;
        let function = catalog.functions.iter().find(fits)?;
        Some((function, relation.clone()))
    }

    /// A call of a function of a row for one value.
    pub(super) fn row_call(&mut self, function: &Function, row: Relation) -> Result<Term, Unsupported> {
        if function.returns.set || function.returns.composite || function.returns.void {
            return Err(Unsupported::new(&function.name, "a function of rows where one value is wanted"));
        }
        let ty = type_in_signature(self.scope.catalog, &function.returns.type_name);
        let sql = self.within_row(function, row, |translator| translator.value_of(function, &ty))?;
        Ok(Term::new(sql, ty))
    }
}

fn inner(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(expr) => inner(expr),
        other => other,
    }
}
