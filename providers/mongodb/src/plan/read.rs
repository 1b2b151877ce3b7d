//! Levels: the rows of one table, at the top or embedded.

use std::sync::Arc;

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{
    Aggregate, Catalog, Field, Item, JsonKey, JsonStep, Query, Table, errors,
};
use truststream_sql::composite::Composite;

use super::{Place, Planner};
use crate::cast;
use crate::names::field as stored;
use crate::represent::{self, Shown};
use crate::sql::{Translator, stored_form};
use crate::term::{Term, constant, constant_of, is_json};

/// Where rows come from.
#[derive(Clone, Debug)]
pub(crate) enum Source<'a> {
    /// The table, as far as policies open it.
    Table,
    /// Rows just written or found, by `_id`, in order.
    Rows(&'a [Bson]),
}

/// The documents of a level and what they mean.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) stages: Vec<Document>,
    pub(crate) shape: Shape,
}

/// What the documents of a level hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) fields: Vec<Out>,
    /// All rows make one group: without rows there is a document too.
    pub(crate) single_group: bool,
}

/// One part of a document.
#[derive(Clone, Debug)]
pub(crate) enum Out {
    /// A value.
    Value {
        name: String,
        key: String,
        ty: Type,
        /// The bare value of JSON rather than a stored column.
        bare: bool,
        /// Steps into the text of a stored column of `json`.
        steps: Vec<JsonStep>,
        /// A JSON value shown as text (`->>`).
        as_text: bool,
        /// The composite type of the value: what is stored has its text, what is shown is an object.
        record: Option<Arc<Composite>>,
        /// The cast by which the value is shown.
        shown: Option<Shown>,
        cast: Option<Type>,
    },
    /// How many there are; none where no document tells.
    Count { name: String, key: String, cast: Option<Type> },
    /// An average: the sum and how many there are; of intervals the sums of their parts.
    Average { name: String, key: String, cast: Option<Type> },
    /// Related rows.
    Embed { name: String, key: String, to_one: bool, shape: Shape },
    /// Related rows of which each field is an array of the parent.
    Spread { key: String, shape: Shape },
}

/// One part of what is selected, of the rows of a level or of one row that is spread into them.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) what: What,
    /// The cast by which it is shown.
    pub(super) shown: Option<Shown>,
    /// What it takes of the row itself; `None` of what embeds add.
    pub(super) origin: Option<Origin>,
}

/// What a part takes of a row itself.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) column: String,
    /// Whether the request names it: PostgREST groups by the name then, which to PostgreSQL is a column of the
    /// table first, and else what is shown.
    pub(super) named: bool,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Value {
        term: Box<Term>,
        /// What is shown where that is not the term itself: a column as it is stored.
        whole: Option<String>,
        /// Steps into that, which are taken in its text.
        steps: Vec<JsonStep>,
        as_text: bool,
        cast: Option<Type>,
        aggregate: Option<Aggregate>,
    },
    /// How many rows there are, or how many have a row in a field.
    Count {
        of: Option<String>,
        cast: Option<Type>,
    },
    Embed {
        key: String,
        to_one: bool,
        shape: Shape,
        spread: bool,
    },
}

impl Part {
    pub(super) fn new(name: String, what: What) -> Self {
        Part { name, what, shown: None, origin: None }
    }

    pub(super) fn is_aggregate(&self) -> bool {
        matches!(self.what, What::Count { .. } | What::Value { aggregate: Some(_), .. })
    }

    /// As it is shown from a key of a document.
    pub(super) fn out(self, catalog: &Catalog, key: String) -> (Bson, Out) {
        let Part { name, what, shown: by, .. } = self;
        match what {
            What::Value { term, whole, steps, as_text, cast, .. } => {
                let term = *term;
                let bare = whole.is_none() && is_json(&term.ty) && term.text.is_none();
                let shown = match whole {
                    Some(path) => path.into(),
                    None if term.text.is_some() => stored_form(&term),
                    None => term.expr,
                };
                let record = Composite::of(catalog, &term.ty).map(Arc::new);
                let ty = if steps.is_empty() { term.ty } else { Type::Json };
                (shown, Out::Value { name, key, ty, bare, steps, as_text, record, shown: by, cast })
            }
            What::Count { cast, .. } => (Bson::Null, Out::Count { name, key, cast }),
            What::Embed { key: from, to_one, shape, spread } => {
                let out = match spread {
                    true => Out::Spread { key, shape },
                    false => Out::Embed { name, key, to_one, shape },
                };
                (format!("${from}").into(), out)
            }
        }
    }
}

/// The name of a field in the reply.
fn name_of(field: &Field) -> String {
    let last_key = field.path.iter().rev().find_map(|step| match &step.key {
        JsonKey::Key(key) => Some(key.clone()),
        JsonKey::Index(_) => None,
    });
    last_key.unwrap_or_else(|| field.name.clone())
}

/// The documents of these keys, in their order.
pub(super) fn picked(ids: &[Bson]) -> Vec<Document> {
    let mut stages = vec![doc! { "$match": { "_id": { "$in": ids.to_vec() } } }];
    if ids.len() > 1 {
        let at = doc! { "$indexOfArray": [constant(ids.to_vec()), "$_id"] };
        stages.push(doc! { "$addFields": { "%at": at } });
        stages.push(doc! { "$sort": { "%at": 1 } });
    }
    stages
}

/// Leaves the key and the columns of a document.
pub(super) fn without_temporaries(table: &Table) -> Document {
    let fields = table.columns.iter().map(|column| (stored(&column.name), Bson::Int32(1)));
    doc! { "$project": fields.collect::<Document>() }
}

impl Planner<'_> {
    /// What a query takes of the documents of a table that arrive.
    pub(crate) fn level(&mut self, place: &Place, query: &Query) -> Result<Level> {
        let mut stages = self.conditions(place, query)?;
        let mut made = Vec::new();
        let parts = self.parts(place, query, &mut made)?;
        if parts.iter().any(Part::is_aggregate) {
            stages.extend(made);
            let level = self.groups(place, query, parts)?;
            stages.extend(level.stages);
            return Ok(Level { stages, shape: level.shape });
        }
        stages.extend(self.ordered(place, query)?);
        stages.extend(made);
        let mut projection = Document::new();
        let mut fields = Vec::new();
        for part in parts {
            let (shown, out) = part.out(&self.schema.catalog, format!("f{}", projection.len()));
            projection.insert(format!("f{}", projection.len()), shown);
            fields.push(out);
        }
        projection.insert("_id", i32::from(projection.is_empty()));
        stages.push(doc! { "$project": projection });
        Ok(Level { stages, shape: Shape { fields, single_group: false } })
    }

    /// What is selected of each row; where nothing is, everything.
    pub(super) fn parts(
        &mut self,
        place: &Place,
        query: &Query,
        stages: &mut Vec<Document>,
    ) -> Result<Vec<Part>> {
        let everything = [Item::All];
        let items = if query.items.is_empty() { &everything[..] } else { &query.items };
        // Columns stand before what is embedded, as PostgREST has them.
        let (embeds, columns): (Vec<&Item>, Vec<&Item>) =
            items.iter().partition(|item| matches!(item, Item::Embed(_)));
        let mut parts = Vec::new();
        for item in columns.into_iter().chain(embeds) {
            match item {
                Item::All => {
                    let table = self.schema.table(&place.table)?;
                    for column in &table.columns {
                        self.access.may_read(table, &place.table, &column.name)?;
                        let whole = Some(place.path(&column.name));
                        let what = What::Value {
                            term: Box::new(place.term(column)),
                            whole,
                            steps: Vec::new(),
                            as_text: false,
                            cast: None,
                            aggregate: None,
                        };
                        let shown = represent::shown(self, column, true)?;
                        parts.push(Part { shown, ..Part::new(column.name.clone(), what) });
                    }
                }
                Item::Count { alias, cast } => {
                    parts.push(self.counting(place, alias.as_ref(), cast.as_deref())?)
                }
                Item::Column { alias, cast, .. } if self.counts(place, item) => {
                    self.alone(place, items)?;
                    parts.push(self.counting(place, alias.as_ref(), cast.as_deref())?);
                }
                Item::Column { field, alias, cast, aggregate } => {
                    let name = alias.clone().unwrap_or_else(|| match aggregate {
                        Some(aggregate) => aggregate.function.name().to_owned(),
                        None => name_of(field),
                    });
                    let shown = self.represented(place, field, alias.as_deref(), cast.as_deref())?;
                    let what = self.shown(place, field, cast.as_deref(), stages)?;
                    let what = match (what, aggregate) {
                        (What::Value { term, whole, steps, as_text, cast, .. }, Some(aggregate)) => {
                            let aggregate = Some(aggregate.clone());
                            What::Value { term, whole, steps, as_text, cast, aggregate }
                        }
                        (what, _) => what,
                    };
                    let origin = Origin { column: field.name.clone(), named: alias.is_some() };
                    parts.push(Part { shown, origin: Some(origin), ..Part::new(name, what) });
                }
                Item::Embed(embed) => parts.extend(self.embed(place, embed, stages)?),
            }
        }
        Ok(parts)
    }

    fn shown(
        &mut self,
        place: &Place,
        field: &Field,
        cast: Option<&str>,
        stages: &mut Vec<Document>,
    ) -> Result<What> {
        if let Some(domain) = cast.and_then(|cast| Translator::new(self).domain(cast)) {
            let term = self.term(place, field, stages)?;
            let term = Translator::cast_to_domain(self, term, domain)?;
            return Ok(What::Value {
                term: Box::new(term),
                whole: None,
                steps: Vec::new(),
                as_text: false,
                cast: None,
                aggregate: None,
            });
        }
        let cast = cast.map(|cast| cast::target(&self.schema.catalog, cast)).transpose()?;
        let (term, as_text) = self.json_term(place, field, stages)?;
        let column = self.schema.table(&place.table)?.column(&field.name);
        let stored = column.filter(|column| field.path.is_empty() || column.ty == Type::Json);
        let whole = stored.map(|_| place.path(&field.name));
        let steps = if whole.is_some() { field.path.clone() } else { Vec::new() };
        Ok(What::Value { term: Box::new(term), whole, steps, as_text, cast, aggregate: None })
    }

    /// How a column is shown, where a cast of its domain says so.
    fn represented(
        &mut self,
        place: &Place,
        field: &Field,
        alias: Option<&str>,
        cast: Option<&str>,
    ) -> Result<Option<Shown>> {
        let column = self.schema.table(&place.table)?.column(&field.name);
        let Some(column) = column.filter(|_| field.path.is_empty()) else { return Ok(None) };
        let named = alias.is_none_or(|alias| alias == field.name);
        let shown = represent::shown(self, column, named)?;
        if shown.is_some() && cast.is_some_and(|cast| Translator::new(self).domain(cast).is_some()) {
            return Err(Error::unsupported("a cast to a domain with rules, of what another cast shows"));
        }
        Ok(shown)
    }

    fn counting(&self, place: &Place, alias: Option<&String>, cast: Option<&str>) -> Result<Part> {
        let cast = cast.map(|cast| cast::target(&self.schema.catalog, cast)).transpose()?;
        let name = alias.cloned().unwrap_or_else(|| "count".to_owned());
        Ok(Part::new(name, What::Count { of: place.row(), cast }))
    }

    /// Whether an item counts rows by the word alone, as those who know Supabase write it: a column
    /// `count` that the table has not.
    pub(super) fn counts(&self, place: &Place, item: &Item) -> bool {
        let Item::Column { field, aggregate: None, .. } = item else { return false };
        let table = self.schema.catalog.table(&place.table);
        field.name == "count"
            && field.path.is_empty()
            && table.is_some_and(|table| table.column("count").is_none())
            && truststream_sql::computed::column(&self.schema.catalog, &place.table, "count").is_none()
    }

    /// Refuses columns beside one that counts, for nothing says that they make groups.
    fn alone(&self, place: &Place, items: &[Item]) -> Result<()> {
        let beside = items.iter().find_map(|item| match item {
            Item::Column { field, aggregate: None, .. } if !self.counts(place, item) => {
                Some(field.name.as_str())
            }
            Item::All => {
                let table = self.schema.table(&place.table).ok();
                table.and_then(|table| table.columns.first()).map(|column| column.name.as_str())
            }
            _ => None,
        });
        let Some(column) = beside else { return Ok(()) };
        Err(errors::ungrouped(&place.table.name, column))
    }

    /// The stages that keep what the filter and the inner embeds of a query demand.
    pub(super) fn conditions(&mut self, place: &Place, query: &Query) -> Result<Vec<Document>> {
        let mut stages = Vec::new();
        if let Some(filter) = &query.filter {
            stages.extend(self.filtered(place, query, filter)?);
        }
        for item in &query.items {
            if let Item::Embed(embed) = item
                && embed.inner
            {
                stages.extend(self.embed_exists(place, embed)?.kept());
            }
        }
        Ok(stages)
    }
}

/// The value that a column is compared with, if `$match` can do that by an index.
pub(super) fn indexable(expr: &Bson, value: &Bson, ty: &Type) -> Option<Bson> {
    matches!(expr, Bson::String(_)).then_some(())?;
    let known = constant_of(value).filter(|value| **value != Bson::Null)?;
    let is_moment = matches!(ty, Type::Timestamptz | Type::Timestamp | Type::Date | Type::Time);
    (is_moment || ty.has_one_form()).then(|| known.clone())
}

/// A column as it is stored, for `$sort`.
pub(super) fn stored_order(table: &Table, place: &Place, name: &str) -> Option<String> {
    let column = table.column(name).filter(|column| !column.nullable && place.is_top())?;
    let plain = !matches!(column.ty, Type::Enum(_) | Type::Json | Type::Jsonb | Type::Bytes | Type::Other(_));
    plain.then(|| stored(name))
}
