//! Hints that name only what the caller may see.
//!
//! Whoever misspells a name is told what was probably meant, out of the whole catalog. What the caller's
//! role has no right to is not to be found out that way.

use std::sync::Arc;

use truststream_kernel::{BoxFuture, Call, Caller, Context, Error, Features, Result, Stack, send};
use truststream_services::database::{
    Catalog, DatabaseOp, DatabaseReply, DatabaseService, Describe, Function, Query, Select, TableName,
};

/// The database with its hints kept to what the caller may see.
pub(super) fn discreet(inner: Stack<DatabaseService>) -> Stack<DatabaseService> {
    Arc::new(Discreet { inner })
}

struct Discreet {
    inner: Stack<DatabaseService>,
}

impl Discreet {
    async fn weigh(&self, cx: &Context, role: &str, error: Error) -> Error {
        let Some(hint) = error.hint().map(str::to_owned) else { return error };
        let Ok(catalog) = send(&self.inner, &Context::system(), Describe::default()).await else {
            return error.without_hint();
        };
        let closed = |name: &str| {
            let named = |function: &&Function| function.name.name == name;
            let mut overloads = catalog.functions.iter().filter(named).peekable();
            overloads.peek().is_some() && !overloads.any(|function| function.is_open_to(role))
        };
        if called(&hint).is_some_and(closed) {
            return error.without_hint();
        }
        for table in tables_in(&catalog, &hint) {
            let look = Select::new(table, Query { limit: Some(0), ..Query::all() });
            if send(&self.inner, cx, look).await.is_err() {
                return error.without_hint();
            }
        }
        error
    }
}

/// The function that a hint names.
fn called(hint: &str) -> Option<&str> {
    let rest = hint.strip_prefix("Perhaps you meant to call the function ")?;
    let name = rest.split('(').next()?;
    name.rsplit('.').next()
}

/// The tables that a hint suggests; what follows `instead of` is what the caller wrote.
fn tables_in(catalog: &Catalog, hint: &str) -> Vec<TableName> {
    let suggested = hint.split(" instead of ").next().unwrap_or(hint);
    let names: Vec<&str> = suggested.split('\'').skip(1).step_by(2).collect();
    let is_named = |table: &&TableName| {
        names.iter().any(|name| *name == table.name || *name == format!("{}.{}", table.schema, table.name))
    };
    catalog.tables.keys().filter(is_named).cloned().collect()
}

/// Errors whose hints name tables or functions.
fn suggests(error: &Error) -> bool {
    matches!(error.code(), "PGRST200" | "PGRST202" | "PGRST205") && error.hint().is_some()
}

impl Call<DatabaseService> for Discreet {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        let Caller::Role(identity) = &cx.caller else { return self.inner.call(cx, op) };
        if identity.role == "service_role" {
            return self.inner.call(cx, op);
        }
        Box::pin(async move {
            match self.inner.call(cx, op).await {
                Err(error) if suggests(&error) => Err(self.weigh(cx, &identity.role, error).await),
                done => done,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_hints() {
        assert_eq!(called("Perhaps you meant to call the function public.add(a, b)"), Some("add"));
        assert_eq!(called("Perhaps you meant 'x' instead of 'y'."), None);
        let mut catalog = Catalog::default();
        for name in ["artists", "artist"] {
            catalog.tables.insert(TableName::public(name), Default::default());
        }
        let found = |hint| tables_in(&catalog, hint);
        assert_eq!(found("Perhaps you meant 'artists' instead of 'artist'."), [TableName::public("artists")]);
        assert_eq!(found("Perhaps you meant the table 'public.artists'"), [TableName::public("artists")]);
    }
}
