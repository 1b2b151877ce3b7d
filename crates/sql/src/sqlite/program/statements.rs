//! The expressions and statements of a program.

use sqlparser::ast::Statement as Parsed;
use truststream_kernel::{Error, Result, Type};

use super::names::mark;
use super::{Compiler, Op, Statement};
use crate::expression::{Term, Translator, Unsupported, known, parse};
use crate::quote::{literal, quote};
use crate::sqlite::routine::{Written, setting};
use crate::sqlite::write::{Rules, statement_of, write};

impl Compiler<'_, '_, '_> {
    /// Translates where all variables can be named.
    pub(super) fn named<T>(&mut self, work: impl FnOnce(&mut Translator<'_>) -> Result<T>) -> Result<T> {
        let levels = self.names.relations();
        let count = levels.len();
        for level in levels {
            self.translator.push_level(level);
        }
        let done = work(self.translator);
        (0..count).for_each(|_| self.translator.pop_level());
        done
    }

    /// A query of one value of a type.
    pub(super) fn value(&mut self, text: &str, ty: &Type) -> Result<String> {
        self.term(text, ty).map(|sql| format!("SELECT {sql}"))
    }

    fn term(&mut self, text: &str, ty: &Type) -> Result<String> {
        let parsed = parse(text)?;
        self.named(|translator| {
            let term = translator.expr(&parsed)?;
            // PL/pgSQL casts through text where no cast by assignment is.
            let cast = translator.assigned(term.clone(), ty).or_else(|_| translator.cast_to(term, ty))?;
            Ok(cast.sql)
        })
    }

    pub(super) fn condition(&mut self, text: &str) -> Result<String> {
        let parsed = parse(text)?;
        let sql = self.named(|translator| Ok(translator.condition(&parsed)?))?;
        Ok(format!("SELECT {sql}"))
    }

    pub(super) fn set(&mut self, variable: &str, value: &str) -> Result<Op> {
        let (cell, ty) = self.variable(variable)?;
        Ok(Op::Set(cell, self.value(value, &ty)?))
    }

    pub(super) fn ends(&mut self, ends: &[String; 3]) -> Result<String> {
        let terms = ends.iter().map(|end| self.term(end, &Type::Int4)).collect::<Result<Vec<_>>>()?;
        Ok(format!("SELECT {}", terms.join(", ")))
    }

    /// The cells that rows of these columns go to, and their types there.
    fn targets(
        &mut self,
        variables: &[String],
        columns: &[(String, Type)],
    ) -> Result<(Vec<usize>, Vec<Type>)> {
        if let [only] = variables
            && self.row(only).is_some()
        {
            let Some(cells) = self.names.shape(only, columns) else {
                return self.refuse(format!("{only}: a row that holds now one shape, now another"));
            };
            return Ok((cells, columns.iter().map(|(_, ty)| ty.clone()).collect()));
        }
        if variables.len() != columns.len() {
            return self.refuse("\"into\" of another number of variables than columns");
        }
        let found = variables.iter().map(|name| self.variable(name)).collect::<Result<Vec<_>>>()?;
        Ok(found.into_iter().unzip())
    }

    /// A query for variables: their cells, and the query in their types.
    pub(super) fn rows(&mut self, variables: &[String], sql: &str) -> Result<(Vec<usize>, String)> {
        let Parsed::Query(query) = statement_of(sql)? else {
            return self.refuse("a loop over anything but a query");
        };
        let (sql, columns) = self.named(|translator| {
            let (sql, columns) = translator.query(&query)?;
            Ok((sql, known(columns)?))
        })?;
        let (cells, types) = self.targets(variables, &columns)?;
        let names: Vec<_> = (0..columns.len()).map(|at| quote(&format!("c{at}"))).collect();
        let mut shown = Vec::new();
        for (name, ((_, from), to)) in names.iter().zip(columns.iter().zip(&types)) {
            let term = Term::new(name.clone(), from.clone());
            shown.push(self.translator.assigned(term, to)?.sql);
        }
        let (shown, names) = (shown.join(", "), names.join(", "));
        Ok((cells, format!("SELECT {shown} FROM (WITH q({names}) AS ({sql}) SELECT * FROM q)")))
    }

    pub(super) fn into(&mut self, variables: &[String], sql: &str, strict: bool) -> Result<Op> {
        if matches!(statement_of(sql)?, Parsed::Query(_)) {
            let (cells, sql) = self.rows(variables, sql)?;
            let sql = format!("{sql} LIMIT {}", if strict { 2 } else { 1 });
            return Ok(Op::Into { cells, statement: Statement { sql, written: None }, strict });
        }
        let (written, returning) = self.written(&statement_of(sql)?)?;
        let columns = known(returning.iter().map(|(name, term)| (name.clone(), term.ty.clone())).collect())?;
        let (cells, types) = self.targets(variables, &columns)?;
        let statement = self.returning(written, returning, &types)?;
        Ok(Op::Into { cells, statement, strict })
    }

    /// A statement that writes, and what it returns.
    #[allow(clippy::type_complexity)]
    pub(super) fn written(&mut self, parsed: &Parsed) -> Result<((String, Written), Vec<(String, Term)>)> {
        let guard = self.guard;
        let done =
            self.named(|translator| write(translator, parsed, &Rules { guard, ..Rules::default() }))?;
        let written = Written {
            returns: !done.returning.is_empty(),
            table: done.table,
            named: done.named,
            command: done.command,
            upserts: done.upserts,
        };
        Ok(((done.sql, written), done.returning))
    }

    pub(super) fn returning(
        &mut self,
        (sql, written): (String, Written),
        returning: Vec<(String, Term)>,
        types: &[Type],
    ) -> Result<Statement> {
        let mut cells = vec!["rowid".to_owned()];
        for ((_, term), ty) in returning.into_iter().zip(types) {
            cells.push(self.translator.assigned(term, ty)?.sql);
        }
        let sql = format!("{sql} RETURNING {}", cells.join(", "));
        Ok(Statement { sql, written: Some(written) })
    }

    /// A statement, whose rows are those of the function's result if columns are given.
    pub(super) fn statement(&mut self, sql: &str, columns: Option<&[(String, Type)]>) -> Result<Statement> {
        let parsed = statement_of(sql)?;
        if let Parsed::Query(query) = &parsed {
            let function = self.function;
            let sql = self.named(|translator| {
                Ok(match columns {
                    Some(columns) => translator.result(function, query, columns)?,
                    None => translator.query(query)?.0,
                })
            })?;
            return Ok(Statement { sql, written: None });
        }
        if let Parsed::Set(sqlparser::ast::Set::SingleAssignment { variable, values, .. }) = &parsed {
            let sql = self.named(|translator| setting(translator, variable, values))?;
            return Ok(Statement { sql, written: None });
        }
        let (written, returning) = self.written(&parsed)?;
        let types: Vec<Type> = columns.unwrap_or_default().iter().map(|(_, ty)| ty.clone()).collect();
        if columns.is_some() && types.len() != returning.len() {
            return self.refuse("return type mismatch: the statement returns another number of columns");
        }
        self.returning(written, returning, &types)
    }

    /// `return query …`, and what a function in SQL ends with.
    pub(super) fn result(&mut self, sql: &str) -> Result<Statement> {
        if !self.function.returns.set && self.function.language == "plpgsql" {
            let message = "cannot use RETURN QUERY in a non-SETOF function";
            return Err(Error::new(truststream_kernel::ErrorKind::InvalidInput, "42804", message));
        }
        let columns = self.columns;
        self.statement(sql, Some(columns))
    }

    /// The query of one more row; `None` where there is nothing to be returned.
    pub(super) fn next(&mut self, value: &str) -> Result<Option<String>> {
        if value.is_empty() {
            return Ok(self.names.out().map(|cells| format!("SELECT {cells}")));
        }
        self.returned(value)
    }

    /// The query of a returned row; `None` where nothing is returned.
    pub(super) fn returned(&mut self, value: &str) -> Result<Option<String>> {
        if value.is_empty() {
            let out = self.names.out();
            let owes = !self.function.returns.set && self.function.language == "plpgsql";
            return Ok(out.filter(|_| owes).map(|cells| format!("SELECT {cells}")));
        }
        if self.function.returns.type_name == "trigger" {
            if value.eq_ignore_ascii_case("null") {
                return Ok(Some("SELECT NULL WHERE 0".into()));
            }
            return self.row_returned(value).map(Some);
        }
        if self.function.returns.void {
            return if value.eq_ignore_ascii_case("null") {
                Ok(None)
            } else {
                self.refuse("a value of void")
            };
        }
        if !self.function.returns.composite {
            let ty = self.columns[0].1.clone();
            return self.value(value, &ty).map(Some);
        }
        if value.eq_ignore_ascii_case("null") {
            return Ok(Some(format!("SELECT {}", vec!["NULL"; self.columns.len()].join(", "))));
        }
        self.row_returned(value).map(Some)
    }

    /// A variable that is a row, as the row returned.
    fn row_returned(&mut self, value: &str) -> Result<String> {
        let Some(row) = self.row(&value.to_lowercase()).cloned() else {
            return self.refuse("a row that is returned without being a variable");
        };
        if row.columns.len() != self.columns.len() {
            return self.refuse("return type mismatch: the row has another number of columns");
        }
        let mut cells = Vec::new();
        for ((_, from, cell), (_, to)) in row.columns.iter().zip(self.columns) {
            cells.push(self.translator.assigned(Term::new(mark(*cell), from.clone()), to)?.sql);
        }
        Ok(format!("SELECT {}", cells.join(", ")))
    }

    /// The row of an error: code, message, details, hint.
    pub(super) fn raise(
        &mut self,
        (code, message): (&str, &str),
        arguments: &[String],
        options: &[(String, String)],
    ) -> Result<String> {
        let mut arguments = arguments.iter();
        // `%%` is the sign itself.
        let whole: Vec<&str> = message.split("%%").collect();
        let mut parts = Vec::new();
        for (at, part) in whole.iter().enumerate() {
            if at > 0 {
                parts.push(literal("%"));
            }
            for (at, text) in part.split('%').enumerate() {
                if at > 0 {
                    let Some(argument) = arguments.next() else {
                        return Err(Unsupported::new(message, "too few parameters for \"raise\"").into());
                    };
                    parts.push(format!("coalesce({}, '<NULL>')", self.text(argument)?));
                }
                parts.push(literal(text));
            }
        }
        if arguments.next().is_some() {
            return Err(Unsupported::new(message, "too many parameters for \"raise\"").into());
        }
        let mut row = [literal(code), parts.join(" || "), "NULL".to_owned(), "NULL".to_owned()];
        for (option, value) in options {
            let at = ["errcode", "message", "detail", "hint"].iter().position(|name| name == option);
            row[at.unwrap_or(1)] = self.text(value)?;
        }
        Ok(format!("SELECT {}", row.join(", ")))
    }

    fn text(&mut self, value: &str) -> Result<String> {
        self.term(&format!("({value})::text"), &Type::Text)
    }
}
