//! Functions translated, kept for as long as the schema is the same.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use truststream_kernel::Result;
use truststream_services::database::{Function, PolicyCommand, TableName};
use truststream_sql::expression::{Document, Scope, Unsupported};
use truststream_sql::sqlite::Guard;
use truststream_sql::sqlite::materialized::refreshes;
use truststream_sql::sqlite::program::{Program, program, suits};
use truststream_sql::sqlite::routine::{Step, steps};

use crate::access::Access;
use crate::translate;
use crate::words::Words;
use crate::write::Write;

/// What a function does.
#[derive(Debug)]
pub(super) enum Body {
    /// Statements one after another.
    Steps(Vec<Step>),
    /// What has loops, or variables that statements change.
    Program(Program),
    /// It refreshes these materialized views.
    Refresh(Vec<TableName>),
}

/// The bodies of one schema's functions, by their place in the catalog and the role that calls: what
/// they may read and write is part of them.
#[derive(Debug, Default)]
pub(crate) struct Bodies(RwLock<HashMap<Called, Arc<Body>>>);

/// The place of a function in the catalog, and the role that calls it.
type Called = (usize, Option<String>);

impl Write<'_> {
    /// What a function does when this caller calls it.
    pub(super) fn body(&self, function: &Function) -> Result<Arc<Body>> {
        let access = Access::of(self.cx).deeper();
        let functions = &self.schema.catalog.functions;
        let Some(place) = functions.iter().position(|one| std::ptr::eq(one, function)) else {
            return self.translated(function, access).map(Arc::new);
        };
        let key = (place, access.role().map(str::to_owned));
        let bodies = &self.schema.bodies.0;
        if let Some(body) = bodies.read().get(&key) {
            return Ok(Arc::clone(body));
        }
        let body = Arc::new(self.translated(function, access)?);
        bodies.write().insert(key, Arc::clone(&body));
        Ok(body)
    }

    fn translated(&self, function: &Function, access: Access<'_>) -> Result<Body> {
        if let Some(views) = refreshes(function) {
            return Ok(Body::Refresh(views));
        }
        self.scoped(access, |scope, guard| match steps(function, scope, guard) {
            Err(_) if suits(function) => program(function, scope, guard).map(Body::Program),
            simple => simple.map(Body::Steps),
        })
    }

    /// Translates with the rights of a caller.
    pub(crate) fn scoped<T>(
        &self,
        access: Access<'_>,
        translate: impl FnOnce(&Scope<'_>, Option<&Guard<'_>>) -> Result<T>,
    ) -> Result<T> {
        let source = |name: &TableName| {
            translate::source(self.schema, name, access).map_err(|error| Unsupported::carried(&error))
        };
        let guard =
            |name: &TableName, command: PolicyCommand| translate::guard(self.schema, name, command, access);
        let catalog = &self.schema.catalog;
        let candidates = |table: &TableName, alias: &str, document: &Document, query: &str| {
            Words::on(catalog, table, alias, document).map(|words| words.condition(alias, query))
        };
        let scope = Scope {
            source: Some(&source),
            role: access.role(),
            candidates: Some(&candidates),
            ..Scope::new(catalog)
        };
        let guard: Option<&Guard<'_>> = if access.role().is_some() { Some(&guard) } else { None };
        translate(&scope, guard)
    }
}
