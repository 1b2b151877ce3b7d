//! Hints and details that show only what the caller may see.
//!
//! Whoever misspells a name is told what was probably meant, out of the whole catalog. What the caller's
//! role has no right to is not to be found out that way. Nor are values of rows that policies may hide.

use std::sync::Arc;

use serde_json::Value as Json;
use truststream_kernel::{BoxFuture, Call, Caller, Context, Error, Features, Result, Stack, send};
use truststream_services::database::{
    Catalog, DatabaseOp, DatabaseReply, DatabaseService, Describe, Function, Item, Query, Select, Step,
    TableName,
};

/// The database with its hints and details kept to what the caller may see.
pub(super) fn discreet(inner: Stack<DatabaseService>) -> Stack<DatabaseService> {
    Arc::new(Discreet { inner })
}

struct Discreet {
    inner: Stack<DatabaseService>,
}

impl Discreet {
    async fn weigh(&self, cx: &Context, role: &str, op: &DatabaseOp, error: Error) -> Error {
        if error.code() == "PGRST201" {
            return self.narrowed(cx, op, error).await;
        }
        if shows_a_row(&error) {
            return match send(&self.inner, &Context::system(), Describe::default()).await {
                Ok(catalog) if !has_policies(&catalog, op) => error,
                _ => without_row(error),
            };
        }
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
        if error.code() == NO_COLUMN {
            let open = self.are_open(cx, &catalog, schema_of(op).unwrap_or_default(), &hint).await;
            return if open { error } else { error.without_hint() };
        }
        for table in tables_in(&catalog, &hint) {
            if !self.is_open(cx, table).await {
                return error.without_hint();
            }
        }
        error
    }

    /// Whether the caller may read a table.
    async fn is_open(&self, cx: &Context, table: TableName) -> bool {
        let look = Select::new(table, Query { limit: Some(0), ..Query::all() });
        send(&self.inner, cx, look).await.is_ok()
    }

    /// Whether the caller may read all columns that a hint names, in tables of a schema.
    async fn are_open(&self, cx: &Context, catalog: &Catalog, schema: &str, hint: &str) -> bool {
        for (table, column) in columns_in(hint) {
            let named =
                |name: &str| Some(TableName::new(schema, name)).filter(|name| catalog.table(name).is_some());
            // PostgreSQL calls the rows of an embed by their table and how deep they are.
            let Some(table) = named(table).or_else(|| named(table.rsplit_once('_')?.0)) else { return false };
            let look = Query { limit: Some(0), items: vec![Item::column(column)], ..Query::default() };
            if send(&self.inner, cx, Select::new(table, look)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// An ambiguity with those of its relationships whose tables the caller may read.
    async fn narrowed(&self, cx: &Context, op: &DatabaseOp, error: Error) -> Error {
        let Some(schema) = schema_of(op) else { return error.without_hint().with_details(Json::Null) };
        let mut open = Vec::new();
        for candidate in error.details().and_then(Json::as_array).into_iter().flatten() {
            let mut all_open = true;
            for table in tables_of(candidate) {
                all_open &= self.is_open(cx, TableName::new(schema, table)).await;
            }
            if all_open {
                open.push(candidate.clone());
            }
        }
        let hint = error.hint().map(|hint| among(hint, &open)).unwrap_or_default();
        let error = error.with_details(open);
        if hint.is_empty() { error.without_hint() } else { error.with_hint(hint) }
    }
}

/// The schema in which an operation names relations.
fn schema_of(op: &DatabaseOp) -> Option<&str> {
    let name = match op {
        DatabaseOp::Select(op) => &op.table,
        DatabaseOp::Insert(op) => &op.table,
        DatabaseOp::Update(op) => &op.table,
        DatabaseOp::Delete(op) => &op.table,
        DatabaseOp::Invoke(op) => &op.function,
        _ => return None,
    };
    Some(&name.schema)
}

/// The tables that a relationship of PGRST201's details names: both ends, and the one between them.
fn tables_of(candidate: &Json) -> Vec<&str> {
    let text = |key: &str| candidate.get(key).and_then(Json::as_str).unwrap_or_default();
    let mut tables: Vec<&str> = text("embedding").split(" with ").collect();
    if text("cardinality") == "many-to-many" {
        tables.extend(text("relationship").split(" using ").next());
    }
    tables
}

/// PGRST201's hint with the choices that are left; nothing if none is.
fn among(hint: &str, open: &[Json]) -> String {
    const BEFORE: &str = " to one of the following: ";
    const BEHIND: &str = ". Find the desired";
    let choice = |candidate: &Json| {
        let target = tables_of(candidate).get(1).copied().unwrap_or_default().to_owned();
        let by = candidate["relationship"].as_str().and_then(|text| text.split(" using ").next());
        format!("'{target}!{}'", by.unwrap_or_default())
    };
    let choices: Vec<String> = open.iter().map(choice).collect();
    match (hint.split_once(BEFORE), hint.rsplit_once(BEHIND)) {
        (Some((before, _)), Some((_, behind))) if !choices.is_empty() => {
            format!("{before}{BEFORE}{}{BEHIND}{behind}", choices.join(", "))
        }
        _ => String::new(),
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

/// The columns that a hint suggests, each with what its rows are called.
fn columns_in(hint: &str) -> Vec<(&str, &str)> {
    let columns = hint.split("the column \"").skip(1);
    columns.filter_map(|text| text.split('"').next()?.split_once('.')).collect()
}

/// Whether an error shows values of a row.
fn shows_a_row(error: &Error) -> bool {
    matches!(error.code(), "23502" | "23503" | "23505" | "23514") && error.details().is_some()
}

/// Whether policies decide which rows are seen of a table that an operation writes to.
fn has_policies(catalog: &Catalog, op: &DatabaseOp) -> bool {
    let guarded = |table| catalog.table(table).is_some_and(|table| table.row_security);
    match op {
        DatabaseOp::Insert(op) => guarded(&op.table),
        DatabaseOp::Update(op) => guarded(&op.table),
        DatabaseOp::Delete(op) => guarded(&op.table),
        DatabaseOp::Batch(op) => op.steps.iter().any(|step| match step {
            Step::Insert(op) => guarded(&op.table),
            Step::Update(op) => guarded(&op.table),
            Step::Delete(op) => guarded(&op.table),
            Step::Select(_) | Step::Invoke(_) | Step::Raw(_) | Step::Expect(_) => false,
        }),
        _ => false,
    }
}

/// An error as PostgreSQL shows it where policies decide which rows are seen: without values.
fn without_row(error: Error) -> Error {
    let text = error.details().and_then(Json::as_str).unwrap_or_default();
    match text.find(") is ") {
        Some(at) if error.code() == "23503" => {
            let details = format!("Key{}", &text[at + 1..]);
            error.with_details(details)
        }
        _ => error.with_details(Json::Null),
    }
}

/// PostgreSQL's code of a column that there is not.
const NO_COLUMN: &str = "42703";

/// Errors whose hints name tables, columns or functions, or whose details show values.
fn suggests(error: &Error) -> bool {
    shows_a_row(error)
        || matches!(error.code(), "PGRST200" | "PGRST201" | "PGRST202" | "PGRST205" | NO_COLUMN)
            && error.hint().is_some()
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
                Err(error) if suggests(&error) => Err(self.weigh(cx, &identity.role, op, error).await),
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
        let hint = r#"Perhaps you meant to reference the column "a_1.name" or the column "a_1.home"."#;
        assert_eq!(columns_in(hint), [("a_1", "name"), ("a_1", "home")]);
    }

    #[test]
    fn values_are_taken_out_of_details() {
        let shown = |code: &'static str, details: &str| {
            let error =
                Error::new(truststream_kernel::ErrorKind::Constraint, code, "m").with_details(details);
            without_row(error).details().cloned()
        };
        let missing = "Key (a, b)=(1, x) is not present in table \"t\".";
        assert_eq!(shown("23503", missing), Some("Key is not present in table \"t\".".into()));
        assert_eq!(shown("23505", "Key (a)=(1) already exists."), Some(Json::Null));
    }

    #[test]
    fn ambiguities_name_what_is_left() {
        let candidate = |cardinality: &str, relationship: &str| {
            serde_json::json!({
                "cardinality": cardinality, "embedding": "orders with addresses", "relationship": relationship,
            })
        };
        let one = candidate("many-to-one", "billing using orders(billing_id) and addresses(id)");
        let other = candidate(
            "many-to-many",
            "parcels using parcels_order(order_id) and parcels_address(address_id)",
        );
        assert_eq!(tables_of(&one), ["orders", "addresses"]);
        assert_eq!(tables_of(&other), ["orders", "addresses", "parcels"]);
        let hint = "Try changing 'addresses' to one of the following: 'addresses!billing', 'addresses!parcels'. \
                    Find the desired relationship in the 'details' key.";
        assert_eq!(among(hint, &[one.clone(), other]), hint);
        let left = "Try changing 'addresses' to one of the following: 'addresses!billing'. \
                    Find the desired relationship in the 'details' key.";
        assert_eq!(among(hint, &[one]), left);
        assert_eq!(among(hint, &[]), "");
    }
}
