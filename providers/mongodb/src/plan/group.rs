//! Aggregates.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Aggregate, AggregateFunction, Catalog, Order, Query, Table, errors};
use truststream_sql::composite::Composite;

use super::read::{Level, Origin, Out, Part, Shape, What};
use super::{Place, Planner, order, text_of};
use crate::cast;
use crate::money::is_money;
use crate::record::sortable;
use crate::schema::labels;
use crate::span;
use crate::sql::Translator;
use crate::term::{Term, Want, constant, is_wide, narrow, reckoned};

#[derive(Default)]
struct Groups {
    keys: Document,
    accumulators: Document,
    projection: Document,
    fields: Vec<Out>,
    /// Terms grouped by, with where they are found afterwards.
    terms: Vec<(Term, String)>,
}

impl Groups {
    fn accumulate(&mut self, key: &str, accumulator: Document, shown: impl Into<Bson>) {
        self.accumulators.insert(key, accumulator);
        self.projection.insert(key, shown.into());
    }

    /// Groups by something else than the part that is shown, which is the same in all rows of a group.
    fn key_beside(&mut self, catalog: &Catalog, by: Bson, part: Part, key: String) {
        let (shown, out) = part.out(catalog, key.clone());
        self.keys.insert(&key, doc! { "$ifNull": [by, Bson::Null] });
        self.accumulate(&key, doc! { "$first": shown }, format!("${key}"));
        self.fields.push(out);
    }

    /// Groups by a part.
    fn key(&mut self, catalog: &Catalog, mut part: Part, key: String) -> Result<()> {
        let mut is_cast = false;
        let term = match &mut part.what {
            What::Value { term, whole, steps, cast, .. } => {
                is_cast = cast.is_some();
                // Groups are made of what the steps lead to.
                if !steps.is_empty() {
                    (*whole, *steps) = (None, Vec::new());
                }
                Some(term.as_ref().clone())
            }
            _ => None,
        };
        let record = term.as_ref().and_then(|term| Composite::of(catalog, &term.ty));
        if part.shown.as_ref().is_some_and(|shown| !shown.named) {
            return Err(no_equality());
        }
        let (shown, out) = part.out(catalog, key.clone());
        match term {
            Some(Term { ty: Type::Json, .. }) if is_cast => {
                return Err(Error::unsupported(
                    "this database has no groups by casts of what is within json",
                ));
            }
            Some(Term { ty: Type::Json, .. }) => return Err(no_equality()),
            Some(term) if record.as_ref().is_some_and(|record| !record.is_comparable()) => {
                let message = format!("this database has no groups by values of type {}", term.ty);
                return Err(Error::unsupported(message));
            }
            Some(term) if term.ty == Type::Interval || span::is_range(&term.ty) || record.is_some() => {
                // Equal ones may be written otherwise.
                self.keys.insert(&key, doc! { "$ifNull": [term.comparable(catalog), Bson::Null] });
                self.accumulate(&key, doc! { "$first": shown }, format!("${key}"));
                self.terms.push((term, format!("${key}")));
            }
            term => {
                // What is no value of JSON is missing, and no group of JSON's null.
                let keeps_missing = matches!(&out, Out::Value { bare: true, .. });
                let by = if keeps_missing { shown } else { doc! { "$ifNull": [shown, Bson::Null] }.into() };
                self.keys.insert(&key, by);
                self.projection.insert(&key, format!("$_id.{key}"));
                self.terms.extend(term.map(|term| (term, format!("$_id.{key}"))));
            }
        }
        self.fields.push(out);
        Ok(())
    }
}

impl Planner<'_> {
    /// The groups of parts of which some are aggregates, as a level of its own.
    pub(super) fn groups(&mut self, place: &Place, query: &Query, parts: Vec<Part>) -> Result<Level> {
        let mut groups = Groups::default();
        let table = self.schema.table(&place.table)?;
        refuse_loose(&place.table.name, table, &parts)?;
        for (at, part) in parts.into_iter().enumerate() {
            let key = format!("f{at}");
            match part.what {
                What::Count { of, cast } => {
                    let one: Bson = match of {
                        // Only a missing row sorts before null.
                        Some(row) => doc! { "$cond": [
                            { "$gt": [format!("${row}"), Bson::Null] }, constant(1_i64), constant(0_i64),
                        ] }
                        .into(),
                        None => constant(1_i64),
                    };
                    let one = doc! { "$sum": one };
                    groups.accumulate(&key, one, format!("${key}"));
                    groups.fields.push(Out::Count { name: part.name, key, cast });
                }
                What::Value { aggregate: Some(aggregate), .. } if part.shown.is_some() => {
                    // What a cast makes of a value, and of null, is known in process only.
                    return Err(match aggregate.function {
                        AggregateFunction::Count => {
                            Error::unsupported("this database counts no values that a cast shows")
                        }
                        function => errors::no_aggregate(function.name(), &Type::Json),
                    });
                }
                What::Value { term, cast, as_text, aggregate: Some(aggregate), .. } => {
                    let term = if as_text { Term::new(text_of(&term.expr), Type::Text) } else { *term };
                    let term = match cast {
                        Some(cast) => Translator::cast_of(self, term, &cast)?,
                        None => term,
                    };
                    self.aggregated(&mut groups, (part.name, key), &term, &aggregate)?;
                }
                what => {
                    let part = Part { what, ..part };
                    match self.key_of(place, &part)? {
                        Some(by) => groups.key_beside(&self.schema.catalog, by, part, key),
                        None => groups.key(&self.schema.catalog, part, key)?,
                    }
                }
            }
        }
        self.finish(place, query, groups)
    }

    fn finish(&mut self, place: &Place, query: &Query, groups: Groups) -> Result<Level> {
        let Groups { keys, mut accumulators, mut projection, fields, terms } = groups;
        let single_group = keys.is_empty();
        let id = if single_group { Bson::Null } else { Bson::Document(keys) };
        accumulators.insert("_id", id);
        let mut sort = order::Sort::default();
        for order in &query.order {
            let term = self.ordering_term(place, query, order)?;
            let found = term.as_ref().and_then(|term| terms.iter().find(|(one, _)| one.expr == term.expr));
            let (Some(term), Some((_, path))) = (term, found) else {
                return Err(errors::ungrouped(&place.table.name, &order.field.name));
            };
            order::orderable(&self.schema.catalog, &term.ty)?;
            let grouped = if matches!(term.expr, Bson::String(_)) {
                Term::stored(path.clone(), term.ty)
            } else {
                Term::new(path.clone(), term.ty)
            };
            let key = sortable(&self.schema.catalog, &grouped)?;
            self.sort_by(&mut sort, order, key);
        }
        let mut stages = vec![doc! { "$group": accumulators }];
        stages.extend(sort.stages());
        stages.extend(order::page(query));
        projection.insert("_id", 0);
        stages.push(doc! { "$project": projection });
        Ok(Level { stages, shape: Shape { fields, single_group } })
    }

    /// What groups are ordered by: a column, or one of a row that is spread into theirs.
    fn ordering_term(&mut self, place: &Place, query: &Query, order: &Order) -> Result<Option<Term>> {
        let Some(name) = &order.relation else {
            return self.term(place, &order.field, &mut Vec::new()).map(Some);
        };
        let embed = query.ordering_embed(name)?;
        let spread = self.spread.iter().rev().find(|(parent, one, _)| parent == place && one == name);
        let Some((_, _, row)) = spread.cloned() else { return Ok(None) };
        let field = self.schema.relations.shown_as(embed, &row.table, &order.field)?;
        self.term(&row, field, &mut Vec::new()).map(Some)
    }

    fn aggregated(
        &mut self,
        groups: &mut Groups,
        (name, key): (String, String),
        term: &Term,
        aggregate: &Aggregate,
    ) -> Result<()> {
        let float = matches!(term.ty, Type::Float4 | Type::Float8);
        let cast =
            aggregate.cast.as_ref().map(|cast| cast::target(&self.schema.catalog, cast)).transpose()?;
        let present = doc! { "$cond": [term.is_null(Want::False), constant(1_i64), constant(0_i64)] };
        let function = aggregate.function;
        let adds = term.ty.is_number() || (is_money(&term.ty) && function == AggregateFunction::Sum);
        match function {
            AggregateFunction::Count => {
                groups.accumulate(&key, doc! { "$sum": present }, format!("${key}"));
                groups.fields.push(Out::Count { name, key, cast });
            }
            AggregateFunction::Max | AggregateFunction::Min => {
                if !has_extremes(&term.ty) {
                    return Err(errors::no_aggregate(function.name(), &term.ty));
                }
                let (taken, shown) = self.extreme(term, function == AggregateFunction::Max, &key);
                groups.accumulate(&key, taken, shown);
                groups.fields.push(out(name, key, term.ty.clone(), cast));
            }
            _ if matches!(term.ty, Type::Interval | Type::Time) => {
                self.lasting(groups, (name, key), (term, present), (function, cast));
            }
            _ if !adds => return Err(errors::no_aggregate(function.name(), &term.ty)),
            AggregateFunction::Avg if float => {
                groups.accumulate(&key, doc! { "$avg": reckoned(&term.expr) }, format!("${key}"));
                groups.fields.push(out(name, key, Type::Float8, cast));
            }
            _ => {
                // Numbers are added as decimals: sums of integers have no bounds.
                let expr = if is_wide(&term.ty) { narrow(&term.expr) } else { term.expr.clone() };
                let added = if float { reckoned(&expr) } else { doc! { "$toDecimal": expr }.into() };
                let (sum, count) = (format!("{key}s"), format!("{key}n"));
                groups.accumulators.insert(&sum, doc! { "$sum": added });
                groups.accumulators.insert(&count, doc! { "$sum": present });
                if function == AggregateFunction::Avg {
                    groups.projection.insert(&key, doc! { "s": format!("${sum}"), "n": format!("${count}") });
                    groups.fields.push(Out::Average { name, key, cast });
                    return Ok(());
                }
                let none = doc! { "$eq": [format!("${count}"), 0] };
                groups.projection.insert(&key, doc! { "$cond": [none, Bson::Null, format!("${sum}")] });
                groups.fields.push(out(name, key, sum_type(&term.ty), cast));
            }
        }
        Ok(())
    }

    /// The sum or the average of intervals, by their parts.
    fn lasting(
        &self,
        groups: &mut Groups,
        (name, key): (String, String),
        (term, present): (&Term, Document),
        (function, cast): (AggregateFunction, Option<Type>),
    ) {
        let part = |part: &str| -> Bson {
            match (&term.ty, part) {
                (Type::Interval, _) => {
                    doc! { "$getField": { "field": part, "input": term.expr.clone() } }.into()
                }
                (_, "u") => term.expr.clone(),
                _ => constant(0_i64),
            }
        };
        let mut shown = Document::new();
        for (named, value) in [("m", part("m")), ("d", part("d")), ("u", part("u")), ("n", present.into())] {
            let path = format!("{key}{named}");
            shown.insert(named, format!("${path}"));
            groups.accumulators.insert(path, doc! { "$sum": value });
        }
        if function == AggregateFunction::Avg {
            groups.projection.insert(&key, shown);
            groups.fields.push(Out::Average { name, key, cast });
            return;
        }
        let none = doc! { "$eq": [format!("${key}n"), 0] };
        groups.projection.insert(&key, doc! { "$cond": [none, Bson::Null, shown] });
        groups.fields.push(out(name, key, Type::Interval, cast));
    }

    /// The largest or smallest value of a group: how it is found, and what it is then.
    fn extreme(&self, term: &Term, largest: bool, key: &str) -> (Document, Bson) {
        let word = if largest { "$max" } else { "$min" };
        let taken = |expr: Bson| Document::from_iter([(word.to_owned(), expr)]);
        let found = Bson::String(format!("${key}"));
        match labels(&self.schema.catalog, &term.ty) {
            Some(labels) => {
                let labels: Vec<Bson> = labels.iter().cloned().map(Bson::String).collect();
                let label = doc! { "$arrayElemAt": [constant(labels), found.clone()] };
                let none = doc! { "$eq": [{ "$ifNull": [found, Bson::Null] }, Bson::Null] };
                let shown = doc! { "$cond": [none, Bson::Null, label] };
                (taken(term.comparable(&self.schema.catalog)), shown.into())
            }
            // What is not ordered as it is kept goes behind what it is ordered by.
            None if matches!(term.ty, Type::Array(_) | Type::Interval) => {
                let both = Bson::Array(vec![term.comparable(&self.schema.catalog), term.expr.clone()]);
                let present = doc! { "$cond": [term.is_null(Want::True), Bson::Null, both] };
                (taken(present.into()), doc! { "$arrayElemAt": [found, 1] }.into())
            }
            None if is_wide(&term.ty) => (taken(narrow(&term.expr)), found),
            None => (taken(term.expr.clone()), found),
        }
    }
}

/// The type of a sum.
pub(crate) fn sum_type(ty: &Type) -> Type {
    match ty {
        Type::Int2 | Type::Int4 => Type::Int8,
        Type::Float4 | Type::Float8 => ty.clone(),
        ty if is_money(ty) => ty.clone(),
        _ => Type::Numeric(None),
    }
}

/// Refuses parts that are called as a column of the table, which groups are made of then, and show another one.
fn refuse_loose(name: &str, table: &Table, parts: &[Part]) -> Result<()> {
    let keys = || parts.iter().filter(|part| !part.is_aggregate());
    let origins = || keys().filter_map(|part| Some((part, part.origin.as_ref()?)));
    let meant = |part: &Part, origin: &Origin| origin.named && table.column(&part.name).is_some();
    let columns: Vec<&str> = origins()
        .map(|(part, origin)| if meant(part, origin) { &*part.name } else { &*origin.column })
        .collect();
    let key = &table.primary_key;
    if !key.is_empty() && key.iter().all(|column| columns.contains(&&**column)) {
        return Ok(());
    }
    let loose =
        |(part, origin): &(&Part, &Origin)| meant(part, origin) && !columns.contains(&&*origin.column);
    match origins().find(loose) {
        Some((_, origin)) => Err(errors::ungrouped(name, &origin.column)),
        None => Ok(()),
    }
}

fn no_equality() -> Error {
    let message = "could not identify an equality operator for type json";
    Error::new(ErrorKind::InvalidInput, "42883", message)
}

/// Whether PostgreSQL has `min` and `max` of a type.
pub(crate) fn has_extremes(ty: &Type) -> bool {
    is_money(ty)
        || !matches!(ty, Type::Bool | Type::Uuid | Type::Bytes | Type::Json | Type::Jsonb | Type::Other(_))
}

fn out(name: String, key: String, ty: Type, cast: Option<Type>) -> Out {
    let steps = Vec::new();
    Out::Value { name, key, ty, bare: false, steps, as_text: false, record: None, shown: None, cast }
}
