//! Names in expressions: which documents have what they mean, and how it is read from there.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{Expr, Ident, ObjectName, Value as Literal};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{TableName, errors};
use truststream_sql::schema::table_name;

use super::value::ident;
use super::{Translator, unsupported};
use crate::names::field;
use crate::plan::Place;
use crate::term::{Term, constant_of, is_json};

/// Rows by the name that an expression has for them.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) columns: Vec<(String, Type)>,
    /// What leads to a row in the documents: nothing, or a field and a dot.
    pub(super) prefix: String,
}

impl Relation {
    pub(super) fn column(&self, name: &str) -> Option<Term> {
        let (_, ty) = self.columns.iter().find(|(column, _)| column == name)?;
        Some(self.term(name, ty))
    }

    pub(super) fn term(&self, name: &str, ty: &Type) -> Term {
        Term::stored(format!("${}{}", self.prefix, field(name)), ty.clone())
    }
}

/// The rows that one `from` brings, and the pipeline that is made on them.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) relations: Vec<Relation>,
    /// Values of outer documents that are handed in.
    pub(super) lets: Document,
    /// Stages that come before the expression.
    pub(super) stages: Vec<Document>,
    /// Groups being made of the rows.
    pub(super) groups: Option<Groups>,
}

/// Groups of the rows of a frame.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// What is grouped by, and where it is found afterwards.
    pub(super) keys: Vec<(Term, Bson)>,
    pub(super) ids: Document,
    pub(super) accumulators: Document,
    /// Stages that come after the groups were made.
    pub(super) later: Vec<Document>,
    /// Whether an argument of an aggregate is translated, which is about rows.
    pub(super) inside: bool,
    /// What leads to a group in the documents.
    pub(super) prefix: String,
}

/// A row that is named as a whole.
#[derive(Debug)]
pub(super) struct WholeRow {
    pub(super) columns: Vec<(String, Term)>,
    /// Where it is, if it need not be there.
    pub(super) path: Option<String>,
}

/// What a parameter of a function stands for.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    Value(Term),
    Row(Relation),
}

/// A function whose body is translated in the place of its call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// Where a name without a schema is looked for first.
    pub(super) schema: String,
    pub(super) parameters: Vec<(String, Argument)>,
    /// How many frames the caller has: the body sees none of them.
    pub(super) floor: usize,
}

impl Frame {
    pub(super) fn of(relation: Relation) -> Self {
        Frame { relations: vec![relation], ..Frame::default() }
    }

    /// Adds a stage where what it makes is asked for.
    pub(super) fn push(&mut self, stage: Document) {
        match &mut self.groups {
            Some(groups) if !groups.inside => groups.later.push(stage),
            _ => self.stages.push(stage),
        }
    }
}

/// What a name without a schema means: what is in this schema, or else in `public`.
pub(crate) fn meant(
    name: &ObjectName,
    schema: Option<&str>,
    exists: impl Fn(&TableName) -> bool,
) -> TableName {
    let public = table_name(name);
    let near =
        schema.filter(|_| name.0.len() == 1).map(|schema| TableName::new(schema, public.name.as_str()));
    near.filter(exists).unwrap_or(public)
}

impl Translator<'_, '_> {
    fn near(&self) -> Option<&str> {
        self.calls.last().map(|call| call.schema.as_str())
    }

    /// The table or partition that a name means.
    pub(super) fn table_named(&self, name: &ObjectName) -> TableName {
        let catalog = self.catalog();
        let exists = |one: &TableName| catalog.has_relation(one);
        meant(name, self.near(), exists)
    }

    /// The function that a name means.
    pub(super) fn function_named(&self, name: &ObjectName) -> TableName {
        let functions = &self.planner.schema.catalog.functions;
        meant(name, self.near(), |one| functions.iter().any(|function| function.name == *one))
    }

    pub(super) fn floor(&self) -> usize {
        self.calls.last().map_or(0, |call| call.floor)
    }

    /// The rows of a place, by the name of their table.
    pub(super) fn relation_of(&self, place: &Place, name: &str) -> Result<Relation> {
        let table = self.planner.schema.table(&place.table)?;
        let columns = table.columns.iter().map(|column| (column.name.clone(), column.ty.clone())).collect();
        let prefix = place.row().map(|row| format!("{row}.")).unwrap_or_default();
        Ok(Relation { name: name.to_owned(), columns, prefix })
    }

    /// A column of the innermost rows that have it, or a parameter.
    pub(super) fn column(&mut self, relation: Option<&Ident>, name: &Ident) -> Result<Term> {
        let (wanted, name) = (relation.map(ident), ident(name));
        for at in (self.floor()..self.frames.len()).rev() {
            let fits = |one: &&Relation| wanted.as_ref().is_none_or(|wanted| *wanted == one.name);
            let mut fitting = self.frames[at].relations.iter().filter(fits);
            if let Some((relation, term)) = fitting.find_map(|one| Some((&one.name, one.column(&name)?))) {
                let term = self.grouped(at, term, (relation, &name))?;
                return Ok(self.carried(term, at));
            }
        }
        self.parameter(wanted.as_deref(), &name).ok_or_else(|| {
            let message = format!("column \"{name}\" does not exist");
            Error::new(ErrorKind::InvalidInput, "42703", message)
        })
    }

    /// The row that a name means, where no column is called so.
    pub(super) fn whole_row(&mut self, name: &Ident) -> Result<Option<WholeRow>> {
        let (floor, wanted) = (self.floor(), ident(name));
        let is_column = self.frames[floor..]
            .iter()
            .flat_map(|one| &one.relations)
            .any(|one| one.columns.iter().any(|(column, _)| *column == wanted));
        if is_column {
            return Ok(None);
        }
        for at in (floor..self.frames.len()).rev() {
            let found = self.frames[at].relations.iter().find(|one| one.name == wanted);
            let Some(relation) = found.cloned() else { continue };
            let path = relation.prefix.strip_suffix('.').map(|path| format!("${path}"));
            if path.is_some() && at + 1 < self.frames.len() {
                return Err(unsupported("a whole row of a join within a query inside it", name));
            }
            let mut columns = Vec::new();
            for (column, ty) in &relation.columns {
                let term = self.grouped(at, relation.term(column, ty), (&relation.name, column))?;
                columns.push((column.clone(), self.carried(term, at)));
            }
            return Ok(Some(WholeRow { columns, path }));
        }
        Ok(self.row_of_parameters(&wanted))
    }

    /// A row among the parameters, or a variable that is one.
    fn row_of_parameters(&mut self, wanted: &str) -> Option<WholeRow> {
        let call = self.calls.last()?;
        let (floor, mut columns) = (call.floor, Vec::new());
        for (parameter, argument) in &call.parameters {
            match argument {
                Argument::Value(_) if parameter == wanted => return None,
                Argument::Row(row) if parameter == wanted => {
                    let terms = row.columns.iter().map(|(name, ty)| (name.clone(), row.term(name, ty)));
                    columns = terms.collect();
                }
                Argument::Value(term) => {
                    let column = parameter.strip_prefix(wanted).and_then(|rest| rest.strip_prefix('.'));
                    columns.extend(column.map(|column| (column.to_owned(), term.clone())));
                }
                Argument::Row(_) => {}
            }
        }
        if columns.is_empty() {
            return None;
        }
        if let Some(at) = floor.checked_sub(1) {
            columns = columns.into_iter().map(|(name, term)| (name, self.carried(term, at))).collect();
        }
        Some(WholeRow { columns, path: None })
    }

    /// A column as the groups of a frame have it.
    fn grouped(&self, at: usize, term: Term, (relation, name): (&str, &str)) -> Result<Term> {
        let Some(groups) = self.frames[at].groups.as_ref().filter(|groups| !groups.inside) else {
            return Ok(term);
        };
        let key = groups.keys.iter().find(|(key, _)| key.expr == term.expr);
        match key {
            Some((_, expr)) => Ok(Term::new(expr.clone(), term.ty)),
            None => Err(errors::ungrouped(relation, name)),
        }
    }

    fn parameter(&mut self, function: Option<&str>, name: &str) -> Option<Term> {
        let call = self.calls.last()?;
        let (at, own) = (call.floor, function.is_none_or(|function| function == call.name));
        let dotted = function.map(|function| format!("{function}.{name}"));
        let found = call.parameters.iter().find_map(|(parameter, argument)| match argument {
            Argument::Value(term) if own && parameter == name => Some(term.clone()),
            // A column of a variable that is a row.
            Argument::Value(term) if Some(parameter) == dotted.as_ref() => Some(term.clone()),
            Argument::Row(row) if function == Some(parameter) => row.column(name),
            _ => None,
        })?;
        Some(if at == 0 { found } else { self.carried(found, at - 1) })
    }

    /// `$1`
    pub(super) fn placeholder(&mut self, mark: &str) -> Result<Term> {
        let at = mark.trim_start_matches('$').parse::<usize>().ok().and_then(|at| at.checked_sub(1));
        let call = self.calls.last().zip(at);
        match call.and_then(|(call, at)| Some((call.floor, call.parameters.get(at)?.1.clone()))) {
            Some((floor, Argument::Value(term))) => {
                Ok(if floor == 0 { term } else { self.carried(term, floor - 1) })
            }
            _ => Err(unsupported("this parameter", mark)),
        }
    }

    /// A field of a row: `$1.id`, `(person).id`.
    pub(super) fn field_of(&mut self, root: &Expr, name: &Ident) -> Option<Term> {
        let call = self.calls.last()?;
        let row = match inner(root) {
            Expr::Value(value) => match &value.value {
                Literal::Placeholder(mark) => {
                    let at = mark.trim_start_matches('$').parse::<usize>().ok()?.checked_sub(1)?;
                    &call.parameters.get(at)?.1
                }
                _ => return None,
            },
            Expr::Identifier(row) => {
                let row = ident(row);
                &call.parameters.iter().find(|(parameter, _)| *parameter == row)?.1
            }
            _ => return None,
        };
        let Argument::Row(row) = row else { return None };
        let (term, floor) = (row.column(&ident(name))?, call.floor);
        Some(self.carried(term, floor.checked_sub(1)?))
    }

    /// A term about the documents of a frame, as the innermost frame reads it: its value is handed to
    /// the `$lookup` right below.
    pub(super) fn carried(&mut self, term: Term, at: usize) -> Term {
        let known = constant_of(&term.expr).is_some()
            || matches!(&term.expr, Bson::String(path) if path.starts_with("$$"));
        if known || at + 1 >= self.frames.len() {
            return term;
        }
        let variable = self.planner.variable();
        let (value, expr) = match (&term.expr, is_json(&term.ty)) {
            // What a variable has is never missing, but what it leads to may be.
            (Bson::String(path), true) if path.ends_with(".v") => {
                let stored = path.trim_end_matches(".v").to_owned();
                (stored.into(), format!("$${variable}.v"))
            }
            (_, true) => {
                let mut stored = doc! { "v": term.expr.clone() };
                stored.extend(term.text.clone().map(|text| ("t".to_owned(), text)));
                (stored.into(), format!("$${variable}.v"))
            }
            (expr, false) => {
                let value: Bson = doc! { "$ifNull": [expr.clone(), Bson::Null] }.into();
                (value, format!("$${variable}"))
            }
        };
        let text = term.text.map(|_| format!("$${variable}.t").into());
        self.frames[at + 1].lets.insert(variable, value);
        Term { expr: expr.into(), ty: term.ty, text }
    }
}

pub(super) fn inner(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(expr) => inner(expr),
        other => other,
    }
}
