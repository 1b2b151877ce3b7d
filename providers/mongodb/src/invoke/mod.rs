//! Functions in SQL, called by name: their statements one after another, in one transaction.

mod arguments;
mod settings;
mod statement;

use mongodb::bson::raw::{RawDocument, RawDocumentBuf};
use mongodb::bson::{Document, doc};
use sqlparser::ast::Statement;
use truststream_kernel::{Context, Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Function, Invoke, Media, Page, Query, errors};
use truststream_sql::callable::Callable;
use truststream_sql::computed;
use truststream_sql::expression::{SCALAR, parameter_type, result_columns, statements};

use crate::plan::{Place, Plan, Planner};
use crate::render::Renderer;
use crate::schema::{Schema, result_of};
use crate::sql::Translator;
use crate::storage::integer;
use crate::term::Term;
use crate::work::{Work, given};
use crate::{internal, names, program};

pub(crate) use settings::{check as check_setting, setting};
pub(crate) use statement::check as check_statement;

/// Whether a function can be called here.
///
/// # Errors
/// What can't be translated.
pub(crate) fn check(schema: &Schema, function: &Function) -> Result<()> {
    if function.returns.type_name == "trigger" {
        return Ok(());
    }
    let cx = Context::system();
    let mut planner = Planner::new(schema, &cx).trying();
    if let Some(table) = computed::table_of(&schema.catalog, function) {
        let place = Place::of(&table);
        return match function.returns.set || function.returns.composite {
            true => Translator::computed_rows(&mut planner, &place, function).map(drop),
            false => Translator::computed_value(&mut planner, &place, function).map(drop),
        };
    }
    let columns = result_columns(&schema.catalog, function)?;
    let parameters = function.parameters.iter().map(|parameter| parameter_type(&schema.catalog, parameter));
    let arguments: Vec<Term> = parameters.map(Term::unknown).collect();
    let statements = match statements(function) {
        Err(_) if function.language == "plpgsql" => return program::check(schema, function),
        statements => statements?,
    };
    let last = statements.len().saturating_sub(1);
    for (at, statement) in statements.iter().enumerate() {
        let columns = (at == last && !function.returns.void).then_some(columns.as_slice());
        if let Some(setting) = settings::setting(statement) {
            settings::check(&mut planner, (function, &arguments), &setting)?;
            continue;
        }
        match statement {
            Statement::Query(query) => {
                Translator::step(&mut planner, function, &arguments, query, columns)?;
            }
            other => statement::check(&mut planner, (function, &arguments), other, columns)?,
        }
    }
    Ok(())
}

/// Rows that a function gave.
enum Given {
    Plan(Plan),
    Rows(Vec<Document>),
}

impl Given {
    /// Its rows, and what more is made of them.
    fn then(&self, stages: Vec<Document>) -> Plan {
        match self {
            Given::Plan(plan) => {
                let stages = plan.stages.iter().cloned().chain(stages).collect();
                Plan { collection: plan.collection.clone(), stages }
            }
            Given::Rows(rows) if rows.is_empty() => {
                let mut none = vec![doc! { "$match": { "_id": internal::CURRENT, "none": true } }];
                none.extend(stages);
                Plan { collection: names::CATALOG.to_owned(), stages: none }
            }
            Given::Rows(rows) => Plan { collection: names::CATALOG.to_owned(), stages: given(rows, stages) },
        }
    }
}

impl Work {
    /// Calls a function.
    pub(crate) async fn invoke(&mut self, op: &Invoke) -> Result<Page> {
        let schema = std::sync::Arc::clone(&self.schema);
        let callable = Callable::find(&schema.catalog, op)?;
        let role = self.cx.identity().map(|identity| identity.role.as_str());
        callable.check(op, role)?;
        let function = callable.function;
        self.settings.retain(|name, _| !name.starts_with("response."));
        let values = arguments::values(&schema, &self.cx, function, &op.arguments).await?;
        let rows = match function.strict && values.contains(&Value::Null) {
            true => Given::Rows(Vec::new()),
            false => self.steps(&schema, function, &values, op.read_only || function.reads_only).await?,
        };
        if function.returns.void {
            return self.replied(Page { status: Some(204), ..Page::default() });
        }
        let page = self.result(op, &callable.query, function, &rows).await?;
        self.replied(page)
    }

    /// Runs a function's statements, and gives what the last one gave.
    async fn steps(
        &mut self,
        schema: &Schema,
        function: &Function,
        values: &[Value],
        reads_only: bool,
    ) -> Result<Given> {
        let parameters =
            function.parameters.iter().map(|parameter| parameter_type(&schema.catalog, parameter));
        let arguments: Vec<Term> = parameters
            .zip(values)
            .map(|(ty, value)| Term::given(&schema.catalog, value, &ty))
            .collect::<Result<_>>()?;
        let columns = result_columns(&schema.catalog, function)?;
        let statements = match statements(function) {
            Err(_) if function.language == "plpgsql" => {
                let rows = self.program(schema, function, values, (&columns, reads_only)).await?;
                return Ok(Given::Rows(rows));
            }
            statements => statements?,
        };
        let last = statements.len().saturating_sub(1);
        let mut found = Given::Rows(Vec::new());
        for (at, statement) in statements.iter().enumerate() {
            let columns = (at == last && !function.returns.void).then_some(columns.as_slice());
            if let Some(setting) = settings::setting(statement) {
                let text = self.set(schema, (function, &arguments), &setting).await?;
                found = Given::Rows(vec![doc! { names::field(SCALAR): text }]);
                continue;
            }
            if let Statement::Query(query) = statement {
                let mut planner = self.planner(schema);
                let rows = Translator::step(&mut planner, function, &arguments, query, columns)?;
                let mut plan = Plan { collection: rows.from, stages: rows.stages };
                if columns.is_none() {
                    // Nobody looks at what it gives; it may fail, or call what does.
                    self.documents(plan).await?;
                    continue;
                }
                if !function.returns.set {
                    plan.stages.push(doc! { "$limit": 1 });
                }
                found = Given::Plan(plan);
                continue;
            }
            refuse_write(function, statement, reads_only)?;
            let owner = self.owner;
            self.owner |= function.security_definer;
            let done = self.statement(schema, (function, &arguments), statement, columns).await;
            self.owner = owner;
            let mut rows = done?;
            if !function.returns.set {
                rows.truncate(1);
            }
            found = Given::Rows(rows);
        }
        Ok(found)
    }

    async fn counted(&mut self, rows: &Given, place: &Place, query: &Query) -> Result<u64> {
        let schema = std::sync::Arc::clone(&self.schema);
        let mut stages = self.planner(&schema).by_columns(false).matching(place, query)?;
        stages.push(doc! { "$count": "n" });
        let found = self.documents(rows.then(stages)).await?;
        Ok(found.first().and_then(|one| one.get("n")).and_then(integer).unwrap_or(0).unsigned_abs())
    }

    async fn result(
        &mut self,
        op: &Invoke,
        query: &Query,
        function: &Function,
        rows: &Given,
    ) -> Result<Page> {
        let schema = std::sync::Arc::clone(&self.schema);
        let (place, scalar) = (Place::of(&result_of(function)), !function.returns.composite);
        self.judge(&place.table, query, Some(&rows.then(Vec::new()))).await?;
        let total = match op.count {
            Some(_) => Some(self.counted(rows, &place, query).await?),
            None => None,
        };
        if op.format.media != Media::Object {
            errors::satisfiable(query.offset, total)?;
        }
        if op.transaction.max_affected.is_some() {
            op.transaction.check_affected(self.counted(rows, &place, query).await?)?;
        }
        let level = self.planner(&schema).by_columns(false).level(&place, query)?;
        let mut renderer = Renderer::new(&schema.catalog, &level.shape, &op.format)?;
        let single = match op.format.media {
            Media::Json => !function.returns.set,
            Media::Object => scalar,
            _ => false,
        };
        let plain = scalar && matches!(op.format.media, Media::Json | Media::Object);
        let mut documents = Vec::new();
        let mut keep = |document: &RawDocument| {
            documents.push(document.to_owned());
            Ok(())
        };
        self.each(rows.then(level.stages), &mut keep).await?;
        if !function.returns.set && documents.is_empty() {
            // One row in any case: of nulls if there is none.
            documents.push(RawDocumentBuf::new());
        }
        let (body, count) = match (single, plain) {
            (true, _) => renderer.single(documents.first().map(AsRef::as_ref), plain)?,
            (false, true) => renderer.values(&documents)?,
            (false, false) => {
                for document in &documents {
                    renderer.push(document)?;
                }
                renderer.finish()?
            }
        };
        Ok(Page { body, rows: count, total, ..Page::default() })
    }
}

pub(crate) fn refuse_write(function: &Function, statement: &Statement, reads_only: bool) -> Result<()> {
    if !reads_only {
        return Ok(());
    }
    let text = statement.to_string();
    let verb = match statement {
        Statement::Truncate(_) => "TRUNCATE TABLE".to_owned(),
        _ => text.split_whitespace().next().unwrap_or_default().to_uppercase(),
    };
    if function.reads_only {
        let message = format!("{verb} is not allowed in a non-volatile function");
        return Err(Error::new(ErrorKind::Unsupported, "0A000", message));
    }
    let message = format!("cannot execute {verb} in a read-only transaction");
    Err(Error::new(ErrorKind::InvalidInput, "25006", message))
}

/// A function and what it is called with.
pub(crate) type Called<'c> = (&'c Function, &'c [Term]);

/// The columns of a function's result, where its last statement gives them.
pub(crate) type Columns<'c> = Option<&'c [(String, Type)]>;
