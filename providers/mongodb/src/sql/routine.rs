//! Functions of the catalog: a call is its body with the arguments in the parameters' places.

use mongodb::bson::{Bson, doc};
use sqlparser::ast::{Expr, Query, Statement};
use truststream_kernel::{Error, Result, Type, Value};
use truststream_services::database::{Function, TableName};
use truststream_sql::computed;
use truststream_sql::expression::{SCALAR, parameter_type, result_columns, statements};
use truststream_sql::schema::type_named;

use super::frame::{Argument, Call, Frame, Relation, inner};
use super::query::lone_expression;
use super::select::{Rows, Shown};
use super::value::{family, untyped};
use super::{Translator, parse, unsupported};
use crate::plan::{Place, Planner};
use crate::term::{Term, Want, all};

/// How deep functions may lead to other functions.
const DEEPEST: usize = 12;

impl<'p, 'a> Translator<'p, 'a> {
    /// The value of a function of one row, and the stages that make what it reads.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn computed_value(
        planner: &'p mut Planner<'a>,
        place: &Place,
        function: &Function,
    ) -> Result<(Term, Vec<mongodb::bson::Document>)> {
        let mut translator = Translator::at(planner, place)?;
        let row = translator.row_of(place, function)?;
        let term =
            translator.within(function, vec![Argument::Row(row)], |body| body.value_of_body(function))?;
        Ok((term, translator.stages()))
    }

    /// The rows that a function gives for one row.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn computed_rows(
        planner: &'p mut Planner<'a>,
        place: &Place,
        function: &Function,
    ) -> Result<Rows> {
        let mut translator = Translator::at(planner, place)?;
        let row = translator.row_of(place, function)?;
        translator.within(function, vec![Argument::Row(row)], |body| body.rows_of_body(function))
    }

    fn row_of(&self, place: &Place, function: &Function) -> Result<Relation> {
        let name = function.parameters.first().map(|parameter| parameter.name.as_str()).unwrap_or_default();
        self.relation_of(place, name)
    }

    /// What an expression of a function is, which is called for itself, and the stages that make what it
    /// reads; a literal is read as a type.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn value_of_call(
        planner: &'p mut Planner<'a>,
        function: &Function,
        arguments: &[Term],
        expr: &Expr,
        ty: &Type,
    ) -> Result<(Term, Vec<mongodb::bson::Document>)> {
        let mut translator = Translator::new(planner);
        let arguments = arguments.iter().cloned().map(Argument::Value).collect();
        translator.within(function, arguments, |body| {
            body.frames.push(Frame::default());
            let term = body.value(expr, Some(ty))?;
            Ok((term, body.frames.pop().map(|frame| frame.stages).unwrap_or_default()))
        })
    }

    /// A query of a function that is called for itself.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated, 42501 where the caller may not call it.
    pub(crate) fn step(
        planner: &'p mut Planner<'a>,
        function: &Function,
        arguments: &[Term],
        query: &Query,
        declared: Option<&[(String, Type)]>,
    ) -> Result<Rows> {
        let mut translator = Translator::new(planner);
        let arguments = arguments.iter().cloned().map(Argument::Value).collect();
        let shown = declared.map_or(Shown::Nothing, Shown::Declared);
        translator.within(function, arguments, |body| body.query(query, shown))
    }

    /// A call for one value.
    pub(super) fn routine(&mut self, name: &TableName, arguments: &[Expr], shown: &str) -> Result<Term> {
        let (function, arguments) = self.chosen(name, arguments, shown)?;
        if function.returns.set || function.returns.composite || function.returns.void {
            return Err(unsupported("a function of rows where one value is wanted", shown));
        }
        let strict: Vec<Bson> = arguments
            .iter()
            .filter_map(|argument| match argument {
                Argument::Value(term) if function.strict => Some(term.is_null(Want::False)),
                _ => None,
            })
            .collect();
        let term = self.within(function, arguments, |body| body.value_of_body(function))?;
        if strict.is_empty() {
            return Ok(term);
        }
        let none = Term::value(&Value::Null, &term.ty)?;
        Ok(Term::either(all(strict), term, none))
    }

    /// A call in the place of a table, and whether it gives values that are no rows.
    pub(super) fn rows_of_call(
        &mut self,
        name: &TableName,
        arguments: &[Expr],
        called: &str,
        shown: impl std::fmt::Display,
    ) -> Result<(Rows, bool)> {
        let (function, arguments) = self.chosen(name, arguments, &shown.to_string())?;
        if function.strict && !arguments.is_empty() {
            return Err(unsupported("a strict function in a from", shown));
        }
        let mut rows = self.within(function, arguments, |body| body.rows_of_body(function))?;
        let scalar = !function.returns.composite;
        if let ([(column, _)], true) = (rows.columns.as_mut_slice(), scalar) {
            let (from, to) = (crate::names::field(SCALAR), crate::names::field(called));
            rows.stages.push(doc! { "$project": { "_id": 0, &to: format!("${from}") } });
            called.clone_into(column);
        }
        Ok((rows, scalar))
    }

    /// Translates something in the place of a function's body.
    pub(super) fn within<T>(
        &mut self,
        function: &Function,
        arguments: Vec<Argument>,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        if self.calls.len() >= DEEPEST {
            return Err(unsupported("a function that calls itself", &function.name));
        }
        let (access, caller) = (self.planner.access, self.planner.caller);
        if caller.role().is_some_and(|role| !function.is_open_to(role)) {
            let message = format!("permission denied for function {}", function.name.name);
            return Err(Error::permission_denied(message));
        }
        if function.security_definer {
            self.planner.access = access.owner();
            self.planner.caller = caller.owner();
        } else {
            self.planner.access = access.acting_as(caller);
        }
        let names = function.parameters.iter().map(|parameter| parameter.name.clone());
        let parameters = names.zip(arguments).collect();
        let floor = self.frames.len();
        let named = std::mem::take(&mut self.named);
        self.calls.push(Call {
            name: function.name.name.clone(),
            schema: function.name.schema.clone(),
            parameters,
            floor,
        });
        let done = body(self);
        self.calls.pop();
        self.named = named;
        (self.planner.access, self.planner.caller) = (access, caller);
        done
    }

    fn value_of_body(&mut self, function: &Function) -> Result<Term> {
        let ty = type_named(&self.planner.schema.catalog, &function.returns.type_name);
        let query = query_of(function)?;
        if let Some(expr) = lone_expression(&query) {
            let term = self.value(expr, Some(&ty))?;
            return self.assigned(term, &ty);
        }
        let rows = self.query(&query, Shown::Declared(&[("v".to_owned(), ty)]))?;
        self.first(rows, &function.name)
    }

    fn rows_of_body(&mut self, function: &Function) -> Result<Rows> {
        let columns = result_columns(&self.planner.schema.catalog, function)?;
        let mut rows = self.query(&query_of(function)?, Shown::Declared(&columns))?;
        if !function.returns.set {
            rows.stages.push(doc! { "$limit": 1 });
        }
        Ok(rows)
    }

    /// The function that a call means, and its arguments in the order of the parameters.
    fn chosen(
        &mut self,
        name: &TableName,
        given: &[Expr],
        shown: &str,
    ) -> Result<(&'a Function, Vec<Argument>)> {
        let catalog = &self.planner.schema.catalog;
        let fits = |function: &&Function| {
            let parameters = &function.parameters;
            function.name == *name
                && !function.variadic
                && given.len() <= parameters.len()
                && parameters[given.len()..].iter().all(|parameter| parameter.default.is_some())
        };
        let schema: &'a crate::schema::Schema = self.planner.schema;
        let found: Vec<&'a Function> = schema.catalog.functions.iter().filter(fits).collect();
        let function = match found.as_slice() {
            [only] => *only,
            [] => return Err(unsupported("this function", shown)),
            several => {
                let types: Vec<Option<Type>> = given
                    .iter()
                    .map(|expr| {
                        if untyped(expr) { Ok(None) } else { self.value(expr, None).map(|one| Some(one.ty)) }
                    })
                    .collect::<Result<_>>()?;
                let exact = |function: &&&Function| {
                    function.parameters.iter().zip(&types).all(|(parameter, ty)| {
                        ty.as_ref().is_none_or(|ty| parameter_type(catalog, parameter) == *ty)
                    })
                };
                *several.iter().find(exact).ok_or_else(|| unsupported("this function", shown))?
            }
        };
        let mut arguments = Vec::new();
        for (at, parameter) in function.parameters.iter().enumerate() {
            let row = computed::table_of(&self.planner.schema.catalog, function);
            if let (Some(expr), Some(table)) = (given.get(at), row) {
                arguments.push(Argument::Row(self.row_named(expr, &table, shown)?));
                continue;
            }
            let ty = parameter_type(&self.planner.schema.catalog, parameter);
            let term = match (given.get(at), &parameter.default) {
                (Some(expr), _) => self.value(expr, Some(&ty))?,
                (None, Some(default)) => self.value(&parse(default)?, Some(&ty))?,
                (None, None) => return Err(unsupported("this function", shown)),
            };
            let fits = family(&term.ty) == family(&ty);
            let term = if fits {
                self.assigned(term, &ty)?
            } else {
                return Err(unsupported("this function", shown));
            };
            arguments.push(Argument::Value(term));
        }
        Ok((function, arguments))
    }

    /// The rows of a table by their name, as one argument.
    fn row_named(&self, expr: &Expr, table: &TableName, shown: &str) -> Result<Relation> {
        let refused = || unsupported("this argument", shown);
        let Expr::Identifier(name) = inner(expr) else { return Err(refused()) };
        let (name, of) = (super::ident(name), self.planner.schema.table(table)?);
        let frame = self.frames.last().filter(|frame| frame.groups.is_none()).ok_or_else(refused)?;
        let alike = |row: &&Relation| {
            let columns = of.columns.iter().map(|column| (&column.name, &column.ty));
            row.name == name && columns.eq(row.columns.iter().map(|(name, ty)| (name, ty)))
        };
        frame.relations.iter().find(alike).cloned().ok_or_else(refused)
    }
}

/// The one query that a function is.
fn query_of(function: &Function) -> Result<Query> {
    let mut statements = statements(function)?.into_iter();
    match (statements.next(), statements.next()) {
        (Some(Statement::Query(query)), None) => Ok(*query),
        _ => Err(unsupported("a function that is more than one query, within another query", &function.name)),
    }
}
