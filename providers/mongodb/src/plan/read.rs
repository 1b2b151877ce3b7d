//! Levels: the rows of one table, at the top or embedded.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Result, Type};
use truststream_services::database::{Field, Item, JsonKey, Query, Table, TableName};

use super::Planner;
use super::field::column_term;
use crate::cast;
use crate::names::field as stored;
use crate::term::{constant, constant_of};

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
        /// A JSON value shown as text (`->>`).
        as_text: bool,
        cast: Option<Type>,
    },
    /// How many there are; none where no document tells.
    Count { name: String, key: String, cast: Option<Type> },
    /// An average: the sum and how many there are.
    Average { name: String, key: String, cast: Option<Type> },
    /// Related rows.
    Embed { name: String, key: String, to_one: bool, shape: Shape },
    /// Related rows whose fields go into the parent.
    Spread { key: String, to_one: bool, shape: Shape },
}

/// The name of a field in the reply.
pub(super) fn name_of(field: &Field) -> String {
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
    pub(super) fn level(&mut self, table: &TableName, query: &Query) -> Result<Level> {
        let mut stages = self.conditions(table, query)?;
        if super::group::aggregates(query) {
            let level = self.groups(table, query)?;
            stages.extend(level.stages);
            return Ok(Level { stages, shape: level.shape });
        }
        stages.extend(self.ordered(table, query)?);
        let mut projection = Document::new();
        let mut fields = Vec::new();
        for item in &query.items {
            match item {
                Item::All => {
                    for column in &self.schema.table(table)?.columns {
                        let key = format!("f{}", projection.len());
                        let expr = crate::names::path(&column.name);
                        projection.insert(key.clone(), expr);
                        fields.push(value(column.name.clone(), key, column.ty.clone()));
                    }
                }
                Item::Column { field, alias, cast, .. } => {
                    let key = format!("f{}", projection.len());
                    let name = alias.clone().unwrap_or_else(|| name_of(field));
                    let (expr, out) = self.column(table, field, (name, key.clone()), cast.as_deref())?;
                    projection.insert(key, expr);
                    fields.push(out);
                }
                Item::Embed(embed) => {
                    if let Some((lookup, out)) = self.embed(table, embed)? {
                        if let Out::Embed { key, .. } | Out::Spread { key, .. } = &out {
                            projection.insert(key.clone(), 1);
                        }
                        stages.extend(lookup);
                        fields.push(out);
                    }
                }
                Item::Count { .. } => {}
            }
        }
        projection.insert("_id", i32::from(projection.is_empty()));
        stages.push(doc! { "$project": projection });
        Ok(Level { stages, shape: Shape { fields, single_group: false } })
    }

    fn column(
        &mut self,
        table: &TableName,
        field: &Field,
        (name, key): (String, String),
        cast: Option<&str>,
    ) -> Result<(Bson, Out)> {
        let cast = cast.map(|cast| cast::target(&self.schema.catalog, cast)).transpose()?;
        let (term, as_text) = self.json_term(table, field)?;
        if !field.path.is_empty() {
            let out = Out::Value { name, key, ty: term.ty, bare: true, as_text, cast };
            return Ok((term.expr, out));
        }
        let out = Out::Value { name, key, ty: term.ty, bare: false, as_text: false, cast };
        Ok((crate::names::path(&field.name).into(), out))
    }

    /// The stages that keep what the filter and the inner embeds of a query demand.
    pub(super) fn conditions(&mut self, table: &TableName, query: &Query) -> Result<Vec<Document>> {
        let mut stages = Vec::new();
        if let Some(filter) = &query.filter {
            stages.extend(self.filtered(table, query, filter)?);
        }
        for item in &query.items {
            if let Item::Embed(embed) = item
                && embed.inner
            {
                stages.extend(self.embed_exists(table, embed)?.kept());
            }
        }
        Ok(stages)
    }
}

fn value(name: String, key: String, ty: Type) -> Out {
    Out::Value { name, key, ty, bare: false, as_text: false, cast: None }
}

/// The value that a column is compared with, if `$match` can do that by an index.
pub(super) fn indexable(expr: &Bson, value: &Bson, ty: &Type) -> Option<Bson> {
    matches!(expr, Bson::String(_)).then_some(())?;
    let known = constant_of(value).filter(|value| **value != Bson::Null)?;
    let alike = matches!(
        ty,
        Type::Bool
            | Type::Int2
            | Type::Int4
            | Type::Int8
            | Type::Text
            | Type::Varchar(_)
            | Type::Uuid
            | Type::Timestamptz
            | Type::Timestamp
            | Type::Date
            | Type::Time
    );
    alike.then(|| known.clone())
}

/// A column as it is stored, for `$sort`.
pub(super) fn sortable(table: &Table, name: &str) -> Option<String> {
    let column = table.column(name).filter(|column| !column.nullable)?;
    let plain = !matches!(column.ty, Type::Enum(_) | Type::Json | Type::Jsonb | Type::Bytes);
    plain.then(|| match column_term(column).expr {
        Bson::String(path) => path.trim_start_matches('$').to_owned(),
        _ => stored(name),
    })
}
