//! Orders and pages.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Catalog, Nulls, Order, Query};

use super::read::stored_order;
use super::{Place, Planner};
use crate::money::is_money;
use crate::record::{fields, is_record, sortable};
use crate::span;
use crate::storage::is_document;

/// An order being made: computed keys, and what is sorted by.
#[derive(Default)]
pub(crate) struct Sort {
    keys: Document,
    by: Document,
}

impl Sort {
    /// The keys, which are fields to be made, and what is sorted by.
    pub(crate) fn parts(self) -> (Document, Document) {
        (self.keys, self.by)
    }

    /// What puts documents that were in this order into it again.
    pub(crate) fn again(&self) -> Option<Document> {
        (!self.by.is_empty()).then(|| doc! { "$sort": self.by.clone() })
    }

    pub(crate) fn stages(self) -> Vec<Document> {
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
    pub(super) fn ordered(&mut self, place: &Place, query: &Query) -> Result<Vec<Document>> {
        let (mut stages, mut sort) = (Vec::new(), Sort::default());
        for order in &query.order {
            let plain = order.relation.is_none() && order.field.path.is_empty();
            let table = self.schema.table(&place.table)?;
            if plain && let Some(field) = stored_order(table, place, &order.field.name) {
                self.access.may_read(table, &place.table, &order.field.name)?;
                sort.by.insert(field, direction(order));
                continue;
            }
            let key = self.sort_key(place, query, order, &mut stages)?;
            self.sort_by(&mut sort, order, key);
        }
        stages.extend(sort.stages());
        stages.extend(page(query));
        Ok(stages)
    }

    pub(super) fn sort_by(&mut self, sort: &mut Sort, order: &Order, key: Bson) {
        self.sorted_by(sort, key, order.descending, order.nulls);
    }

    /// Adds a key to an order, with its nulls where they belong.
    pub(crate) fn sorted_by(&mut self, sort: &mut Sort, key: Bson, descending: bool, nulls: Option<Nulls>) {
        // PostgreSQL takes null for the largest value, BSON for the smallest.
        let last = nulls.map_or(!descending, |nulls| nulls == Nulls::Last);
        if last != descending {
            let null = self.temporary();
            sort.keys.insert(null.clone(), doc! { "$lte": [key.clone(), Bson::Null] });
            sort.by.insert(null, if last { 1 } else { -1 });
        }
        let name = self.temporary();
        sort.keys.insert(name.clone(), key);
        sort.by.insert(name, if descending { -1 } else { 1 });
    }

    fn sort_key(
        &mut self,
        place: &Place,
        query: &Query,
        order: &Order,
        stages: &mut Vec<Document>,
    ) -> Result<Bson> {
        let Some(name) = &order.relation else {
            let term = self.term(place, &order.field, stages)?;
            orderable(&self.schema.catalog, &term.ty)?;
            return sortable(&self.schema.catalog, &term);
        };
        let embed = query.ordering_embed(name)?;
        let (lookup, key) = self.embed_key(place, embed, &order.field)?;
        stages.extend(lookup);
        Ok(key)
    }
}

/// Refuses an order that is not PostgreSQL's.
///
/// # Errors
/// 42883 for JSON as text, 0A000 for what the engine orders otherwise.
pub(crate) fn orderable(catalog: &Catalog, ty: &Type) -> Result<()> {
    match ty {
        Type::Json => Err(no_order(ty)),
        Type::Bytes => Err(Error::unsupported("this database does not order by bytea")),
        Type::Array(inner) if matches!(inner.as_ref(), Type::Other(_)) => {
            Err(Error::unsupported(format!("this database has no order of {ty}")))
        }
        ty if is_record(catalog, ty) => fields(catalog, ty).iter().try_for_each(|(_, field)| {
            let not_of = |error: Error| if error.code() == "42883" { no_order(ty) } else { error };
            orderable(catalog, field).map_err(not_of)
        }),
        Type::Other(name) if !span::is_range(ty) && !is_money(ty) && !is_document(ty) => {
            Err(Error::unsupported(format!("this database has no order of {name}")))
        }
        _ => Ok(()),
    }
}

fn no_order(ty: &Type) -> Error {
    let message = format!("could not identify an ordering operator for type {ty}");
    Error::new(ErrorKind::InvalidInput, "42883", message)
        .with_hint("Use an explicit ordering operator or modify the query.")
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
