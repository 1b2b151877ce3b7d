//! A hosted project's database as switches see it: of its platform's tables those that TrustStream's own
//! services keep their state in, with the columns that they know.
//!
//! The platform's services have more of both (audit logs, challenges, states of its own sign-in pages), which
//! no other backend has a place for. They stay where they are, untouched.

use std::sync::Arc;

use parking_lot::Mutex;
use truststream_kernel::{BoxFuture, Call, Context, Features, Layer, Result, Row, Stack, Type, Value};
use truststream_services::database::{
    Catalog, DatabaseOp, DatabaseReply, DatabaseService, Table, TableName, is_managed,
};

/// Leaves out what only a platform's own services know.
pub(crate) struct WithoutForeign {
    /// The tables of TrustStream's own services.
    pub(crate) own: Arc<Catalog>,
}

impl Layer<DatabaseService> for WithoutForeign {
    fn wrap(&self, inner: Stack<DatabaseService>) -> Stack<DatabaseService> {
        Arc::new(Filtered { inner, own: Arc::clone(&self.own), shown: Mutex::default() })
    }
}

struct Filtered {
    inner: Stack<DatabaseService>,
    own: Arc<Catalog>,
    /// The last catalog, as it was and as it is shown.
    shown: Mutex<Option<[Arc<Catalog>; 2]>>,
}

impl Call<DatabaseService> for Filtered {
    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        Box::pin(async move {
            let mut reply = self.inner.call(cx, op).await?;
            match (op, &mut reply) {
                (_, DatabaseReply::Describe(catalog)) => *catalog = self.show(catalog),
                (DatabaseOp::Scan(scan), DatabaseReply::Scan(chunk)) => {
                    if let Some(table) = self.of_service(&scan.table) {
                        chunk.rows.iter_mut().for_each(|row| cut(row, table));
                    }
                }
                (_, DatabaseReply::Changes(batch)) => {
                    for change in &mut batch.changes {
                        if let Some(table) = self.of_service(&change.table) {
                            change.old.iter_mut().chain(&mut change.new).for_each(|row| cut(row, table));
                        }
                    }
                }
                _ => {}
            }
            Ok(reply)
        })
    }

    fn features(&self) -> Features {
        self.inner.features()
    }
}

impl Filtered {
    fn of_service(&self, name: &TableName) -> Option<&Table> {
        if is_managed(&name.schema) { self.own.table(name) } else { None }
    }

    fn show(&self, catalog: &Arc<Catalog>) -> Arc<Catalog> {
        let mut shown = self.shown.lock();
        if let Some([known, shown]) = &*shown
            && Arc::ptr_eq(known, catalog)
        {
            return Arc::clone(shown);
        }
        let less = self.less(catalog).map_or_else(|| Arc::clone(catalog), Arc::new);
        *shown = Some([Arc::clone(catalog), Arc::clone(&less)]);
        less
    }

    /// The catalog without what is not shown, if there is any of that.
    fn less(&self, catalog: &Catalog) -> Option<Catalog> {
        let is_shown = |name: &TableName| {
            !is_managed(&name.schema)
                || name.schema.starts_with("truststream")
                || self.own.table(name).is_some()
        };
        let is_whole = |(name, table): (&TableName, &Table)| {
            is_shown(name) && self.of_service(name).is_none_or(|own| has_no_more(table, own))
        };
        if catalog.tables.iter().all(is_whole) {
            return None;
        }
        let mut less = catalog.clone();
        less.tables.retain(|name, _| is_shown(name));
        for (name, table) in &mut less.tables {
            if let Some(own) = self.of_service(name) {
                table.columns.retain(|column| own.column(&column.name).is_some());
            }
        }
        Some(less)
    }
}

fn has_no_more(table: &Table, own: &Table) -> bool {
    table.columns.iter().all(|column| own.column(&column.name).is_some())
}

/// Takes the columns out of a row that a service's table has none of. Where its times say no zone, UTC is
/// meant, as by the services of the platform.
fn cut(row: &mut Row, own: &Table) {
    for (name, value) in row.columns.iter().zip(&mut row.values) {
        if let Value::Timestamp(moment) = value
            && own.column(name).is_some_and(|column| column.ty == Type::Timestamptz)
        {
            *value = Value::Timestamptz(*moment);
        }
    }
    if row.columns.iter().all(|name| own.column(name).is_some()) {
        return;
    }
    let kept = |(name, value): (&String, Value)| own.column(name).map(|_| (name.clone(), value));
    let kept = row.columns.iter().zip(std::mem::take(&mut row.values)).filter_map(kept);
    let (columns, values): (Vec<_>, Vec<_>) = kept.unzip();
    *row = Row { columns: columns.into(), values };
}
