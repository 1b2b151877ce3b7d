//! Orders and pages.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Nulls, Order, Query, TableName};

use super::Planner;
use super::read::sortable;

/// An order being made: computed keys, and what is sorted by.
#[derive(Default)]
pub(super) struct Sort {
    keys: Document,
    by: Document,
}

impl Sort {
    pub(super) fn stages(self) -> Vec<Document> {
        let mut stages = Vec::new();
        if !self.keys.is_empty() {
            stages.push(doc! { "$addFields": self.keys });
        }
        if !self.by.is_empty() {
            stages.push(doc! { "$sort": self.by });
        }
        stages
    }
}

fn direction(order: &Order) -> i32 {
    if order.descending { -1 } else { 1 }
}

impl Planner<'_> {
    /// The stages that order rows and take a page of them.
    pub(super) fn ordered(&mut self, table: &TableName, query: &Query) -> Result<Vec<Document>> {
        let (mut stages, mut sort) = (Vec::new(), Sort::default());
        for order in &query.order {
            let plain = order.relation.is_none() && order.field.path.is_empty();
            if plain && let Some(field) = sortable(self.schema.table(table)?, &order.field.name) {
                sort.by.insert(field, direction(order));
                continue;
            }
            let key = self.sort_key(table, query, order, &mut stages)?;
            self.sort_by(&mut sort, order, key);
        }
        stages.extend(sort.stages());
        stages.extend(page(query));
        Ok(stages)
    }

    /// Adds a key to an order, with its nulls where they belong.
    pub(super) fn sort_by(&mut self, sort: &mut Sort, order: &Order, key: Bson) {
        // PostgreSQL takes null for the largest value, BSON for the smallest.
        let last = order.nulls.map_or(!order.descending, |nulls| nulls == Nulls::Last);
        if last != order.descending {
            let null = self.temporary();
            sort.keys.insert(null.clone(), doc! { "$lte": [key.clone(), Bson::Null] });
            sort.by.insert(null, if last { 1 } else { -1 });
        }
        let name = self.temporary();
        sort.keys.insert(name.clone(), key);
        sort.by.insert(name, direction(order));
    }

    fn sort_key(
        &mut self,
        table: &TableName,
        query: &Query,
        order: &Order,
        stages: &mut Vec<Document>,
    ) -> Result<Bson> {
        let Some(name) = &order.relation else {
            let term = self.term(table, &order.field)?;
            if term.ty == Type::Bytes {
                return Err(Error::unsupported("this database does not order by bytea"));
            }
            return Ok(term.comparable(&self.schema.catalog));
        };
        let embed = super::embed::named(query, name).ok_or_else(|| {
            let message = format!("'{name}' is not an embedded resource in this request");
            Error::new(ErrorKind::InvalidInput, "PGRST108", message)
                .with_hint(format!("Verify that '{name}' is included in the 'select' query parameter."))
        })?;
        let (lookup, key) = self.embed_key(table, embed, &order.field)?;
        stages.extend(lookup);
        Ok(key)
    }
}

/// The stages that take a page.
pub(super) fn page(query: &Query) -> Vec<Document> {
    let mut stages = Vec::new();
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    if query.offset > 0 {
        stages.push(doc! { "$skip": number(query.offset) });
    }
    match query.limit {
        None => {}
        // The engine takes no limit of zero.
        Some(0) => stages.push(doc! { "$match": { "$expr": false } }),
        Some(limit) => stages.push(doc! { "$limit": number(limit) }),
    }
    stages
}
